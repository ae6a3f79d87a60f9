"""The purchase family: counts and spend by window, gaps, own rhythm, refunds, habits.

Kernels over ragged arrays; every customer's segment is reduced by itself. Windows are [cutoff - w days,
cutoff) in exact microseconds; habits and gaps between purchase days use the shop's calendar.
"""

import numpy as np

from lifestage.block_rows import Purchases
from lifestage.features.windows import Windows
from lifestage.history import Before
from lifestage.localtime import DAY, HOUR
from lifestage.ragged import Bools, Floats, Segments, at, keep_rows, ratio, segment_sum, window_sums

WINDOWS = (7, 14, 30, 60, 90, 180, 365)
CHANGES = (30, 90)
YEAR_DAYS = 365
SEASON_END_DAYS = YEAR_DAYS - 90
Columns = dict[str, Floats]


def compute(view: Before) -> Columns:
    """One value per customer of every purchase feature, name -> float64[n]."""
    bought = view.purchases
    present = bought.present
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


DAYS = tuple(sorted({*WINDOWS, *(2 * w for w in CHANGES), SEASON_END_DAYS}))
# Segments of the sums, (begin, end) in days before the cutoff: from the widest window to the narrowest, so that
# nearly nothing lies between one and the next.
SPENDS = tuple(sorted([(w, 0) for w in WINDOWS] + [(2 * w, w) for w in CHANGES], reverse=True))


def _windows(bought: Purchases, cutoff: int) -> Columns:
    rows = Windows(bought.owner, bought.t, len(bought.starts), cutoff, DAYS).rows()
    orders = dict(zip(DAYS, rows.astype(np.float64), strict=False))
    columns: Columns = {f"orders_{w}d": orders[w] for w in WINDOWS}
    rows[-1] = (
        0  # from here on rows[i] is how far before its end a customer's window i begins, at last 0 days
    )
    place = {days: i for i, days in enumerate((*DAYS, 0))}
    first = (bought.ends - rows).T
    starts, ends = (first[:, [place[days] for days in side]] for side in zip(*SPENDS, strict=True))
    spends = dict(zip(SPENDS, window_sums(bought.amount, starts, ends).T, strict=True))
    columns |= {f"spend_{w}d": spends[w, 0].copy() for w in WINDOWS}
    for w in CHANGES:
        columns[f"orders_change_{w}d"] = 2 * orders[w] - orders[2 * w]
        columns[f"spend_change_{w}d"] = spends[w, 0] - spends[2 * w, w]
    columns["orders_same_season"] = orders[YEAR_DAYS] - orders[SEASON_END_DAYS]
    return columns


def _values(bought: Purchases, present: Bools) -> Columns:
    total = bought.segments.sum(bought.amount)
    return {
        "order_count": bought.counts.astype(np.float64),
        "spend_total": total,
        "mean_order_value": ratio(total, bought.counts, present),
        "last_order_value": at(bought.amount, bought.ends - 1, present),
        "max_order_value": bought.segments.max(bought.amount),
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
    np.not_equal(bought.day[1:], bought.day[:-1], out=new[1:])
    new[bought.starts[present]] = True
    starts, ends = keep_rows(new, bought.starts, bought.ends)
    days = bought.day[new]
    count = ends - starts
    gaps = np.zeros(len(days))
    np.subtract(days[1:], days[:-1], out=gaps[1:])
    first_gap = np.minimum(starts + 1, ends)  # the first day of a customer has no gap before it
    n_gaps = ends - first_gap
    repeat = n_gaps > 0
    segments = Segments(first_gap, ends)
    mean = ratio(segments.sum(gaps), n_gaps, repeat)
    squares = (gaps - mean.repeat(count)) ** 2
    longest = segments.max(gaps)
    return {
        "purchase_days": count.astype(np.float64),
        "mean_gap_days": mean,
        "std_gap_days": np.sqrt(ratio(segments.sum(squares), n_gaps - 1, n_gaps > 1)),
        "min_gap_days": segments.min(gaps),
        "max_gap_days": longest,
        "last_gap_days": at(gaps, ends - 1, repeat),
        "recency_over_mean_gap": last_age / mean,  # a gap is at least one day: never zero
        "recency_over_max_gap": last_age / longest,
    }


def _refunds(view: Before, kept: Floats) -> Columns:
    refunds = view.refunds
    amounts = np.asarray(refunds.columns["amount"].to_numpy(zero_copy_only=False), np.float64)
    total = segment_sum(amounts, refunds.starts, refunds.ends)
    recent = refunds.counts - refunds.rows_before(view.cutoff - 90 * DAY)
    return {
        "refund_count": refunds.counts.astype(np.float64),
        "refund_count_90d": recent.astype(np.float64),
        "refund_total": total,
        "refund_share": ratio(total, total + kept, total + kept > 0),
        "days_since_last_refund": (view.cutoff - at(refunds.t, refunds.ends - 1, refunds.counts > 0)) / DAY,
    }


def _habits(bought: Purchases, present: Bools) -> Columns:
    weekend = bought.weekdays[5] + bought.weekdays[6]
    hours = bought.segments.sum(bought.clock / HOUR)
    return {
        "weekend_share": ratio(weekend, bought.counts, present),
        "mean_order_hour": ratio(hours, bought.counts, present),
    }
