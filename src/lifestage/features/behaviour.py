"""The behaviour family: what a customer's events tell, in all and by the types learnt at training.

Windows are [cutoff - w days, cutoff); active days are the shop's local days with an event. A session is a
distinct session_id; events without one belong to one session until a pause of more than 30 minutes. A session
or an active day lies in a window if its last event does.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from lifestage.block_rows import Known
from lifestage.features.feature import Feature
from lifestage.features.spec import FeatureSpec, slugs
from lifestage.features.windows import Windows
from lifestage.history import Before
from lifestage.localtime import DAY, HOUR
from lifestage.ragged import Bools, Floats, Segments, at, missing, places, ratio

Columns = dict[str, Floats]
FAMILY = "behaviour"
TOTALS = (7, 30, 90, 365)
OWN = (7, 30, 90)
"""Windows of each type's own columns."""
CHANGES = (30, 90)
PAUSE = HOUR // 2
STREAK_DAYS = 14
FUNNEL = (30, 90)


def describe(spec: FeatureSpec) -> list[Feature]:
    """The catalogue's entries, in the model's order; none without events."""
    if not spec.behaviour:
        return []
    found: list[tuple[str, str, str, str, int | None]] = [
        ("event_count", "events", "events so far", "累计行为事件数", None),
        *((f"events_{w}d", "events", f"events in the last {w} days", f"最近{w}天事件数", w) for w in TOTALS),
        *(_change("events", "events", "事件数", w) for w in CHANGES),
        ("active_days", "days", "distinct local days with an event", "累计活跃天数", None),
        *(
            (f"active_days_{w}d", "days", f"days with an event in the last {w} days", f"最近{w}天活跃天数", w)
            for w in TOTALS
        ),
        *(_change("active_days", "days", "活跃天数", w) for w in CHANGES),
        ("session_count", "sessions", "sessions so far", "累计会话数", None),
        *(
            (f"sessions_{w}d", "sessions", f"sessions in the last {w} days", f"最近{w}天会话数", w)
            for w in OWN
        ),
        ("events_per_session", "ratio", "events over sessions, all so far", "每次会话事件数", None),
        ("days_since_last_event", "days", "time since the last event", "距最近一次行为天数", None),
        ("days_since_first_event", "days", "time since the first event", "距首次行为天数", None),
        ("event_type_count", "types", "learnt event types used so far", "累计使用行为类型数", None),
        ("event_types_90d", "types", "learnt event types used in the last 90 days", "最近90天行为类型数", 90),
        (
            "mean_inactive_days",
            "days",
            "mean gap between days with an event; missing with one",
            "平均活跃间隔",
            None,
        ),
        ("max_inactive_days", "days", "longest gap between days with an event", "最长活跃间隔", None),
        (
            "inactive_over_max",
            "ratio",
            "time since the last event over the longest gap",
            "当前沉默与最长活跃间隔之比",
            None,
        ),
        (
            "inactive_streaks_365d",
            "streaks",
            f"gaps of {STREAK_DAYS} days or more between active days that ended in the last 365 days",
            f"最近365天内结束的{STREAK_DAYS}天以上沉默次数",
            365,
        ),
    ]
    for kind, slug in slugs(spec.event_types).items():
        found += [
            (
                f"event_{slug}_{w}d",
                "events",
                f"events '{kind}' in the last {w} days",
                f"最近{w}天“{kind}”次数",
                w,
            )
            for w in OWN
        ]
        found.append(
            (
                f"event_{slug}_change_30d",
                "events",
                f"events '{kind}' in the last 30 days less those of the 30 before",
                f"最近30天“{kind}”次数较前30天的变化",
                60,
            )
        )
        found.append(
            (
                f"days_since_event_{slug}",
                "days",
                f"time since the last event '{kind}'",
                f"距最近一次“{kind}”天数",
                None,
            )
        )
    if spec.funnel:
        steps = " > ".join(spec.funnel)
        found += [
            (
                f"funnel_step_{w}d",
                "step",
                f"furthest step of the funnel {steps} with an event in the last {w} days; 0 = none",
                f"最近{w}天到达的漏斗最远步骤",
                w,
            )
            for w in FUNNEL
        ]
    return [Feature(name, FAMILY, unit, en, zh, window) for name, unit, en, zh, window in found]


def _change(name: str, unit: str, zh: str, w: int) -> tuple[str, str, str, str, int]:
    what = {"events": "events", "active_days": "days with an event"}[name]
    return (
        f"{name}_change_{w}d",
        unit,
        f"{what} in the last {w} days less those of the {w} before",
        f"最近{w}天{zh}较前{w}天的变化",
        2 * w,
    )


def compute(view: Before, spec: FeatureSpec) -> Columns:
    """One value per customer of every feature above, name -> float64[n]."""
    if not spec.behaviour:
        return {}
    n, events = len(view), view.rows("events")
    windows = Windows(events.owner, events.t, n, view.cutoff, sorted({*TOTALS, *(2 * w for w in CHANGES)}))
    counts = np.bincount(events.owner, minlength=n)
    ends = np.cumsum(counts)
    starts = ends - counts
    present = counts > 0
    last = (view.cutoff - at(events.t, ends - 1, present)) / DAY
    columns: Columns = {}
    totals = windows.counts()
    columns |= {"event_count": totals[None], **{f"events_{w}d": totals[w] for w in TOTALS}}
    columns |= {f"events_change_{w}d": 2 * totals[w] - totals[2 * w] for w in CHANGES}
    columns |= _active(view, events, windows, last)
    sessions = windows.counts(_session_ends(events))
    columns |= {"session_count": sessions[None], **{f"sessions_{w}d": sessions[w] for w in OWN}}
    columns["events_per_session"] = ratio(totals[None], sessions[None], present)
    columns["days_since_last_event"] = last
    columns["days_since_first_event"] = (view.cutoff - at(events.t, starts, present)) / DAY
    columns |= _types(view, events, windows, spec)
    return columns


def _active(view: Before, events: Known, windows: Windows, last: Floats) -> Columns:
    """Days with an event, and the gaps between them."""
    day, owner = events.day, events.owner
    n = len(view)
    closes = np.empty(len(day), np.bool_)  # the last event of a customer's day
    closes[-1:] = True
    np.not_equal(day[1:], day[:-1], out=closes[:-1])
    closes[:-1] |= owner[1:] != owner[:-1]
    active = windows.counts(closes)
    last_rows = closes.nonzero()[0]
    days, of = day[last_rows], owner[last_rows]
    opens = np.zeros(len(days), np.int64)  # the first event of each of these days
    opens[1:] = last_rows[:-1] + 1
    gaps = np.zeros(len(days))
    np.subtract(days[1:], days[:-1], out=gaps[1:])
    count = active[None].astype(np.int64)
    ends = count.cumsum()
    starts = ends - count
    first_gap = np.minimum(starts + 1, ends)
    n_gaps = ends - first_gap
    segments = Segments(first_gap, ends)
    longest = segments.max(gaps)
    gaps[starts[ends > starts]] = 0.0  # not a gap: a customer's first active day
    streaks = (gaps >= STREAK_DAYS).nonzero()[0]
    streaks = streaks[events.t[opens[streaks]] >= view.cutoff - 365 * DAY]
    return {
        "active_days": active[None],
        **{f"active_days_{w}d": active[w] for w in TOTALS},
        **{f"active_days_change_{w}d": 2 * active[w] - active[2 * w] for w in CHANGES},
        "mean_inactive_days": ratio(segments.sum(gaps), n_gaps, n_gaps > 0),
        "max_inactive_days": longest,
        "inactive_over_max": last / longest,  # a gap is at least one day: never zero
        "inactive_streaks_365d": np.bincount(of[streaks], minlength=n).astype(np.float64),
    }


def _session_ends(events: Known) -> Bools:
    """The last known event of each session."""
    ends = events.last_same("session_id")
    alone = events.own_codes("session_id") < 0
    if alone.any():
        paused = (alone & ~ends).nonzero()[0]
        ends[paused] = events.until_next_same("session_id", paused) > PAUSE
    return ends


@lru_cache(maxsize=32)
def _named(types: tuple[str, ...]) -> Mapping[str, str]:
    return slugs(types)


def _types(view: Before, events: Known, windows: Windows, spec: FeatureSpec) -> Columns:
    """Columns of each learnt type, and the furthest step of the funnel."""
    size, learnt = len(spec.event_types), _named(spec.event_types)
    # The learnt types, then what else is a step of the funnel, then any other.
    kinds = tuple(dict.fromkeys((*spec.event_types, *spec.funnel)))
    code = places(events.codes("event_type"), kinds, len(kinds))
    counts = windows.counts_by(code, len(kinds) + 1)
    last = missing((len(kinds) + 1, len(view)))
    last[code, events.owner] = events.t  # rows are in order of time: of several the last one stays
    ages = (view.cutoff - last) / DAY
    change = 2 * counts[30] - counts[60]
    columns = {
        "event_type_count": np.add.reduce(counts[None][:size] > 0, axis=0, dtype=np.float64),
        "event_types_90d": np.add.reduce(counts[90][:size] > 0, axis=0, dtype=np.float64),
    }
    for i, slug in enumerate(learnt.values()):
        columns |= {f"event_{slug}_{w}d": counts[w][i] for w in OWN}
        columns[f"event_{slug}_change_30d"] = change[i]
        columns[f"days_since_event_{slug}"] = ages[i]
    if spec.funnel:
        steps = [kinds.index(step) for step in spec.funnel]
        number = np.arange(1.0, len(steps) + 1)[:, None]
        columns |= {f"funnel_step_{w}d": np.maximum.reduce((counts[w][steps] > 0) * number) for w in FUNNEL}
    return columns
