"""RFM quintiles and the named groups over them: eleven, or eight.

Scores run from 1 to 5, 5 the best, and come from percentiles in the release's reference distribution: so one
customer online gets what the batch gives. The eleven groups are a total table over R and FM = (F + M) / 2; the
literature has no fixed table, so ours stands here in full. The eight are the halves of R, F and M (Hughes 1994,
Strategic Database Marketing; in Chinese practice 重要价值 to 一般挽留).
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

ELEVEN: dict[str, tuple[str, str]] = {
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

# In the order of 4 * (R high) + 2 * (F high) + (M high).
EIGHT: dict[str, tuple[str, str]] = {
    "low_value_lapsing": ("Ordinary, to retain", "一般挽留客户"),
    "high_value_lapsing": ("Important, to retain", "重要挽留客户"),
    "low_value_frequent_lapsing": ("Ordinary, to keep", "一般保持客户"),
    "high_value_frequent_lapsing": ("Important, to win back", "重要唤回客户"),
    "low_value_recent": ("Ordinary, to develop", "一般发展客户"),
    "high_value_recent": ("Important, to develop", "重要发展客户"),
    "low_value_frequent_recent": ("Ordinary, of value", "一般价值客户"),
    "high_value_frequent_recent": ("Important, of value", "重要价值客户"),
    "prospects": ("Prospects", "潜在客户"),
}


GROUPINGS = {"rfm_11": ELEVEN, "rfm_8": EIGHT}
"""A named way to group by R, F and M -> its groups."""
_CODES = np.array([[list(ELEVEN).index(name) for name in row] for row in GRID])


def quintile(percentile: Floats) -> Integers:
    """int64[n] 1 to 5: the fifth of the reference distribution, lower ends included; NaN gives 1."""
    known = np.where(np.isnan(percentile), 0.0, percentile)
    # 0 to 4 before the cast, which brings a positive number down to the whole one below it.
    return np.asarray(np.minimum(np.maximum(known, 0.0) * 5, 4.0).astype(np.int64) + 1)


def scores(recency: Floats, frequency: Floats, monetary: Floats) -> tuple[Integers, Integers, Integers]:
    """R, F and M of each customer from the percentiles of days since the last order, orders and spend.

    R = 6 - quintile, as a long time since the last order is bad.
    """
    return 6 - quintile(recency), quintile(frequency), quintile(monetary)


def bought(recency: Floats, frequency: Floats, monetary: Floats) -> npt.NDArray[np.bool_]:
    """bool[n]: whether all three ranks are known, so that there was a purchase."""
    return ~(np.isnan(recency) | np.isnan(frequency) | np.isnan(monetary))


def segments(recency: Floats, frequency: Floats, monetary: Floats, grouping: str = "rfm_11") -> pa.Array:
    """string[n]: the group of each customer; `prospects` where any percentile is NaN (no purchase)."""
    names = list(GROUPINGS[grouping])
    if grouping == "rfm_8":
        high = [recency < 0.5, frequency >= 0.5, monetary >= 0.5]
        found = 4 * high[0] + 2 * high[1] + 1 * high[2]
    else:
        r, f, m = scores(recency, frequency, monetary)
        found = _CODES[5 - r, np.minimum((f + m) // 2, 4) - 1]  # FM 1 to 5 in halves -> 0 to 3
    codes = np.where(bought(recency, frequency, monetary), found, names.index("prospects"))
    return pa.array(names, pa.string()).take(pa.array(codes))


def scores_of_one(
    recency: float | None, frequency: float | None, monetary: float | None
) -> tuple[float, float, float] | tuple[None, None, None]:
    """`scores` of one customer; None for all three where a rank is missing."""
    if recency is None or frequency is None or monetary is None:
        return None, None, None
    r, f, m = (float(int(min(max(rank, 0.0) * 5, 4.0)) + 1) for rank in (recency, frequency, monetary))
    return 6.0 - r, f, m


def segment_of_one(
    recency: float | None, frequency: float | None, monetary: float | None, grouping: str = "rfm_11"
) -> str:
    """`segments` of one customer; None for a missing rank."""
    if recency is None or frequency is None or monetary is None:
        return "prospects"
    if grouping == "rfm_8":
        return list(EIGHT)[4 * (recency < 0.5) + 2 * (frequency >= 0.5) + (monetary >= 0.5)]
    r, f, m = (int(score or 0) for score in scores_of_one(recency, frequency, monetary))
    return GRID[5 - r][min((f + m) // 2, 4) - 1]
