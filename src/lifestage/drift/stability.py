"""Population stability index of two sets of counts, and how much of it is chance.

PSI = sum over bins of (q - p) ln(q / p): Kullback's J-divergence (Jeffreys 1946; Kullback & Leibler 1951, eq. 2.4), as
credit scoring has it (Siddiqi 2006, ch. 8), with p the shares then and q now. Where nothing changed
n m / (n + m) x PSI is about chi-squared with B - 1 degrees of freedom for B bins and samples of n and m
(Yurdakul & Naranjo 2020), so that its mean is (B - 1)(1/n + 1/m).
"""

import numpy as np
from scipy.stats import chi2

from lifestage.ragged import Floats, Ints

HALF = 0.5
"""Added to each count: an empty bin has a logarithm then, and less weight the fewer customers were seen."""


def shares(counts: Ints) -> Floats:
    """Each bin's share of the counted, shape (B,), none of them 0."""
    filled: Floats = (counts + HALF) / (counts.sum() + HALF * len(counts))
    return filled


def stability_index(then: Ints, now: Ints) -> float:
    """PSI of two sets of counts over the same bins, shape (B,) each; bins empty in both do not count."""
    seen = (then > 0) | (now > 0)
    p, q = shares(then[seen]), shares(now[seen])
    return float(((q - p) * np.log(q / p)).sum())


def by_chance(then: Ints, now: Ints) -> float:
    """The PSI to be expected where nothing changed, for so many bins and customers."""
    freedom, scale = _law(then, now)
    return freedom * scale


def highest_by_chance(then: Ints, now: Ints, probability: float) -> float:
    """The PSI that is exceeded with so small a probability where nothing changed."""
    freedom, scale = _law(then, now)
    return float(chi2.isf(probability, freedom)) * scale if freedom else 0.0


def excess(then: Ints, now: Ints) -> float:
    """PSI beyond what chance alone lets expect; 0 where there is none."""
    return max(stability_index(then, now) - by_chance(then, now), 0.0)


def _law(then: Ints, now: Ints) -> tuple[int, float]:
    """Degrees of freedom, and the scale 1/n + 1/m."""
    bins = int(np.count_nonzero((then > 0) | (now > 0)))
    return max(bins - 1, 0), 1 / max(int(then.sum()), 1) + 1 / max(int(now.sum()), 1)
