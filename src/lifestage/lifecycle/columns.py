"""Every column that a policy's conditions and sentences may read: its type, unit and meaning.

The features of bare transactions are open to every policy. Those of the further families depend on the shop's
tables: a release's policy may read what the release's own FeatureSpec has, categories as the text of their
level; scores and the columns that staging derives are described here.
"""

from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa

from lifestage.features import CATALOGUE, FeatureSpec, catalogue


class Published(NamedTuple):
    """One published column."""

    unit: str
    en: str
    zh: str
    type: pa.DataType = pa.float64()


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
DERIVED: dict[str, Published] = {
    "tier": Published("text", "value tier of the policy; missing without a purchase", "价值等级", TEXT),
    "segment": Published("text", "RFM segment", "RFM 分群", TEXT),
    "previous_stage": Published("text", "stage stored before; missing at first sight", "上一阶段", TEXT),
    "days_in_stage": Published("days", "time since that stage began", "处于该阶段天数"),
}
"""What staging itself derives before it looks at a condition."""
RISK = Published("text", "risk level of the policy", "风险等级", TEXT)
SIGNAL_PREFIX = "signal_"

GIVEN: dict[str, Published] = {
    **{f.name: Published(f.unit, f.meaning, f.meaning_zh) for f in CATALOGUE.values()},
    **SCORES,
    **PROFILE,
}
"""What the caller of staging hands over, whatever tables the shop has."""
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


def for_risk(
    signals: tuple[str, ...], published: Mapping[str, Published] = PUBLISHED
) -> dict[str, Published]:
    """Columns open to conditions of risk levels."""
    on = {
        signal_column(s): Published("true or false", f"signal {s} is on", f"信号 {s}", TRUTH) for s in signals
    }
    return {**published, **on}


def for_stages(
    signals: tuple[str, ...], published: Mapping[str, Published] = PUBLISHED
) -> dict[str, Published]:
    """Columns open to conditions and sentences of stages."""
    return {**for_risk(signals, published), "risk": RISK}
