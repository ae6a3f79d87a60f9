"""What each feature of habits, seasons and refunds tells, in English and Chinese."""

from lifestage.churn.reasons.sentences import Case, case
from lifestage.churn.reasons.texts.orders import NO_ORDER, ONE_ORDER, Texts


def share_of_orders(name: str, en: str, zh: str, ever_en: str, ever_zh: str) -> tuple[Case, ...]:
    """`en`: "at weekends", `zh`: "在周末下单", which the customer does always, never, or at times."""
    return (
        case(f"the only order was {ever_en}", f"唯一一单{ever_zh}", ONE_ORDER, f"{name} == 1"),
        case(f"the only order was not {ever_en}", f"唯一一单不{ever_zh}", ONE_ORDER, f"{name} == 0"),
        case(f"never orders {en}", f"从不{zh}", f"{name} == 0"),
        case(f"{{{name}:share}} of orders {en}", f"{{{name}:share}}的订单{ever_zh}"),
        NO_ORDER,
    )


def most_in(name: str, en: str, zh: str) -> tuple[Case, ...]:
    """The share of the customer's most frequent `en`."""
    return (
        case(
            f"the only order so far: no favourite {en} to see yet",
            f"至今仅1单，尚看不出偏好的{zh}",
            ONE_ORDER,
        ),
        case(f"{{{name}:share}} of orders in one and the same {en}", f"{{{name}:share}}的订单集中在同一{zh}"),
        case(f"no {en} known", f"没有{zh}信息"),
    )


SEASON: Texts = {
    "orders_same_season": (
        case(
            "not a customer yet this time last year",
            "去年此时还不是客户",
            "orders_same_season == 0",
            "days_since_first_order < 276",
        ),
        case(
            "no orders in the same 90 days of last year",
            "去年同期90天没有下单",
            "orders_same_season == 0",
        ),
        case(
            "{orders_same_season:order} in the same 90 days of last year",
            "去年同期90天下单{orders_same_season:times}",
        ),
    ),
    "same_quarter_share": (
        case(
            "the only order was in this quarter of the year",
            "唯一一单在本季度",
            ONE_ORDER,
            "same_quarter_share == 1",
        ),
        case("never orders in this quarter of the year", "从不在本季度下单", "same_quarter_share == 0"),
        case(
            "{same_quarter_share:share} of orders in this quarter of the year",
            "{same_quarter_share:share}的订单在本季度",
        ),
        NO_ORDER,
    ),
}
NO_REFUND = case("no refunds so far", "从未退款", "refund_count == 0")
REFUNDS: Texts = {
    "refund_count": (NO_REFUND, case("{refund_count:refund} so far", "累计退款{refund_count:times}")),
    "refund_count_90d": (
        NO_REFUND,
        case("no refunds in the last 90 days", "最近90天没有退款", "refund_count_90d == 0"),
        case("{refund_count_90d:refund} in the last 90 days", "最近90天退款{refund_count_90d:times}"),
    ),
    "refund_total": (NO_REFUND, case("{refund_total:money} refunded so far", "累计退款{refund_total:money}")),
    "refund_share": (
        NO_REFUND,
        case("{refund_share:share} of what was bought was refunded", "退款占购买金额的{refund_share:share}"),
        NO_ORDER,
    ),
    "days_since_last_refund": (
        case(
            "last refund {days_since_last_refund:days} ago", "最近一次退款在{days_since_last_refund:days}前"
        ),
        case("no refunds so far", "从未退款"),
    ),
}
