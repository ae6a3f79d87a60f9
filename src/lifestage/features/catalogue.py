"""The catalogue: every feature of a model with family, unit, window and meaning, and the function that computes all.

It is a function of the spec that training learns: a shop with bare transactions has the columns of CATALOGUE,
each further table or column adds its own, in this order.
"""

from functools import lru_cache
from types import MappingProxyType

from lifestage.features import behaviour, custom, feedback, habits, profile, purchases
from lifestage.features.feature import Feature
from lifestage.features.spec import FeatureSpec
from lifestage.history import Before
from lifestage.ragged import Floats


def _purchases() -> list[Feature]:
    rows = [
        *(
            (f"orders_{w}d", "orders", f"orders in the last {w} days", f"最近{w}天订单数", w)
            for w in purchases.WINDOWS
        ),
        *(
            (f"spend_{w}d", "currency", f"net spend in the last {w} days", f"最近{w}天净消费额", w)
            for w in purchases.WINDOWS
        ),
        *(
            (
                f"orders_change_{w}d",
                "orders",
                f"orders in the last {w} days less those of the {w} before",
                f"最近{w}天订单数较前{w}天的变化",
                2 * w,
            )
            for w in purchases.CHANGES
        ),
        *(
            (
                f"spend_change_{w}d",
                "currency",
                f"net spend in the last {w} days less that of the {w} before",
                f"最近{w}天消费额较前{w}天的变化",
                2 * w,
            )
            for w in purchases.CHANGES
        ),
        (
            "orders_same_season",
            "orders",
            "orders in the 90 days that began a year before the cutoff",
            "去年同季90天订单数",
            365,
        ),
        ("order_count", "orders", "orders so far, fully refunded ones left out", "累计订单数", None),
        ("spend_total", "currency", "net spend so far", "累计净消费额", None),
        ("mean_order_value", "currency", "mean net value of an order", "平均订单金额", None),
        ("last_order_value", "currency", "net value of the last order", "最近一单金额", None),
        ("max_order_value", "currency", "net value of the largest order", "最大订单金额", None),
        ("first_order_value", "currency", "net value of the first order", "首单金额", None),
        ("days_since_last_order", "days", "time since the last order", "距最近一单天数", None),
        ("days_since_first_order", "days", "time since the first order", "距首单天数", None),
        (
            "days_since_first_contact",
            "days",
            "time since sign-up, first event or first order, refunded or not, the earliest",
            "距首次接触天数",
            None,
        ),
        ("purchase_days", "days", "distinct local days with an order", "有订单的天数", None),
        ("mean_gap_days", "days", "mean gap between purchase days; missing with one", "平均购买间隔", None),
        (
            "std_gap_days",
            "days",
            "standard deviation of the gaps; missing with one gap",
            "购买间隔标准差",
            None,
        ),
        ("min_gap_days", "days", "shortest gap between purchase days", "最短购买间隔", None),
        ("max_gap_days", "days", "longest gap between purchase days", "最长购买间隔", None),
        ("last_gap_days", "days", "gap before the last purchase day", "最近一次购买间隔", None),
        (
            "recency_over_mean_gap",
            "ratio",
            "time since the last order over the mean gap",
            "距最近一单天数与平均间隔之比",
            None,
        ),
        (
            "recency_over_max_gap",
            "ratio",
            "time since the last order over the longest gap",
            "距最近一单天数与最长间隔之比",
            None,
        ),
        ("refund_count", "refunds", "refunds so far", "累计退款次数", None),
        ("refund_count_90d", "refunds", "refunds in the last 90 days", "最近90天退款次数", 90),
        ("refund_total", "currency", "amount refunded so far", "累计退款金额", None),
        ("refund_share", "ratio", "amount refunded over amount refunded and kept", "退款金额占比", None),
        ("days_since_last_refund", "days", "time since the last refund", "距最近退款天数", None),
        ("weekend_share", "ratio", "share of orders on Saturday or Sunday, local time", "周末订单占比", None),
        ("mean_order_hour", "hours", "mean local hour of the day of the orders", "平均下单时刻", None),
    ]
    return [Feature(n, "purchases", unit, en, zh, w) for n, unit, en, zh, w in rows]


@lru_cache(maxsize=32)
def catalogue(spec: FeatureSpec) -> MappingProxyType[str, Feature]:
    """Every feature of a model by its name, in the order in which the model gets them."""
    families = (
        _purchases(),
        habits.describe(spec),
        behaviour.describe(spec),
        feedback.describe(spec),
        profile.describe(spec),
        custom.describe(spec),
    )
    return MappingProxyType({feature.name: feature for family in families for feature in family})


PLAIN = FeatureSpec()
"""What every shop has, from bare transactions."""
CATALOGUE = catalogue(PLAIN)


def names(spec: FeatureSpec = PLAIN) -> list[str]:
    """Feature names in the order in which models get them."""
    return list(catalogue(spec))


def categorical(spec: FeatureSpec) -> tuple[str, ...]:
    """The features whose values are places of levels and not numbers."""
    return tuple(name for name, feature in catalogue(spec).items() if feature.categorical)


def compute(view: Before, spec: FeatureSpec = PLAIN) -> dict[str, Floats]:
    """All features of a view, name -> float64[n] with NaN for missing, in the catalogue's order.

    Counts and sums are 0 and ages and ratios NaN for a customer without a row. Raises InputError for a profile
    column of another type than at training, or a custom function at fault.
    """
    values = purchases.compute(view)
    values |= habits.compute(view, spec, values)
    values |= behaviour.compute(view, spec)
    values |= feedback.compute(view, spec)
    values |= profile.compute(view, spec)
    values |= custom.compute(view, spec)
    return {name: values[name] for name in catalogue(spec)}
