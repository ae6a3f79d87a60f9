"""The purchase habits of one customer by slow, plain Python; shares no code with the library.

`kept` are the occasions known at the cutoff: (instant, cents, category, channel, discount in cents or None).
"""

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from math import log, nan, sqrt
from typing import Any
from zoneinfo import ZoneInfo

US_PER_DAY = 86_400_000_000
Order = tuple[int, int, str | None, str | None, int | None]


def local(t: int, zone: str) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=t)).astimezone(ZoneInfo(zone))


def entropy(values: list[Any]) -> float:
    if not values:
        return nan
    shares = [count / len(values) for count in Counter(values).values()]
    return -sum(p * log(p) for p in shares)


def share_of_top(values: list[Any]) -> float:
    return max(Counter(values).values()) / len(values) if values else nan


def slope(values: list[float]) -> float:
    k = len(values)
    if k < 2:
        return nan
    mean_i, mean_v = (k - 1) / 2, sum(values) / k
    above = sum((i - mean_i) * (v - mean_v) for i, v in enumerate(values))
    return above / sum((i - mean_i) ** 2 for i in range(k))


def features(kept: list[Order], cutoff: int, zone: str) -> dict[str, float]:
    clocks = [local(order[0], zone) for order in kept]
    values = [order[1] / 100 for order in kept]
    days = sorted({clock.date() for clock in clocks})
    gaps = [(later - earlier).days for earlier, later in itertools.pairwise(days)]
    mean = sum(values) / len(values) if values else nan
    n = len(kept)

    def share(flags: list[bool]) -> float:
        return sum(flags) / n if n else nan

    variation = nan
    if len(gaps) > 1:
        centre = sum(gaps) / len(gaps)
        variation = sqrt(sum((g - centre) ** 2 for g in gaps) / (len(gaps) - 1)) / centre
    today = local(cutoff, zone)
    out = {
        "gap_variation": variation,
        "order_value_slope": slope(values),
        "last_over_mean_order_value": values[-1] / mean if n and mean > 0 else nan,
        "weekday_entropy": entropy([clock.weekday() for clock in clocks]),
        "top_weekday_share": share_of_top([clock.weekday() for clock in clocks]),
        "night_share": share([clock.hour < 6 for clock in clocks]),
        "morning_share": share([6 <= clock.hour < 12 for clock in clocks]),
        "afternoon_share": share([12 <= clock.hour < 18 for clock in clocks]),
        "evening_share": share([clock.hour >= 18 for clock in clocks]),
        "same_quarter_share": share([(c.month - 1) // 3 == (today.month - 1) // 3 for c in clocks]),
    }
    categories = [o[2] for o in kept if o[2] is not None]
    channels = [o[3] for o in kept if o[3] is not None]
    known = [o for o in kept if o[4] is not None]
    granted, paid = sum(o[4] or 0 for o in known), sum(o[1] for o in known)
    out |= {
        "category_count": len(set(categories)),
        "category_count_365d": len(
            {o[2] for o in kept if o[2] is not None and cutoff - o[0] <= 365 * US_PER_DAY}
        ),
        "category_entropy": entropy(categories),
        "top_category_share": share_of_top(categories),
        "channel_count": len(set(channels)),
        "top_channel_share": share_of_top(channels),
        "discount_total": granted / 100 if known else nan,
        "discount_share": granted / (granted + paid) if granted + paid else nan,
        "discounted_order_share": sum((o[4] or 0) > 0 for o in known) / len(known) if known else nan,
    }
    return out
