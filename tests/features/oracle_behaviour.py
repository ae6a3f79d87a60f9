"""The behaviour family of one customer by slow, plain Python; shares no code with the library.

`events` are (instant, type, session_id or None) in order of time.
"""

import itertools
from datetime import UTC, datetime, timedelta
from math import nan
from zoneinfo import ZoneInfo

US_PER_DAY = 86_400_000_000
Event = tuple[int, str, str | None]


def sessions(events: list[Event]) -> list[int]:
    """The instant of each session's last event."""
    last_of: dict[str, int] = {}
    pauses: list[int] = []
    for t, _, session in events:
        if session is not None:
            last_of[session] = t
        elif pauses and t - pauses[-1] <= 30 * 60 * 1_000_000:
            pauses[-1] = t
        else:
            pauses.append(t)
    return [*last_of.values(), *pauses]


def features(
    rows: list[Event], cutoff: int, zone: str, types: dict[str, str], funnel: list[str]
) -> dict[str, float]:
    """`types`: event type -> the part of the column's name."""
    events = [e for e in rows if e[0] < cutoff]

    def within(instants: list[int], newest: float, oldest: float) -> int:
        return sum(newest * US_PER_DAY < cutoff - t <= oldest * US_PER_DAY for t in instants)

    def age(instants: list[int]) -> float:
        return (cutoff - max(instants)) / US_PER_DAY if instants else nan

    times = [e[0] for e in events]
    by_day: dict[object, list[int]] = {}
    for t in times:
        moment = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=t)).astimezone(ZoneInfo(zone))
        by_day.setdefault(moment.date(), []).append(t)
    days = sorted(by_day)
    last_of_days = [max(by_day[day]) for day in days]
    gaps = [(b - a).days for a, b in itertools.pairwise(days)]
    ended = sessions(events)

    out: dict[str, float] = {"event_count": len(events)}
    for w in (7, 30, 90, 365):
        out[f"events_{w}d"] = within(times, -1, w)
        out[f"active_days_{w}d"] = within(last_of_days, -1, w)
    for w in (30, 90):
        out[f"events_change_{w}d"] = within(times, -1, w) - within(times, w, 2 * w)
        out[f"active_days_change_{w}d"] = within(last_of_days, -1, w) - within(last_of_days, w, 2 * w)
    out["active_days"] = len(days)
    out["session_count"] = len(ended)
    for w in (7, 30, 90):
        out[f"sessions_{w}d"] = within(ended, -1, w)
    out["events_per_session"] = len(events) / len(ended) if ended else nan
    out["days_since_last_event"] = age(times)
    out["days_since_first_event"] = (cutoff - min(times)) / US_PER_DAY if times else nan
    out["event_type_count"] = len({e[1] for e in events} & set(types))
    out["event_types_90d"] = len({e[1] for e in events if cutoff - e[0] <= 90 * US_PER_DAY and e[1] in types})
    out["mean_inactive_days"] = sum(gaps) / len(gaps) if gaps else nan
    out["max_inactive_days"] = max(gaps) if gaps else nan
    out["inactive_over_max"] = age(times) / max(gaps) if gaps else nan
    out["inactive_streaks_365d"] = sum(
        gap >= 14 and cutoff - min(by_day[day]) <= 365 * US_PER_DAY
        for gap, day in zip(gaps, days[1:], strict=True)
    )
    for kind, part in types.items():
        own = [e[0] for e in events if e[1] == kind]
        for w in (7, 30, 90):
            out[f"event_{part}_{w}d"] = within(own, -1, w)
        out[f"event_{part}_change_30d"] = within(own, -1, 30) - within(own, 30, 60)
        out[f"days_since_event_{part}"] = age(own)
    for w in (30, 90) if funnel else ():
        recent = {e[1] for e in events if cutoff - e[0] <= w * US_PER_DAY}
        out[f"funnel_step_{w}d"] = max((i for i, s in enumerate(funnel, 1) if s in recent), default=0)
    return out
