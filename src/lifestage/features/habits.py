"""The purchase family's second half: regularity, order-size trend, time habits, breadth, discounts.

Category, channel and discount features are there where the shop's orders carry the column. Entropies are in
nats; their logarithms come one by one from `math.log`, so that no vector length changes a bit.
"""

import math
from functools import lru_cache

import numpy as np

from lifestage.block_rows import Purchases
from lifestage.features.feature import Feature
from lifestage.features.spec import FeatureSpec
from lifestage.history import Before
from lifestage.localtime import DAY, HOUR, local_days
from lifestage.ragged import Bools, Coded, Floats, Ints, Segments, at, ratio

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
    present = bought.present
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
            f"category_count_{RECENT}d": _distinct(bought.owner, coded, recent, len(view)),
            "category_entropy": entropy,
            "top_category_share": share,
        }
    if "channel" in spec.order_columns:
        counts, _, share = _breadth(bought.owner, bought.coded("channel"), len(view))
        columns |= {"channel_count": counts, "top_channel_share": share}
    if "discount" in spec.order_columns:
        columns |= _discounts(bought)
    return columns


def _trend(bought: Purchases, present: Bools, basics: Columns) -> Columns:
    """The slope of value on the order's number i = 0 ... k - 1: 12 sum((i - mean) v) / (k (k^2 - 1))."""
    k = bought.counts.astype(np.float64)
    nth = np.arange(len(bought.t)) - bought.starts.repeat(bought.counts)
    lever = (nth - ((k - 1) / 2).repeat(bought.counts)) * bought.amount
    mean = basics["mean_order_value"]
    return {
        "order_value_slope": ratio(12 * bought.segments.sum(lever), k * (k * k - 1), bought.counts > 1),
        "last_over_mean_order_value": ratio(basics["last_order_value"], mean, present & (mean > 0)),
    }


def _clock(bought: Purchases, present: Bools, view: Before) -> Columns:
    n, counts = len(view), bought.counts
    part = bought.clock // (6 * HOUR)
    parts = np.bincount(part * n + bought.owner, minlength=4 * n).reshape(4, n)
    today = local_days(np.array([view.cutoff]), view.zone)
    same = np.bincount(bought.owner[_quarters(bought.day) == _quarter(today)[0]], minlength=n)
    return {
        "weekday_entropy": _entropy(_c_log_c(bought.weekdays), counts),
        "top_weekday_share": ratio(bought.weekdays.max(axis=0), counts, present),
        **{f"{name}_share": share for name, share in zip(PARTS, ratio(parts, counts, present), strict=True)},
        "same_quarter_share": ratio(same, counts, present),
    }


def _quarter(day: Ints) -> Ints:
    """Quarter of the year, 0 to 3, of a day number."""
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    quarter: Ints = month % 12 // 3
    return quarter


def _quarters(day: Ints) -> Ints:
    """The same; of many rows by a table of the days that they span, as the calendar is slow."""
    if not len(day) or (span := int(day.max()) - (first := int(day.min()))) > len(day):
        return _quarter(day)
    return _quarter(np.arange(first, first + span + 1))[day - first]


TABLED = 4096


@lru_cache(maxsize=1)
def _table() -> Floats:
    return np.array([_one_c_log_c(c) for c in range(TABLED)])


def _one_c_log_c(count: int) -> float:
    return count * math.log(count) if count else 0.0


def _c_log_c(counts: Ints) -> Floats:
    """c log c of each count, 0 for 0."""
    if counts.max(initial=0) < TABLED:
        return _table()[counts]
    distinct, which = np.unique(counts, return_inverse=True)
    return np.array([_one_c_log_c(c) for c in distinct.tolist()])[which].reshape(counts.shape)


def _entropy(c_log_c: Floats, total: Ints) -> Floats:
    """log N - sum(c log c) / N of the columns of a grid, NaN where N is 0; never below 0 by rounding."""
    inner = np.zeros(len(total))
    for row in c_log_c:  # one after the other: the order of the sum is fixed
        inner += row
    return _one_entropy(inner, total)


def _one_entropy(inner: Floats, total: Ints) -> Floats:
    whole = ratio(_c_log_c(total), total, total > 0)  # N log N / N
    return np.maximum(whole - ratio(inner, total, total > 0), 0.0)


def _grid(owner: Ints, codes: Ints, size: int, n: int) -> Ints | None:
    """Rows of each customer with each text, int64[n, size]; None where that would be far larger than the rows."""
    if n * size > 16 * len(owner) + 4096:
        return None
    return np.bincount(owner * size + codes, minlength=n * size).reshape(n, size)


def _distinct(owner: Ints, coded: Coded, picked: Bools, n: int) -> Floats:
    """Distinct texts of each customer's rows among those picked."""
    rows, size = (picked & (coded.codes >= 0)).nonzero()[0], coded.size
    owner, codes = owner[rows], coded.codes[rows]
    if (grid := _grid(owner, codes, size, n)) is not None:
        return np.count_nonzero(grid, axis=1).astype(np.float64)
    return np.bincount(np.unique(owner * size + codes) // size, minlength=n).astype(np.float64)


def _breadth(owner: Ints, coded: Coded, n: int) -> tuple[Floats, Floats, Floats]:
    """Distinct texts, their entropy, and the share of the most frequent, of each customer's rows with a text."""
    codes, size = coded.codes, coded.size
    if codes.min(initial=0) < 0:
        known = (codes >= 0).nonzero()[0]
        owner, codes = owner[known], codes[known]
    # Within a customer the largest counts come first: the sum's order must not hang on the levels' numbers.
    if (grid := _grid(owner, codes, size, n)) is not None:
        grid.sort(axis=1)
        there = grid > 0
        per, counts = np.add.reduce(there, axis=1), grid[:, ::-1][there[:, ::-1]]
    else:
        cells, counts = np.unique(owner * size + codes, return_counts=True)
        of = cells // size
        counts = counts[np.lexsort((-counts, of))]
        per = np.bincount(of, minlength=n)
    ends = per.cumsum()
    starts = ends - per
    total = np.bincount(owner, minlength=n)
    entropy = _one_entropy(Segments(starts, ends).sum(_c_log_c(counts)), total)
    top = ratio(at(counts, starts, per > 0), total, per > 0)
    return per.astype(np.float64), entropy, top


def _discounts(bought: Purchases) -> Columns:
    """Over the orders whose discount is known; missing for who has none such."""
    known = ~np.isnan(bought.discount)
    columns = np.empty((4, len(known)))
    given = columns[0]
    given[:] = np.where(known, bought.discount, 0.0)
    columns[1] = np.where(known, bought.amount, 0.0)
    columns[2] = known
    columns[3] = given > 0
    total, paid, orders, some = bought.segments.sum(columns)
    has = orders > 0
    return {
        "discount_total": np.where(has, total, np.nan),
        "discount_share": ratio(total, total + paid, has & (total + paid > 0)),
        "discounted_order_share": ratio(some, orders, has),
    }
