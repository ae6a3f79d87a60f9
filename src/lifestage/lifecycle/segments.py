"""RFM quintiles and eleven named groups over them.

Scores run from 1 to 5, 5 the best, and come from percentiles in the release's reference distribution: so one
customer online gets what the batch gives. The groups are a total table over R and FM = (F + M) / 2. The
literature has no fixed table, so ours stands here in full.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SEGMENTS: dict[str, tuple[str, str]] = {
    "champions": ("Champions", "冠军客户"),
    "loyal": ("Loyal", "忠诚客户"),
    "active": ("Active", "活跃客户"),
    "new": ("New", "新客户"),
    "promising": ("Promising", "潜力客户"),
    "needs_attention": ("Needs attention", "需要关注"),
    "at_risk": ("At risk", "流失风险"),
    "previously_loyal": ("Previously loyal", "曾经忠诚"),
    "almost_lost": ("Almost lost", "即将流失"),
    "dormant": ("Dormant", "沉睡客户"),
    "prospects": ("Prospects", "潜在客户"),
}
"""Name -> (English, Chinese label); `prospects` have not bought."""

# Rows: R = 5 (bought most recently) down to 1; columns: FM in [1, 2), [2, 3), [3, 4), [4, 5].
GRID: tuple[tuple[str, str, str, str], ...] = (
    ("new", "promising", "active", "champions"),
    ("promising", "promising", "active", "loyal"),
    ("needs_attention", "needs_attention", "active", "loyal"),
    ("almost_lost", "almost_lost", "at_risk", "at_risk"),
    ("dormant", "dormant", "previously_loyal", "previously_loyal"),
)
_NAMES = list(SEGMENTS)
_CODES = np.array([[_NAMES.index(name) for name in row] for row in GRID])
_PROSPECT = _NAMES.index("prospects")


def quintile(percentile: Floats) -> Integers:
    """int64[n] 1 to 5: the fifth of the reference distribution, lower ends included; NaN gives 1."""
    known = np.nan_to_num(percentile, nan=0.0)
    return np.clip(np.floor(known * 5).astype(np.int64) + 1, 1, 5)


def scores(recency: Floats, frequency: Floats, monetary: Floats) -> tuple[Integers, Integers, Integers]:
    """R, F and M of each customer from the percentiles of days since the last order, orders and spend.

    R = 6 - quintile, as a long time since the last order is bad.
    """
    return 6 - quintile(recency), quintile(frequency), quintile(monetary)


def segments(recency: Floats, frequency: Floats, monetary: Floats) -> pa.Array:
    """string[n]: the group of each customer; `prospects` where any percentile is NaN (no purchase)."""
    r, f, m = scores(recency, frequency, monetary)
    band = np.minimum((f + m) // 2, 4) - 1  # FM 1 to 5 in halves -> 0 to 3
    bought = ~(np.isnan(recency) | np.isnan(frequency) | np.isnan(monetary))
    codes = np.where(bought, _CODES[5 - r, band], _PROSPECT)
    return pa.array(_NAMES, pa.string()).take(pa.array(codes))
