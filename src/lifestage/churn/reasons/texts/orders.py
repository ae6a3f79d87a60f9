"""What each feature of the purchase family tells about a customer, in English and Chinese."""

from collections.abc import Mapping

from lifestage.churn.reasons.sentences import Case, case

Texts = Mapping[str, tuple[Case, ...]]

NO_ORDER = case("no order so far", "尚未下过单")
ONE_ORDER = "order_count == 1"

SILENCE = (
    case(
        "no second order yet; the first was {days_since_last_order:days} ago",
        "首单在{days_since_last_order:days}前，之后未再下单",
        ONE_ORDER,
        "days_since_last_order >= 30",
    ),
    case(
        "first and only order {days_since_last_order:days} ago",
        "至今仅下过1单，在{days_since_last_order:days}前",
        ONE_ORDER,
    ),
    case(
        "no order for {days_since_last_order:days}; the two purchases before were {mean_gap_days:days} apart",
        "已{days_since_last_order:days}未下单，此前两次购买相隔{mean_gap_days:days}",
        "purchase_days == 2",
        "recency_over_mean_gap > 1",
    ),
    case(
        "last order {days_since_last_order:days} ago, {mean_gap_days:days} after the one before",
        "最近一单在{days_since_last_order:days}前，与上一次相隔{mean_gap_days:days}",
        "purchase_days == 2",
    ),
    case(
        "no order for {days_since_last_order:days}; usually {mean_gap_days:every}",
        "已{days_since_last_order:days}未下单，平时约{mean_gap_days:every}一次",
        "recency_over_mean_gap > 1",
    ),
    case(
        "last order {days_since_last_order:days} ago; usually {mean_gap_days:every}",
        "最近一单在{days_since_last_order:days}前，平时约{mean_gap_days:every}一次",
        "recency_over_mean_gap <= 1",
    ),
    case(
        "last order {days_since_last_order:days} ago; all orders so far on one day",
        "最近一单在{days_since_last_order:days}前，所有订单都在同一天",
    ),
    NO_ORDER,
)
LONGEST = (
    case(
        "no order for {days_since_last_order:days}; the longest pause before was {max_gap_days:days}",
        "已{days_since_last_order:days}未下单，此前最长间隔{max_gap_days:days}",
        "recency_over_max_gap > 1",
        "purchase_days > 2",
    ),
    case(
        "last order {days_since_last_order:days} ago; the longest pause so far was {max_gap_days:days}",
        "最近一单在{days_since_last_order:days}前，此前最长间隔{max_gap_days:days}",
        "recency_over_max_gap <= 1",
        "purchase_days > 2",
    ),
    *SILENCE,
)
LAST_GAP = (
    case(
        "last order {days_since_last_order:days} ago, {last_gap_days:days} after the one before",
        "最近一单在{days_since_last_order:days}前，与上一次相隔{last_gap_days:days}",
    ),
    *SILENCE,
)
REGULARITY = (
    case(
        "only two purchases so far: too few to see a rhythm",
        "至今只购买过2次，尚看不出规律",
        "purchase_days == 2",
    ),
    case(
        "buys regularly: {mean_gap_days:every}, give or take {std_gap_days:days}",
        "购买规律：约{mean_gap_days:every}一次，上下浮动{std_gap_days:days}",
        "gap_variation < 0.5",
    ),
    case(
        "buys irregularly: {mean_gap_days:every} on average, give or take {std_gap_days:days}",
        "购买不太规律：平均{mean_gap_days:every}一次，上下浮动{std_gap_days:days}",
    ),
    case("too few purchases so far to see a rhythm", "购买次数太少，尚看不出规律"),
)


def orders_in(w: int) -> tuple[Case, ...]:
    """Orders in a window, beside the customer's own average where there has been time for one."""
    n, usual = f"orders_{w}d", f"usual_orders_{w}d"
    return (
        case(
            f"no orders in the last {w} days; {{{usual}:n}} on average",
            f"最近{w}天没有下单，平时约{{{usual}:n}}次",
            f"{n} == 0",
            f"{usual} >= 0.5",
        ),
        case(f"no orders in the last {w} days", f"最近{w}天没有下单", f"{n} == 0"),
        case(
            f"{{{n}:order}} in the last {w} days; {{{usual}:n}} on average",
            f"最近{w}天下单{{{n}:times}}，平时约{{{usual}:n}}次",
            f"{usual} >= 0.5",
        ),
        case(f"{{{n}:order}} in the last {w} days", f"最近{w}天下单{{{n}:times}}"),
        NO_ORDER,
    )


def spent_in(w: int) -> tuple[Case, ...]:
    spend, usual = f"spend_{w}d", f"usual_spend_{w}d"
    return (
        case(
            f"nothing spent in the last {w} days; {{{usual}:money}} on average",
            f"最近{w}天没有消费，平时约{{{usual}:money}}",
            f"{spend} == 0",
            f"{usual} >= 0.01",
        ),
        case(f"nothing spent in the last {w} days", f"最近{w}天没有消费", f"{spend} == 0"),
        case(
            f"{{{spend}:money}} spent in the last {w} days; {{{usual}:money}} on average",
            f"最近{w}天消费{{{spend}:money}}，平时约{{{usual}:money}}",
        ),
        case(f"{{{spend}:money}} spent in the last {w} days", f"最近{w}天消费{{{spend}:money}}"),
        NO_ORDER,
    )


def orders_changed(w: int) -> tuple[Case, ...]:
    change = f"orders_change_{w}d"
    return (
        case(
            f"{{{change}:abs fewer order}} in the last {w} days than in the {w} before",
            f"最近{w}天下单比前{w}天少{{{change}:abs n}}次",
            f"{change} < 0",
        ),
        case(
            f"{{{change}:abs more order}} in the last {w} days than in the {w} before",
            f"最近{w}天下单比前{w}天多{{{change}:abs n}}次",
            f"{change} > 0",
        ),
        case(
            f"no orders in the last {2 * w} days",
            f"最近{2 * w}天没有下单",
            f"{change} == 0",
            f"orders_{w}d == 0",
        ),
        case(f"as many orders in the last {w} days as in the {w} before", f"最近{w}天下单次数与前{w}天持平"),
    )


def spend_changed(w: int) -> tuple[Case, ...]:
    change = f"spend_change_{w}d"
    return (
        case(
            f"{{{change}:abs money}} less spent in the last {w} days than in the {w} before",
            f"最近{w}天消费比前{w}天少{{{change}:abs money}}",
            f"{change} < 0",
        ),
        case(
            f"{{{change}:abs money}} more spent in the last {w} days than in the {w} before",
            f"最近{w}天消费比前{w}天多{{{change}:abs money}}",
            f"{change} > 0",
        ),
        case(
            f"nothing spent in the last {2 * w} days",
            f"最近{2 * w}天没有消费",
            f"{change} == 0",
            f"spend_{w}d == 0",
        ),
        case(f"as much spent in the last {w} days as in the {w} before", f"最近{w}天消费与前{w}天持平"),
    )


ONLY_VALUE = case(
    "one order so far, of {last_order_value:money}", "至今仅1单，金额{last_order_value:money}", ONE_ORDER
)
LAST_VALUE = (
    ONLY_VALUE,
    case(
        "last order of {last_order_value:money}; {mean_order_value:money} on average",
        "最近一单{last_order_value:money}，平均每单{mean_order_value:money}",
    ),
    NO_ORDER,
)
ORDER_VALUE: Texts = {
    "mean_order_value": (
        ONLY_VALUE,
        case("{mean_order_value:money} an order on average", "平均每单{mean_order_value:money}"),
        NO_ORDER,
    ),
    "last_order_value": LAST_VALUE,
    "last_over_mean_order_value": LAST_VALUE,
    "max_order_value": (
        ONLY_VALUE,
        case(
            "largest order {max_order_value:money}; {mean_order_value:money} on average",
            "最大一单{max_order_value:money}，平均每单{mean_order_value:money}",
        ),
        NO_ORDER,
    ),
    "first_order_value": (
        ONLY_VALUE,
        case("first order of {first_order_value:money}", "首单金额{first_order_value:money}"),
        NO_ORDER,
    ),
    "order_value_slope": (
        ONLY_VALUE,
        case(
            "each order about {order_value_slope:abs money} smaller than the one before",
            "每单金额平均比上一单少{order_value_slope:abs money}",
            "order_value_slope < 0",
        ),
        case(
            "each order about {order_value_slope:abs money} larger than the one before",
            "每单金额平均比上一单多{order_value_slope:abs money}",
            "order_value_slope > 0",
        ),
        case("orders of the same value each time", "每单金额基本不变", "order_value_slope == 0"),
        NO_ORDER,
    ),
}
