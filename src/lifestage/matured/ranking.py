"""How well a score puts customers in the order of what they then brought; ties in the score share their outcome."""

import numpy as np

from lifestage.ragged import Floats


def captured(score: Floats, outcome: Floats, share: float) -> float:
    """Share of the whole outcome (>= 0) held by the `share` of customers with the highest score; NaN where it is 0."""
    held = _held(score, outcome)
    if held[-1] <= 0:
        return float("nan")
    return float(np.interp(share * len(score), np.arange(len(held)), held) / held[-1])


def gini(score: Floats, outcome: Floats) -> float:
    """Concentration of the outcome (>= 0) along the score: 0 by chance, its own Gini index where the order is perfect.

    Twice the area between the curve of `captured` and the diagonal; NaN where nothing came.
    """
    held = _held(score, outcome)
    if held[-1] <= 0:
        return float("nan")
    area = float((held[1:] + held[:-1]).sum() / 2 / held[-1]) / len(score)
    return 2 * area - 1


def _held(score: Floats, outcome: Floats) -> Floats:
    """Outcome of the best 0, 1, 2 ... customers by score, float64[n + 1]."""
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    size = np.diff(np.append(starts, len(ordered)))
    mean = np.repeat(np.add.reduceat(outcome[order], starts) / size, size)
    return np.concatenate([[0.0], np.cumsum(mean)])
