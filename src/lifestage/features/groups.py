"""Which features tell one and the same fact about a customer: the groups in which reasons are given.

Orders in 30, 90 and 365 days, or a silence in days and in usual gaps, are one fact in several variants. A reason
adds up the contributions of its group (SHAP values are additive: Lundberg et al. 2020, Nature Machine
Intelligence 2, 56-67) and tells it once. A feature that is not listed here is a group by itself.
"""

from collections.abc import Mapping

from lifestage.features.feedback import CASES
from lifestage.features.spec import FeatureSpec, slugs

ORDER_WINDOWS = (7, 14, 30, 60, 90, 180, 365)

GROUPS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    # A habit of ordering is told together with the silence that is judged by it.
    "rhythm": (
        "silence against the usual rhythm",
        "未下单时长与平时节奏",
        (
            "days_since_last_order",
            "recency_over_mean_gap",
            "recency_over_max_gap",
            "mean_gap_days",
            "min_gap_days",
            "max_gap_days",
            "last_gap_days",
        ),
    ),
    "regularity": ("regularity of the purchases", "购买规律性", ("std_gap_days", "gap_variation")),
    "orders": (
        "number of orders",
        "订单数",
        (*(f"orders_{w}d" for w in ORDER_WINDOWS), "order_count", "purchase_days"),
    ),
    "spend": ("amount spent", "消费额", (*(f"spend_{w}d" for w in ORDER_WINDOWS), "spend_total")),
    "trend": (
        "change of orders and spend",
        "订单与消费变化",
        ("orders_change_30d", "orders_change_90d", "spend_change_30d", "spend_change_90d"),
    ),
    "order_value": (
        "value of an order",
        "单笔金额",
        (
            "mean_order_value",
            "last_order_value",
            "max_order_value",
            "first_order_value",
            "order_value_slope",
            "last_over_mean_order_value",
        ),
    ),
    "season": ("season", "季节", ("orders_same_season", "same_quarter_share")),
    "tenure": (
        "time as a customer",
        "成为客户的时长",
        (
            "days_since_first_order",
            "days_since_first_contact",
            "days_since_first_event",
            "profile_tenure_days",
            "days_subscribed",
        ),
    ),
    "refunds": (
        "refunds",
        "退款",
        ("refund_count", "refund_count_90d", "refund_total", "refund_share", "days_since_last_refund"),
    ),
    "order_times": (
        "days and hours of the orders",
        "下单时间",
        (
            "weekend_share",
            "mean_order_hour",
            "weekday_entropy",
            "top_weekday_share",
            "night_share",
            "morning_share",
            "afternoon_share",
            "evening_share",
        ),
    ),
    "categories": (
        "breadth of categories",
        "购买品类",
        ("category_count", "category_count_365d", "category_entropy", "top_category_share"),
    ),
    "channels": ("sales channels", "购买渠道", ("channel_count", "top_channel_share")),
    "discounts": ("discounts", "折扣", ("discount_total", "discount_share", "discounted_order_share")),
    "activity": (
        "activity",
        "活跃程度",
        (
            "event_count",
            *(f"events_{w}d" for w in (7, 30, 90, 365)),
            "active_days",
            *(f"active_days_{w}d" for w in (7, 30, 90, 365)),
            "session_count",
            *(f"sessions_{w}d" for w in (7, 30, 90)),
            "events_per_session",
            "event_type_count",
            "event_types_90d",
        ),
    ),
    "activity_trend": (
        "change of activity",
        "活跃变化",
        ("events_change_30d", "events_change_90d", "active_days_change_30d", "active_days_change_90d"),
    ),
    "inactivity": (
        "time without activity",
        "沉默时长",
        (
            "days_since_last_event",
            "mean_inactive_days",
            "max_inactive_days",
            "inactive_over_max",
            "inactive_streaks_365d",
        ),
    ),
    "funnel": ("way to an order", "购买漏斗", ("funnel_step_30d", "funnel_step_90d")),
    "feedback": ("feedback given", "客户反馈", ("feedback_count", "days_since_last_feedback")),
    "nps": ("NPS", "NPS评分", ("nps_count", "nps_last", "nps_mean", "nps_detractor")),
    "csat": ("satisfaction", "满意度", ("csat_count", "csat_last", "csat_mean")),
    "review": ("reviews", "评价", ("review_count", "review_last", "review_mean")),
    **{
        many: (
            many,
            zh,
            (*(f"{many}_{w}d" for w in (30, 90, 365)), f"{many}_open", f"days_since_last_{kind}"),
        )
        for kind, (many, zh) in CASES.items()
    },
    "resolution": (
        "how long cases take",
        "问题解决时长",
        ("oldest_open_days", "mean_resolution_days", "last_resolution_days"),
    ),
    "subscription": (
        "subscription so far",
        "订阅情况",
        ("days_in_term", "term_count", "days_since_last_end"),
    ),
    "price": ("monthly price", "月费", ("monthly_price",)),
}
"""Group -> its name in English and in Chinese, and its features."""

ATTRIBUTES_ZH = {"profile_acquisition_channel": "获客渠道", "profile_acquisition_cost": "获客成本"}

BTYD = "btyd_"
"""Prefix of what a buy-till-you-die model says: it knows a customer's orders and silence only, like `rhythm`."""


def group_of(spec: FeatureSpec) -> dict[str, str]:
    """Feature -> group of everything that shares one, with the columns of each learnt event type."""
    found = {name: group for group, (_, _, names) in GROUPS.items() for name in names}
    for slug in slugs(spec.event_types).values():
        own = (f"event_{slug}_7d", f"event_{slug}_30d", f"event_{slug}_90d", f"event_{slug}_change_30d")
        found |= dict.fromkeys((*own, f"days_since_event_{slug}"), f"event_{slug}")
    return found


def groups_of(names: tuple[str, ...], spec: FeatureSpec) -> dict[str, str]:
    """The group of each of a model's features, also of those that no catalogue lists."""
    known = group_of(spec)
    return {name: known.get(name, "rhythm" if name.startswith(BTYD) else name) for name in names}


def label(group: str, spec: FeatureSpec) -> tuple[str, str]:
    """What a group is called in English and in Chinese; a single feature by its own name."""
    if group in GROUPS:
        return GROUPS[group][:2]
    for kind, slug in slugs(spec.event_types).items():
        if group == f"event_{slug}":
            return f"events '{kind}'", f"“{kind}”行为"
    attribute = group.removeprefix("profile_").replace("_", " ")
    return attribute, ATTRIBUTES_ZH.get(group, attribute)
