"""The level ahead: how far past forecasts of the shop's total were off, as far as such errors have lasted before.

At earlier cutoffs, whose horizons have passed, orders came that were foreseen by a fit on the days before each. The
log of came over foreseen is an error of level. What the newest one says about the next is learnt from the pairs of
errors one horizon apart: the slope of their regression through the origin, shrunk by its uncertainty. Where errors
come and go (a Christmas, a campaign) there is no correction; where a shop's level is wrong again and again it comes
near the whole error.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lifestage.ragged import Floats

PAIRS = 6.0
USUAL = 0.1
"""What a pair leaves over is taken for so large (standard deviation) with the weight of `PAIRS` of them: real totals
90 days ahead are off by 5 to 15 %."""
LARGEST = float(np.log(2.0))


@dataclass(frozen=True, slots=True)
class Level:
    """factor: order rate ahead over that of the history; trust: share of the newest error that is carried on."""

    factor: float
    trust: float
    errors: Mapping[int, float]
    """Log of came over foreseen, by day number of the cutoff, in order."""
    came: Mapping[int, float]

    def sentence(self) -> str:
        """What was found, in a sentence."""
        if not self.errors:
            return "no earlier forecast has come due yet: the level ahead is taken as it was"
        sizes = np.abs(np.expm1(list(self.errors.values())))
        return (
            f"{len(self.errors)} earlier forecasts of all orders were off by {100 * sizes.mean():.0f} % on average; "
            f"the newest error is carried on by {100 * self.trust:.0f} %: orders ahead x {self.factor:.3f}"
        )


def level_ahead(came: Mapping[int, float], foreseen: Mapping[int, float], horizon: float, day: int) -> Level:
    """The level of the days after `day`, from forecasts that had come due by then.

    came, foreseen: orders of all customers in the `horizon` days after each earlier cutoff, by its day number.
    """
    due = [cutoff for cutoff in sorted(came) if cutoff + horizon <= day and foreseen[cutoff] > 0]
    # half an order in both: a window without any is no error without bounds
    errors = {c: float(np.log((came[c] + 0.5) / (foreseen[c] + 0.5))) for c in due}
    before = {c: _newest(errors, c - horizon) for c in due}
    pairs = np.array([(errors[c], before[c]) for c in due if before[c] is not None], np.float64).reshape(
        -1, 2
    )
    steps = np.diff(due)
    apart = (
        min(float(np.median(steps)) / horizon, 1.0) if len(steps) else 1.0
    )  # windows that overlap say less
    trust = _trust(pairs, apart)
    newest = _newest(errors, day - horizon) or 0.0
    factor = float(np.exp(np.clip(trust * newest, -LARGEST, LARGEST)))
    return Level(factor, trust, errors, {c: came[c] for c in due})


def _newest(errors: Mapping[int, float], day: float) -> float | None:
    """The error of the newest cutoff at or before a day."""
    known = [cutoff for cutoff in errors if cutoff <= day]
    return errors[max(known)] if known else None


def _trust(pairs: Floats, apart: float) -> float:
    """Slope of an error on the one before it, shrunk by its uncertainty (James & Stein)."""
    error, before = pairs[:, 0], pairs[:, 1]
    size = apart * float(np.sum(before**2))
    if size <= 0:
        return 0.0
    slope = apart * float(np.sum(error * before)) / size
    left = apart * float(np.sum((error - slope * before) ** 2))
    noise = (PAIRS * USUAL**2 + left) / (PAIRS + apart * len(error)) / size  # variance of the slope
    return float(np.clip(slope - noise / slope, 0.0, 1.0)) if slope > 0 else 0.0
