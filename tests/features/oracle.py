"""Every catalogue feature of one customer by slow, exact plain Python; shares no code with the library.

Amounts are whole cents (int), instants UTC microseconds (int): sums and refunds are exact.
"""

import itertools
from datetime import UTC, datetime, timedelta
from math import nan, sqrt
from zoneinfo import ZoneInfo

US_PER_DAY = 86_400_000_000
Purchase = tuple[int, int]
Refund = tuple[int, int, int | None]


def local(t: int, zone: str) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=t)).astimezone(ZoneInfo(zone))


def take_back(purchases: list[Purchase], refunds: list[Refund], until: int) -> list[int]:
    """Cents that each purchase still holds once the refunds before `until` are taken back."""
    left = [amount for _, amount in purchases]
    for when, size, order in refunds:
        if when >= until:
            continue
        named = order is not None and order <= when
        for row in reversed(range(len(purchases))):
            bought = purchases[row][0]
            if bought <= when and (not named or bought == order):
                part = min(size, left[row])
                left[row] -= part
                size -= part  # noqa: PLW2901
    return left


def occasions(purchases: list[Purchase], refunds: list[Refund], until: int) -> list[Purchase]:
    """(instant, cents kept) of the purchases before `until` that are not fully refunded by then."""
    known = [p for p in purchases if p[0] < until]
    left = take_back(known, refunds, until)
    return [(t, kept) for (t, gross), kept in zip(known, left, strict=True) if kept > 0 or gross == 0]


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else nan


def features(
    purchases: list[Purchase],
    refunds: list[Refund],
    events: list[int],
    signed_up_at: int | None,
    cutoff: int,
    zone: str,
) -> dict[str, float]:
    kept = occasions(purchases, refunds, cutoff)
    given_back = [r for r in refunds if r[0] < cutoff]

    def within(newest_days: float, oldest_days: float) -> list[Purchase]:
        return [p for p in kept if newest_days * US_PER_DAY < cutoff - p[0] <= oldest_days * US_PER_DAY]

    def currency(rows: list[Purchase]) -> float:
        return sum(cents for _, cents in rows) / 100

    def age(t: int) -> float:
        return (cutoff - t) / US_PER_DAY

    out: dict[str, float] = {}
    for w in (7, 14, 30, 60, 90, 180, 365):
        recent = within(-1, w)
        out[f"orders_{w}d"] = len(recent)
        out[f"spend_{w}d"] = currency(recent)
    for w in (30, 90):
        recent, earlier = within(-1, w), within(w, 2 * w)
        out[f"orders_change_{w}d"] = len(recent) - len(earlier)
        out[f"spend_change_{w}d"] = currency(recent) - currency(earlier)
    out["orders_same_season"] = len(within(275, 365))

    values = [cents / 100 for _, cents in kept]
    out["order_count"] = len(kept)
    out["spend_total"] = currency(kept)
    out["mean_order_value"] = mean(values)
    out["last_order_value"] = values[-1] if kept else nan
    out["first_order_value"] = values[0] if kept else nan
    out["max_order_value"] = max(values) if kept else nan

    last = age(kept[-1][0]) if kept else nan
    out["days_since_last_order"] = last
    out["days_since_first_order"] = age(kept[0][0]) if kept else nan
    contacts = [t for t, _ in purchases if t < cutoff] + [t for t in events if t < cutoff]
    if signed_up_at is not None and signed_up_at < cutoff:
        contacts.append(signed_up_at)
    out["days_since_first_contact"] = age(min(contacts)) if contacts else nan

    days = sorted({local(t, zone).date() for t, _ in kept})
    gaps = [(b - a).days for a, b in itertools.pairwise(days)]
    out["purchase_days"] = len(days)
    out["mean_gap_days"] = mean([float(g) for g in gaps])
    if len(gaps) > 1:
        centre = mean([float(g) for g in gaps])
        out["std_gap_days"] = sqrt(sum((g - centre) ** 2 for g in gaps) / (len(gaps) - 1))
    else:
        out["std_gap_days"] = nan
    out["min_gap_days"] = min(gaps) if gaps else nan
    out["max_gap_days"] = max(gaps) if gaps else nan
    out["last_gap_days"] = gaps[-1] if gaps else nan
    out["recency_over_mean_gap"] = last / mean([float(g) for g in gaps]) if gaps else nan
    out["recency_over_max_gap"] = last / max(gaps) if gaps else nan

    back = sum(cents for _, cents, _ in given_back)
    net = sum(cents for _, cents in kept)
    out["refund_count"] = len(given_back)
    out["refund_count_90d"] = sum(age(t) <= 90 for t, _, _ in given_back)
    out["refund_total"] = back / 100
    out["refund_share"] = back / (back + net) if back + net > 0 else nan
    out["days_since_last_refund"] = age(max(t for t, _, _ in given_back)) if given_back else nan

    clock = [local(t, zone) for t, _ in kept]
    out["weekend_share"] = mean([float(c.weekday() >= 5) for c in clock])
    out["mean_order_hour"] = mean(
        [c.hour + c.minute / 60 + (c.second + c.microsecond / 1e6) / 3600 for c in clock]
    )
    return out
