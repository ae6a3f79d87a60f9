"""The purchase family: counts and spend by window, gaps, own rhythm, refunds, habits.

Kernels over ragged arrays; every customer's segment is reduced by itself. Windows are [cutoff - w days,
cutoff) in exact microseconds; habits and gaps between purchase days use the shop's calendar.
"""

import numpy as np

from lifestage.block_rows import Purchases
from lifestage.history import Before
from lifestage.localtime import DAY, HOUR
from lifestage.ragged import Bools, Floats, Ints, at, keep_rows, segment_max, segment_min, segment_sum

WINDOWS = (7, 14, 30, 60, 90, 180, 365)
CHANGES = (30, 90)
SEASON_DAYS = 90
YEAR_DAYS = 365
Columns = dict[str, Floats]


def compute(view: Before) -> Columns:
    """One value per customer of every purchase feature, name -> float64[n]."""
    bought = view.purchases
    present = bought.counts > 0
    values = _values(bought, present)
    ages = _ages(view, bought, present)
    return {
        **_windows(bought, view.cutoff),
        **values,
        **ages,
        **_rhythm(bought, present, ages["days_since_last_order"]),
        **_refunds(view, values["spend_total"]),
        **_habits(bought, present),
    }


def _first_since(bought: Purchases, instant: int) -> Ints:
    """Row of each customer's first order with t >= instant (its end where there is none)."""
    seen = np.concatenate([[0], np.cumsum(bought.t >= instant)])
    first: Ints = bought.ends - (seen[bought.ends] - seen[bought.starts])
    return first


def _windows(bought: Purchases, cutoff: int) -> Columns:
    columns: Columns = {}
    firsts = {w: _first_since(bought, cutoff - w * DAY) for w in {*WINDOWS, *(2 * w for w in CHANGES)}}
    spends = {w: segment_sum(bought.amount, firsts[w], bought.ends) for w in WINDOWS}
    orders = {w: (bought.ends - firsts[w]).astype(np.float64) for w in firsts}
    columns |= {f"orders_{w}d": orders[w] for w in WINDOWS}
    columns |= {f"spend_{w}d": spends[w] for w in WINDOWS}
    for w in CHANGES:
        columns[f"orders_change_{w}d"] = 2 * orders[w] - orders[2 * w]
        columns[f"spend_change_{w}d"] = spends[w] - segment_sum(bought.amount, firsts[2 * w], firsts[w])
    start = cutoff - YEAR_DAYS * DAY
    season = _first_since(bought, start + SEASON_DAYS * DAY) - _first_since(bought, start)
    columns["orders_same_season"] = season.astype(np.float64)
    return columns


def _values(bought: Purchases, present: Bools) -> Columns:
    total = segment_sum(bought.amount, bought.starts, bought.ends)
    return {
        "order_count": bought.counts.astype(np.float64),
        "spend_total": total,
        "mean_order_value": _ratio(total, bought.counts, present),
        "last_order_value": at(bought.amount, bought.ends - 1, present),
        "max_order_value": segment_max(bought.amount, bought.starts, bought.ends),
        "first_order_value": at(bought.amount, bought.starts, present),
    }


def _ages(view: Before, bought: Purchases, present: Bools) -> Columns:
    last = (view.cutoff - at(bought.t, bought.ends - 1, present)) / DAY
    first = (view.cutoff - at(bought.t, bought.starts, present)) / DAY
    events = view.events
    seen = events.counts > 0
    first_event = (view.cutoff - at(events.t, events.starts, seen)) / DAY
    signed_up = (view.cutoff - view.signed_up_at) / DAY
    placed = view.placed
    first_placed = (view.cutoff - at(placed.t, placed.starts, placed.counts > 0)) / DAY
    contact = np.fmax(np.fmax(first_placed, first_event), signed_up)
    return {
        "days_since_last_order": last,
        "days_since_first_order": first,
        "days_since_first_contact": contact,
    }


def _rhythm(bought: Purchases, present: Bools, last_age: Floats) -> Columns:
    """Gaps between distinct local purchase days: orders on one day are one occasion of the habit."""
    new = np.ones(len(bought.day), np.bool_)
    new[1:] = bought.day[1:] != bought.day[:-1]
    new[bought.starts[present]] = True
    starts, ends = keep_rows(new, bought.starts, bought.ends)
    count = ends - starts
    gaps = np.diff(bought.day[new], prepend=0)
    first_gap = np.minimum(starts + 1, ends)  # the first day of a customer has no gap before it
    n_gaps = ends - first_gap
    repeat = n_gaps > 0
    mean = _ratio(segment_sum(gaps, first_gap, ends), n_gaps, repeat)
    squares = (gaps - np.repeat(mean, count)) ** 2
    longest = segment_max(gaps, first_gap, ends)
    return {
        "purchase_days": count.astype(np.float64),
        "mean_gap_days": mean,
        "std_gap_days": np.sqrt(_ratio(segment_sum(squares, first_gap, ends), n_gaps - 1, n_gaps > 1)),
        "min_gap_days": segment_min(gaps, first_gap, ends),
        "max_gap_days": longest,
        "last_gap_days": at(gaps, ends - 1, repeat),
        "recency_over_mean_gap": last_age / mean,  # a gap is at least one day: never zero
        "recency_over_max_gap": last_age / longest,
    }


def _ratio(numerator: Floats | Ints, denominator: Floats | Ints, defined: Bools) -> Floats:
    """numerator / denominator where `defined`, else NaN, float64[n]."""
    out = np.full(len(defined), np.nan)
    np.divide(numerator, denominator, out=out, where=defined)
    return out


def _refunds(view: Before, kept: Floats) -> Columns:
    refunds = view.refunds
    amounts = np.asarray(refunds.columns["amount"].to_numpy(zero_copy_only=False), np.float64)
    total = segment_sum(amounts, refunds.starts, refunds.ends)
    recent = refunds.counts - refunds.rows_before(view.cutoff - 90 * DAY)
    return {
        "refund_count": refunds.counts.astype(np.float64),
        "refund_count_90d": recent.astype(np.float64),
        "refund_total": total,
        "refund_share": _ratio(total, total + kept, total + kept > 0),
        "days_since_last_refund": (view.cutoff - at(refunds.t, refunds.ends - 1, refunds.counts > 0)) / DAY,
    }


def _habits(bought: Purchases, present: Bools) -> Columns:
    weekday = (bought.day + 3) % 7  # 1970-01-01 was a Thursday: Monday = 0
    weekend = segment_sum((weekday >= 5).astype(np.int64), bought.starts, bought.ends)
    hours = segment_sum((bought.local % DAY) / HOUR, bought.starts, bought.ends)
    return {
        "weekend_share": _ratio(weekend, bought.counts, present),
        "mean_order_hour": _ratio(hours, bought.counts, present),
    }
