"""Segments that a challenger would serve worse than the champion: the same customers, both forecasts."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lifestage.churn.grade import Measure
from lifestage.churn.intervals import REPETITIONS, paired_differences
from lifestage.churn.served.auc import Z95
from lifestage.churn.served.dimensions import Dimension
from lifestage.churn.served.segments import MIN_PER_CLASS
from lifestage.ragged import Bools, Floats


@dataclass(frozen=True, slots=True)
class SegmentLoss:
    """One row per dimension and level."""

    dimension: str
    level: str
    customers: int
    champion: float
    """Its figure in the measure of the grade; NaN where too few of an outcome were there to order them."""
    gain: float
    """Challenger's figure minus champion's, relative to the champion's, with its 95 % interval."""
    gain_low: float
    gain_high: float
    brier_gain: float
    """Champion's Brier score minus challenger's, relative to the champion's, with its 95 % interval."""
    brier_gain_low: float
    brier_gain_high: float

    def lost(self, limit: float) -> bool:
        """Whether order or probabilities are surely worse by more than `limit` of the champion's figure."""
        return self.gain_high < -limit or self.brier_gain_high < -limit  # NaN is not worse

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def compare_segments(
    challenger: Floats,
    champion: Floats,
    churned: Bools,
    dimensions: Sequence[Dimension],
    *,
    measure: Measure,
    rarer_is_churned: bool,
    seed: int,
    repetitions: int = REPETITIONS,
) -> list[SegmentLoss]:
    """Probabilities of both models, shape (n,), compared within each level of each dimension."""
    rows = []
    for dimension in dimensions:
        for place, level in enumerate(dimension.levels):
            mine = dimension.codes == place
            p, q, y = challenger[mine], champion[mine], churned[mine]
            value, gain = float("nan"), (float("nan"),) * 3
            if min(np.count_nonzero(y), np.count_nonzero(~y)) >= MIN_PER_CLASS:
                value, gain = relative_gain(
                    p, q, y, measure, rarer_is_churned=rarer_is_churned, seed=seed, repetitions=repetitions
                )
            rows.append(
                SegmentLoss(
                    dimension.name, level, len(y), value, *gain, *brier_gain(p, q, y.astype(np.float64))
                )
            )
    return rows


def relative_gain(
    challenger: Floats,
    champion: Floats,
    churned: Bools,
    measure: Measure,
    *,
    rarer_is_churned: bool,
    seed: int,
    repetitions: int = REPETITIONS,
) -> tuple[float, tuple[float, float, float]]:
    """The champion's figure, and (gain, low, high) of the challenger over it as shares of that figure.

    95 % paired bootstrap over customers; the champion's figure is the measure beside a score that ranks nobody,
    whose own is 0.5 (ROC-AUC) or the base rate (average precision).
    """
    nobody = np.zeros(len(churned))
    found = paired_differences(
        challenger,
        {"champion": champion, "nobody": nobody},
        churned,
        rarer_is_churned=rarer_is_churned,
        seed=seed,
        repetitions=repetitions,
    )
    rarer = churned if rarer_is_churned else ~churned
    chance = 0.5 if measure == "roc_auc" else float(rarer.mean())
    lead = found["champion"][measure]
    value = chance + found["nobody"][measure].value - lead.value
    return value, (lead.value / value, lead.low / value, lead.high / value)


def brier_gain(challenger: Floats, champion: Floats, outcome: Floats) -> tuple[float, float, float]:
    """(gain, low, high): mean of paired differences of squared errors, as shares of the champion's mean.

    The interval is normal, of the mean of n independent differences; NaN with fewer than two customers, or where the
    champion makes no error.
    """
    theirs, own = (champion - outcome) ** 2, (challenger - outcome) ** 2
    if len(outcome) < 2 or not theirs.mean() > 0:
        return (float("nan"),) * 3
    off, whole = theirs - own, float(theirs.mean())
    reach = Z95 * float(off.std(ddof=1)) / np.sqrt(len(off))
    mean = float(off.mean())
    return mean / whole, float((mean - reach) / whole), float((mean + reach) / whole)
