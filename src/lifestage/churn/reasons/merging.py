"""Facts that say the same of one customer, though not of every customer: their contributions become one.

A count of zero in a window says no more than the silence does, the only order's age is both the first order's
and the last one's, and who does nothing but log in was last active at the last login. For such a customer the
variant's contribution is moved to the feature that tells the fact; sums over all features stay what they are.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from lifestage.features import FeatureSpec
from lifestage.features.groups import ORDER_WINDOWS
from lifestage.features.spec import slugs
from lifestage.ragged import Bools, Floats

Columns = Mapping[str, Floats]
LAST_ORDER, LAST_EVENT = "days_since_last_order", "days_since_last_event"
SAME_AGE_DAYS = 1.0
NEEDS_TWO = (
    "order_count",
    "purchase_days",
    "std_gap_days",
    "gap_variation",
    "days_since_first_order",
    "order_value_slope",
    "last_over_mean_order_value",
    "weekday_entropy",
    "top_weekday_share",
    "category_entropy",
    "top_category_share",
    "top_channel_share",
)
"""Of who has ordered once they say no more than that."""


def merge(contributed: Floats, columns: Columns, names: tuple[str, ...], spec: FeatureSpec) -> None:
    """Move contributions within each row of `contributed`, float64[n, features], in place.

    Nothing is moved where the feature that tells the fact is not among the model's.
    """
    place = {name: j for j, name in enumerate(names)}
    for variant, teller, same in _repeats(columns, spec):
        if variant in place and teller in place and same.any():
            moved = np.where(same, contributed[:, place[variant]], 0.0)
            contributed[:, place[teller]] += moved
            contributed[:, place[variant]] -= moved  # x - x is zero, and x - 0 is x, exactly


def _repeats(columns: Columns, spec: FeatureSpec) -> Iterator[tuple[str, str, Bools]]:
    """(variant, feature that tells the fact, for whom), what others are moved to later than what is moved there."""
    n = len(next(iter(columns.values())))
    unknown = np.full(n, np.nan)

    def of(name: str) -> Floats:
        return columns.get(name, unknown)

    single = of("order_count") == 1
    for w in ORDER_WINDOWS:
        none = of(f"orders_{w}d") == 0
        yield f"orders_{w}d", LAST_ORDER, none | single
        yield f"spend_{w}d", LAST_ORDER, none
        still = none & (of(f"orders_change_{w}d") == 0)
        yield f"orders_change_{w}d", LAST_ORDER, still
        yield f"spend_change_{w}d", LAST_ORDER, still
    for name in NEEDS_TWO:
        yield name, LAST_ORDER, single
    yield (
        "days_since_first_contact",
        LAST_ORDER,
        single & _same_age(of("days_since_first_contact"), of(LAST_ORDER)),
    )
    for slug in slugs(spec.event_types).values():
        age = f"days_since_event_{slug}"
        none_30 = of(f"event_{slug}_30d") == 0
        for w in (7, 30, 90):
            yield f"event_{slug}_{w}d", age, of(f"event_{slug}_{w}d") == 0
        yield f"event_{slug}_change_30d", age, none_30 & (of(f"event_{slug}_change_30d") == 0)
        yield age, LAST_EVENT, _same_age(of(age), of(LAST_EVENT))
    for w in (7, 30, 90, 365):
        none = of(f"events_{w}d") == 0
        for what in ("events", "active_days", "sessions"):
            yield f"{what}_{w}d", LAST_EVENT, none
        if w == 90:
            yield "event_types_90d", LAST_EVENT, none
        for what in ("events", "active_days"):
            yield f"{what}_change_{w}d", LAST_EVENT, none & (of(f"{what}_change_{w}d") == 0)
    never = of("event_count") == 0
    for name in ("event_count", "active_days", "session_count", "event_type_count", "days_since_first_event"):
        yield name, LAST_EVENT, never


def _same_age(one: Floats, other: Floats) -> Bools:
    same: Bools = (np.abs(one - other) < SAME_AGE_DAYS) | (np.isnan(one) & np.isnan(other))
    return same
