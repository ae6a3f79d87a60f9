"""The words of a list for people: titles, labels of the policy, local days, rounded figures; English or Chinese."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lifestage.lifecycle.columns import signal_column
from lifestage.lifecycle.policy import Policy
from lifestage.lifecycle.segments import GROUPINGS
from lifestage.lists.spreadsheet import day_cell, text_cell
from lifestage.ragged import Bools, Floats
from lifestage.schemas import INSTANT, SCORE

Language = Literal["en", "zh"]
STAKE = "value_at_stake"
TITLES: dict[str, tuple[str, str]] = {
    "customer_id": ("Customer", "客户"),
    STAKE: ("Value at stake", "风险价值"),
    "as_of": ("As of", "截至日期"),
    "eligible": ("Active customer", "活跃客户"),
    "churn_probability": ("Churn probability", "流失概率"),
    "churn_percentile": ("Churn percentile", "流失概率百分位"),
    "p_alive": ("Chance of being a customer still", "仍为客户的概率"),
    "expected_orders": ("Expected orders", "预期订单数"),
    "expected_order_value": ("Expected order value", "预期订单金额"),
    "clv": ("Customer lifetime value", "客户终身价值"),
    "clv_percentile": ("CLV percentile", "客户终身价值百分位"),
    "spend_low": ("Spend, low", "预期消费下限"),
    "spend_high": ("Spend, high", "预期消费上限"),
    "p_order": ("Chance of an order", "下单概率"),
    "next_order_at": ("Next order", "预计下次下单"),
    "next_order_low": ("Next order, earliest", "预计下次下单最早"),
    "next_order_high": ("Next order, latest", "预计下次下单最晚"),
    "stage": ("Stage", "生命周期阶段"),
    "stage_since": ("In stage since", "进入阶段日期"),
    "previous_stage": ("Previous stage", "上一阶段"),
    "rule": ("Rule", "触发规则"),
    "next_stage": ("Next stage", "下一阶段"),
    "next_stage_at": ("Next stage expected", "预计进入下一阶段"),
    "at_risk_at": ("At risk expected", "预计流失预警"),
    "lost_at": ("Lost expected", "预计流失"),
    "tier": ("Tier", "价值等级"),
    "segment": ("Segment", "客户分群"),
    "risk": ("Risk", "风险等级"),
    "health": ("Health", "健康度"),
    "health_parts": ("Health, parts", "健康度明细"),
    "signals": ("Signals", "信号"),
    "reasons": ("Reasons", "原因"),
    "churn_reasons": ("Why they may leave", "流失原因"),
    "action": ("Next action", "下一步行动"),
    "alerts": ("Alerts", "提醒"),
    "policy": ("Policy", "策略"),
    "release": ("Release", "模型版本"),
}
"""What a column is called in a list, in English and Chinese; others by their name."""
_DIGITS = {
    **dict.fromkeys((STAKE, "clv", "expected_order_value", "spend_low", "spend_high", "expected_orders"), 2),
    "health": 0,
}
NESTED = ("signals", "reasons", "churn_reasons", "health_parts", "alerts")


def titles(names: Sequence[str], policy: Policy, language: Language, currency: str) -> list[str]:
    """The header of a list; amounts name their currency."""
    own = {signal_column(s.name): (s.labels.en, s.labels.zh) for s in policy.signals}
    money = (STAKE, "clv", "expected_order_value", "spend_low", "spend_high")
    found = []
    for name in names:
        title = {**TITLES, **own}.get(name, (name, name))[language == "zh"]
        end = f" ({currency})" if language == "en" else f"（{currency}）"
        found.append(title + (end if name in money else ""))
    return found


class Wording:
    """Turns columns of score rows into cells: labels of the policy, local days, rounded figures."""

    def __init__(self, policy: Policy, language: Language, zone: str) -> None:
        self.language, self.zone = language, ZoneInfo(zone)

        def labels(items: Sequence[Any]) -> dict[str, str]:
            return {item.name: getattr(item.labels, language) for item in items}

        stages = labels(policy.stages)
        self.words: dict[str, Mapping[str, str]] = {
            **dict.fromkeys(("stage", "previous_stage", "next_stage"), stages),
            "tier": labels(policy.tiers),
            "risk": labels(policy.risk),
            "segment": labels(policy.segments)
            or {name: texts[language == "zh"] for name, texts in GROUPINGS[policy.grouping].items()},
            "action": {a.name: getattr(a, language) for stage in policy.stages for a in stage.actions},
            "signals": labels(policy.signals),
            "alerts": labels(policy.alerts),
            "health_parts": labels(policy.health),
            "level": {} if language == "en" else {"high": "高", "medium": "中", "low": "低"},
        }
        self.truth = (
            {True: "yes", False: "no", None: ""} if language == "en" else {True: "是", False: "否", None: ""}
        )

    def cells(self, name: str, column: pa.Array) -> list[str]:
        """One cell per row."""
        values = column.to_pylist()
        if column.type == INSTANT:
            return [day_cell(value, self.zone) for value in values]
        if pa.types.is_boolean(column.type):
            return [self.truth[value] for value in values]
        if pa.types.is_floating(column.type):
            digits = _DIGITS.get(name, 4)
            return ["" if value is None else f"{value:.{digits}f}" for value in values]
        if name in NESTED:
            return [text_cell("; ".join(self._item(name, item) for item in value or ())) for value in values]
        words = self.words.get(name, {})
        return ["" if value is None else text_cell(words.get(value, str(value))) for value in values]

    def _item(self, name: str, item: Any) -> str:
        """One entry of a nested column."""
        words = self.words.get(name, {})
        if name == "signals":
            level = self.words["level"].get(item["level"], item["level"])
            label = words.get(item["name"], item["name"])
            return f"{label} ({level})" if self.language == "en" else f"{label}（{level}）"
        if name == "churn_reasons":
            return str(item[self.language])
        if name == "health_parts":
            points = "-" if item["points"] is None else f"{item['points']:.0f}"
            return f"{words.get(item['name'], item['name'])} {points}"
        return words.get(item, str(item))


def list_rows(
    table: pa.Table, stake: Floats, names: Sequence[str], wording: Wording
) -> Iterator[Sequence[str]]:
    """The cells of each row of `table`, whose values at stake are `stake`."""
    size = 10_000
    for start in range(0, len(table), size):
        part = table.slice(start, size).combine_chunks()
        held = stake[start : start + size]
        cells = []
        for name in names:
            if name == STAKE:
                column = pa.array(held, mask=np.isnan(held))
            elif name not in SCORE.names:
                column = pa.array(signal_on(part["signals"].combine_chunks(), name))
            else:
                column = part[name].combine_chunks()
            cells.append(wording.cells(name, column))
        yield from zip(*cells, strict=True)


def signal_on(signals: pa.Array, column: str) -> Bools:
    """bool[n]: whether a signal is on."""
    on = np.zeros(len(signals), bool)
    names = pc.struct_field(pc.list_flatten(signals), "name")
    hit = np.asarray(pc.equal(names, column.removeprefix(signal_column(""))))
    on[pc.list_parent_indices(signals).to_numpy()[hit.astype(bool)]] = True
    return on
