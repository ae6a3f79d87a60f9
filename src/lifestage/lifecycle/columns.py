"""Every column that a policy's conditions and sentences may read: its type, unit and meaning.

The features of bare transactions are open to every policy, and so are those of further families that are called
the same in every shop: where a shop lacks their table they are NULL. What hangs on a shop's own event types and
attributes is open to the policy of a release whose FeatureSpec has it, categories as the text of their level.
Scores and the columns that staging derives are described here.
"""

from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa

from lifestage.features import CATALOGUE, FeatureSpec, catalogue
from lifestage.lifecycle.elements import Named
from lifestage.schemas import FEEDBACK_KINDS


class Published(NamedTuple):
    """One published column."""

    unit: str
    en: str
    zh: str
    type: pa.DataType = pa.float64()
    table: str = ""
    """The table or column of the shop without which it is NULL; empty: every shop has it."""


TEXT, TRUTH = pa.string(), pa.bool_()

SCORES: dict[str, Published] = {
    "eligible": Published(
        "true or false", "still a customer whose churn can be predicted", "是否仍为活跃客户", TRUTH
    ),
    "churn_probability": Published(
        "probability", "P(no purchase within the churn horizon); missing where not eligible", "流失概率"
    ),
    "churn_percentile": Published(
        "percentile", "rank of the churn probability among eligible customers", "流失概率百分位"
    ),
    "p_alive": Published("probability", "P(still a customer)", "仍为客户的概率"),
    "expected_orders": Published("orders", "expected orders within the CLV horizon", "预期订单数"),
    "expected_order_value": Published("currency", "expected value of an order", "预期订单金额"),
    "clv": Published("currency", "discounted value of the orders within the CLV horizon", "客户终身价值"),
    "clv_percentile": Published("percentile", "rank of the CLV among all buyers", "客户终身价值百分位"),
    "p_order": Published("probability", "P(at least one order within the CLV horizon)", "下单概率"),
    "recency_percentile": Published(
        "percentile",
        "rank of the days since the last order among all buyers (1 = longest ago)",
        "距最近一单天数百分位",
    ),
    "frequency_percentile": Published("percentile", "rank of the number of orders", "订单数百分位"),
    "monetary_percentile": Published("percentile", "rank of the net spend so far", "累计消费额百分位"),
}
PROFILE: dict[str, Published] = {
    "acquisition_channel": Published("text", "channel that brought the customer", "获客渠道", TEXT),
}
_CORE = "core_event"
JOURNEY: dict[str, Published] = {
    "core_event_count": Published("events", "times the core behaviour was shown so far", "核心行为累计次数"),
    "days_since_core_event": Published(
        "days", "time since the last core behaviour", "距最近一次核心行为天数"
    ),
    "days_to_core_event": Published(
        "days",
        "time from the first contact to the first core behaviour; missing until then",
        "从首次接触到首次核心行为的天数",
    ),
    "subscribed": Published(
        "true or false", "a term of a subscription is open", "是否在订阅期内", TRUTH, "subscriptions"
    ),
    "term_count": Published("terms", "terms of subscriptions so far", "累计订阅期数", table="subscriptions"),
    "days_in_term": Published(
        "days", "age of the open term; missing without one", "当前订阅期已过天数", table="subscriptions"
    ),
    "days_since_term_end": Published(
        "days",
        "time since the last term ended; missing while one is open",
        "距上一订阅期结束天数",
        table="subscriptions",
    ),
    "plan": Published("text", "plan of the newest term", "最新订阅期的套餐", TEXT, "subscriptions"),
    "monthly_price": Published(
        "currency", "price a month of the newest term", "最新订阅期的月价", table="subscriptions"
    ),
    "price_change": Published(
        "currency",
        "price a month of the open term less that of the term before",
        "当前订阅期较上一期的月价变化",
        table="subscriptions",
    ),
}
"""What only policies read of a history: the core behaviour (`core_event`, else an order) and subscriptions."""

BEFORE: dict[str, Published] = {
    "previous_stage": Published("text", "stage stored before; missing at first sight", "上一阶段", TEXT),
    "days_in_stage": Published("days", "time since that stage began", "处于该阶段天数"),
}
RFM_SCORES: dict[str, Published] = {
    "r_score": Published(
        "score", "1 to 5 by the fifth of days since the last order; 5 = newest", "R评分（最近）"
    ),
    "f_score": Published("score", "1 to 5 by the fifth of orders; 5 = most", "F评分（频次）"),
    "m_score": Published("score", "1 to 5 by the fifth of net spend; 5 = most", "M评分（金额）"),
}
GROUPED: dict[str, Published] = {
    "tier": Published("text", "value tier of the policy; missing without a purchase", "价值等级", TEXT),
    "segment": Published("text", "RFM segment", "RFM 分群", TEXT),
}
DERIVED: dict[str, Published] = {**GROUPED, **BEFORE, **RFM_SCORES}
"""What staging itself derives before it looks at a condition."""
HEALTH = Published("points", "health score, 0 to 100; missing where every part is", "健康度")
RISK = Published("text", "risk level of the policy", "风险等级", TEXT)
SIGNAL_PREFIX = "signal_"

_EVERYWHERE = FeatureSpec(
    order_columns=("category", "channel", "discount"),
    behaviour=True,
    feedback=FEEDBACK_KINDS,
    tenure=True,
    funnel=("features.funnel",),
)
_TABLES = {"behaviour": "events", "feedback": "feedback", "profile": "customers", "purchases": "transactions"}
FURTHER: dict[str, Published] = {
    name: Published(f.unit, f.meaning, f.meaning_zh, table=_TABLES[f.family])
    for name, f in catalogue(_EVERYWHERE).items()
    if name not in CATALOGUE and not f.categorical
}
"""Features of further tables and columns that are called the same in every shop."""

GIVEN: dict[str, Published] = {
    **{f.name: Published(f.unit, f.meaning, f.meaning_zh) for f in CATALOGUE.values()},
    **SCORES,
    **PROFILE,
    **JOURNEY,
    **FURTHER,
}
"""What the caller of staging hands over, whatever tables the shop has."""
OPTIONAL = frozenset({*JOURNEY, *FURTHER})
"""Those that the caller may leave out: NULL then."""
PUBLISHED: dict[str, Published] = {**GIVEN, **DERIVED}
"""What every condition may read; those of risk also signals, those of stages also risk."""


def signal_column(name: str) -> str:
    """The column under which conditions read whether a signal is on; true or false, never missing."""
    return SIGNAL_PREFIX + name


def given(spec: FeatureSpec) -> dict[str, Published]:
    """GIVEN with the further features of a model."""
    further = {
        name: Published(f.unit, f.meaning, f.meaning_zh, TEXT if f.categorical else pa.float64())
        for name, f in catalogue(spec).items()
        if name not in CATALOGUE
    }
    return {**GIVEN, **further}


def named(items: tuple[Named, ...], types: Mapping[str, pa.DataType]) -> dict[str, Published]:
    """The columns that a policy names itself; a type not in `types` is a number's."""
    return {
        item.name: Published(item.unit, item.labels.en, item.labels.zh, types.get(item.name, pa.float64()))
        for item in items
    }


def signals(names: tuple[str, ...]) -> dict[str, Published]:
    """The columns that say which signals are on."""
    return {
        signal_column(s): Published("true or false", f"signal {s} is on", f"信号 {s}", TRUTH) for s in names
    }
