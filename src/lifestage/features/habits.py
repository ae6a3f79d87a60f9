"""The purchase family's second half: regularity, order-size trend, time habits, breadth, discounts.

Category, channel and discount features are there where the shop's orders carry the column. Entropies are in
nats; their logarithms come one by one from `math.log`, so that no vector length changes a bit.
"""

import math

import numpy as np

from lifestage.block_rows import Purchases
from lifestage.features.feature import Feature
from lifestage.features.spec import FeatureSpec
from lifestage.history import Before
from lifestage.localtime import DAY, HOUR, local_days
from lifestage.ragged import FEW, Bools, Coded, Floats, Ints, at, segment_max, segment_sum

Columns = dict[str, Floats]
FAMILY = "purchases"
PARTS = {"night": 0, "morning": 6, "afternoon": 12, "evening": 18}
"""Local hour at which each quarter of the day begins."""
RECENT = 365


def describe(spec: FeatureSpec) -> list[Feature]:
    """The catalogue's entries, in the model's order."""
    rows: list[tuple[str, str, str, str, int | None]] = [
        (
            "gap_variation",
            "ratio",
            "standard deviation of the gaps over their mean; 0 = regular",
            "购买间隔变异系数",
            None,
        ),
        (
            "order_value_slope",
            "currency",
            "least-squares growth of net value from one order to the next; missing with one",
            "每单金额的变化趋势",
            None,
        ),
        (
            "last_over_mean_order_value",
            "ratio",
            "net value of the last order over the mean of all",
            "最近一单金额与平均金额之比",
            None,
        ),
        (
            "weekday_entropy",
            "nats",
            "entropy of the local weekdays of the orders; 0 = always the same",
            "下单星期分布熵",
            None,
        ),
        (
            "top_weekday_share",
            "ratio",
            "share of orders on the customer's most frequent weekday",
            "最常下单星期占比",
            None,
        ),
        *(
            (
                f"{part}_share",
                "ratio",
                f"share of orders from {hour} to {hour + 6} o'clock, local time",
                f"{hour}至{hour + 6}点下单占比",
                None,
            )
            for part, hour in PARTS.items()
        ),
        (
            "same_quarter_share",
            "ratio",
            "share of orders in the quarter of the year in which the cutoff lies",
            "与截止时刻同季度订单占比",
            None,
        ),
    ]
    if "category" in spec.order_columns:
        rows += [
            ("category_count", "categories", "distinct categories bought so far", "累计购买品类数", None),
            (
                f"category_count_{RECENT}d",
                "categories",
                f"distinct categories bought in the last {RECENT} days",
                f"最近{RECENT}天购买品类数",
                RECENT,
            ),
            (
                "category_entropy",
                "nats",
                "entropy of the categories of the orders; 0 = always the same",
                "购买品类分布熵",
                None,
            ),
            (
                "top_category_share",
                "ratio",
                "share of orders in the customer's most frequent category",
                "最常购买品类占比",
                None,
            ),
        ]
    if "channel" in spec.order_columns:
        rows += [
            ("channel_count", "channels", "distinct sales channels used so far", "累计使用渠道数", None),
            (
                "top_channel_share",
                "ratio",
                "share of orders through the customer's most frequent channel",
                "最常用渠道占比",
                None,
            ),
        ]
    if "discount" in spec.order_columns:
        rows += [
            ("discount_total", "currency", "discount granted so far", "累计折扣金额", None),
            (
                "discount_share",
                "ratio",
                "discount granted over discount and net value of the orders",
                "折扣占比",
                None,
            ),
            ("discounted_order_share", "ratio", "share of orders with a discount", "折扣订单占比", None),
        ]
    return [Feature(name, FAMILY, unit, en, zh, window) for name, unit, en, zh, window in rows]


def compute(view: Before, spec: FeatureSpec, basics: Columns) -> Columns:
    """One value per customer of every feature above; `basics` is what purchases.compute gave."""
    bought = view.purchases
    present = bought.counts > 0
    columns = {
        "gap_variation": basics["std_gap_days"] / basics["mean_gap_days"],
        **_trend(bought, present, basics),
        **_clock(bought, present, view),
    }
    if "category" in spec.order_columns:
        coded = bought.coded("category")
        recent = bought.t >= view.cutoff - RECENT * DAY
        counts, entropy, share = _breadth(bought.owner, coded, len(view))
        columns |= {
            "category_count": counts,
            f"category_count_{RECENT}d": _distinct(bought.owner[recent], coded.codes[recent], len(view)),
            "category_entropy": entropy,
            "top_category_share": share,
        }
    if "channel" in spec.order_columns:
        counts, _, share = _breadth(bought.owner, bought.coded("channel"), len(view))
        columns |= {"channel_count": counts, "top_channel_share": share}
    if "discount" in spec.order_columns:
        columns |= _discounts(bought)
    return columns


def _divide(above: Floats | Ints, below: Floats | Ints, defined: Bools) -> Floats:
    out = np.full(len(defined), np.nan)
    np.divide(above, below, out=out, where=defined)
    return out


def _trend(bought: Purchases, present: Bools, basics: Columns) -> Columns:
    """The slope of value on the order's number i = 0 ... k - 1: 12 sum((i - mean) v) / (k (k^2 - 1))."""
    k = bought.counts.astype(np.float64)
    nth = np.arange(len(bought.t)) - np.repeat(bought.starts, bought.counts)
    lever = (nth - np.repeat((k - 1) / 2, bought.counts)) * bought.amount
    mean = basics["mean_order_value"]
    return {
        "order_value_slope": _divide(
            12 * segment_sum(lever, bought.starts, bought.ends), k * (k * k - 1), bought.counts > 1
        ),
        "last_over_mean_order_value": _divide(basics["last_order_value"], mean, present & (mean > 0)),
    }


def _clock(bought: Purchases, present: Bools, view: Before) -> Columns:
    n = len(view)
    weekday = (bought.day + 3) % 7  # 1970-01-01 was a Thursday: Monday = 0
    grid = np.bincount(bought.owner * 7 + weekday, minlength=7 * n).reshape(n, 7)
    entropy = _entropy(_c_log_c(grid.reshape(-1)).reshape(n, 7), bought.counts)
    part = (bought.local % DAY) // (6 * HOUR)
    parts = np.bincount(bought.owner * 4 + part, minlength=4 * n).reshape(n, 4)
    today = local_days(np.array([view.cutoff]), view.zone)
    same = (_quarter(bought.day) == _quarter(today)[0]).astype(np.int64)
    return {
        "weekday_entropy": entropy,
        "top_weekday_share": _divide(grid.max(axis=1), bought.counts, present),
        **{f"{name}_share": _divide(parts[:, i], bought.counts, present) for i, name in enumerate(PARTS)},
        "same_quarter_share": _divide(segment_sum(same, bought.starts, bought.ends), bought.counts, present),
    }


def _quarter(day: Ints) -> Ints:
    """Quarter of the year, 0 to 3, of a day number."""
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    quarter: Ints = month % 12 // 3
    return quarter


def _c_log_c(counts: Ints) -> Floats:
    """c log c of each count, 0 for 0."""
    if len(counts) <= FEW:
        return np.array([c * math.log(c) if c else 0.0 for c in counts.tolist()], np.float64)
    distinct, which = np.unique(counts, return_inverse=True)
    return np.array([c * math.log(c) if c else 0.0 for c in distinct.tolist()], np.float64)[which]


def _entropy(c_log_c: Floats, total: Ints) -> Floats:
    """log N - sum(c log c) / N of the rows of a grid, NaN where N is 0; never below 0 by rounding."""
    inner = np.zeros(len(total))
    for column in c_log_c.T:  # one after the other: the order of the sum is fixed
        inner += column
    return _one_entropy(inner, total)


def _one_entropy(inner: Floats, total: Ints) -> Floats:
    whole = _divide(_c_log_c(total), total, total > 0)  # N log N / N
    return np.maximum(whole - _divide(inner, total, total > 0), 0.0)


def _distinct(owner: Ints, codes: Ints, n: int) -> Floats:
    """Distinct texts of each customer's rows."""
    known = codes >= 0
    size = int(codes.max(initial=0)) + 1
    cells = np.unique(owner[known] * size + codes[known])
    return np.bincount(cells // size, minlength=n).astype(np.float64)


def _breadth(owner: Ints, coded: Coded, n: int) -> tuple[Floats, Floats, Floats]:
    """Distinct texts, their entropy, and the share of the most frequent, of each customer's rows with a text."""
    known = coded.codes >= 0
    size = max(coded.size, 1)
    cells, counts = np.unique(owner[known] * size + coded.codes[known], return_counts=True)
    # Within a customer the largest counts come first: the sum's order must not hang on the levels' numbers.
    of = cells // size
    order = np.lexsort((-counts, of))
    of, counts = of[order], counts[order]
    ends = np.searchsorted(of, np.arange(n), side="right")
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64) if n else ends
    total = segment_sum(counts, starts, ends).astype(np.int64)
    entropy = _one_entropy(segment_sum(_c_log_c(counts), starts, ends), total)
    top = _divide(segment_max(counts, starts, ends), total, total > 0)
    return (ends - starts).astype(np.float64), entropy, top


def _discounts(bought: Purchases) -> Columns:
    """Over the orders whose discount is known; missing for who has none such."""
    known = ~np.isnan(bought.discount)
    given = np.where(known, bought.discount, 0.0)
    starts, ends = bought.starts, bought.ends
    total = segment_sum(given, starts, ends)
    paid = segment_sum(np.where(known, bought.amount, 0.0), starts, ends)
    orders = segment_sum(known.astype(np.int64), starts, ends)
    some = segment_sum((given > 0).astype(np.int64), starts, ends)
    has = orders > 0
    return {
        "discount_total": at(total, np.arange(len(total)), has),
        "discount_share": _divide(total, total + paid, has & (total + paid > 0)),
        "discounted_order_share": _divide(some, orders, has),
    }
