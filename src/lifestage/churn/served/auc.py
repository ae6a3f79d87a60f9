"""The area under the ROC curve with its interval, and the one that a model's own probabilities promise."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from lifestage.ragged import Bools, Floats

Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Auc:
    """P(a churned customer ranks above another), ties half, with its standard error; NaN where it is not known."""

    value: float
    error: float

    @property
    def low(self) -> float:
        return max(self.value - Z95 * self.error, 0.0) if np.isfinite(self.error) else float("nan")

    @property
    def high(self) -> float:
        return min(self.value + Z95 * self.error, 1.0) if np.isfinite(self.error) else float("nan")


UNKNOWN = Auc(float("nan"), float("nan"))


def auc(score: Floats, churned: Bools) -> Auc:
    """Of scores, higher = likelier to churn, shape (n,); the error as DeLong, DeLong & Clarke-Pearson (1988), eq. 4
    to 6, from mid-ranks. UNKNOWN with fewer than two customers of an outcome.
    """
    n, m = int(np.count_nonzero(churned)), int(np.count_nonzero(~churned))
    if min(n, m) < 2:
        return UNKNOWN
    everyone = rankdata(score)
    above = (
        everyone[churned] - rankdata(score[churned])
    ) / m  # share of the others that each churner outranks
    below = 1.0 - (everyone[~churned] - rankdata(score[~churned])) / n
    variance = above.var(ddof=1) / n + below.var(ddof=1) / m
    return Auc(float(above.mean()), float(np.sqrt(variance)))


def promised_auc(score: Floats, probability: Floats) -> float:
    """What `auc` of `score` is on average where each customer churns with `probability`, both of shape (n,).

    The model-based concordance of van Klaveren, Gönen, Steyerberg & Vergouwe (2016), eq. 3: every pair counts as
    often as its first is the only one of the two to churn. A group of like customers has a low one, however good the
    model is.
    NaN where nobody or everybody is certain to churn.
    """
    order = np.argsort(score, kind="stable")
    p, ordered = probability[order], score[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    leaves, stays = np.add.reduceat(p, starts), np.add.reduceat(1.0 - p, starts)
    itself = float((p * (1.0 - p)).sum())  # nobody is compared with themselves
    pairs = float(leaves.sum() * stays.sum()) - itself
    if pairs <= 0:
        return float("nan")
    below = np.cumsum(stays) - stays
    return float(((leaves * (below + stays / 2)).sum() - itself / 2) / pairs)
