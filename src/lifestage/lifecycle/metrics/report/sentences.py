"""What the lifecycle report says first, in English and Chinese."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lifestage.lifecycle.metrics.report.cards import Card
from lifestage.lifecycle.metrics.report.lookup import LACKING, Figures
from lifestage.lifecycle.policy import Policy
from lifestage.pages import Words


class Tile(NamedTuple):
    """One figure of the head."""

    text: str
    what: Words
    trend: Words | None


def _lost(policy: Policy) -> set[str]:
    return {stage.name for stage in policy.stages if stage.role == "lost"}


def headline(flows: Sequence[Mapping[str, Any]], of_stages: Sequence[Card], policy: Policy) -> Words:
    """How many are there, and how that changed in the newest period."""
    lost = _lost(policy)
    everybody = sum(card.customers for card in of_stages)
    here = sum(card.customers for card in of_stages if card.name not in lost)
    said = Words(f"{everybody:,} customers are known", f"已知客户{everybody:,}名")
    if lost:
        said = Words(
            f"{said.en}; {here:,} of them are with us, {everybody - here:,} lost.",
            f"{said.zh}，其中{here:,}名仍在，{everybody - here:,}名已流失。",
        )
    else:
        said = Words(f"{said.en}.", f"{said.zh}。")
    if not flows:
        return Words(
            f"{said.en} Moves can be told from the second run on.", f"{said.zh}从第二次评分起可统计流动情况。"
        )
    flow = flows[-1]
    days = round((flow["end"] - flow["start"]).total_seconds() / 86_400)
    net = flow["new"] - flow["new_lost"] + flow["returned"] - flow["lost"]
    way = ("more", "增加") if net >= 0 else ("fewer", "减少")
    return Words(
        f"{said.en} In the last {days} days {flow['new']:,} came, {flow['returned']:,} returned and {flow['lost']:,} "
        f"were lost: {abs(net):,} {way[0]} than before.",
        f"{said.zh}最近{days}天新增{flow['new']:,}名、回归{flow['returned']:,}名、流失{flow['lost']:,}名，"
        f"净{way[1]}{abs(net):,}名。",
    )


def tiles(
    figures: Figures,
    flows: Sequence[Mapping[str, Any]],
    of_stages: Sequence[Card],
    policy: Policy,
    horizon_days: int,
) -> list[Tile]:
    """The head's figures; those that cannot be told are left out."""
    found = []
    value = figures.shown("lifetime_value_total")
    if value is not None and value.text != LACKING:
        what = Words(
            f"value of the orders to come, next {horizon_days} days", f"未来{horizon_days}天订单的预测价值"
        )
        found.append(Tile(value.text, what, value.trend))
    for metric, en, zh in (
        (
            "churn_rate",
            "of those with us at its start were lost in the last period",
            "期初在册客户于上期流失",
        ),
        ("win_back_rate", "of the lost came back in it", "已流失客户于上期回归"),
        ("repurchase_rate", "of the buyers ordered again in it", "老买家于上期再次下单"),
    ):
        shown = figures.shown(metric)
        if shown is not None and shown.text != LACKING:
            counts = f" ({shown.of.en})"
            found.append(Tile(shown.text, Words(en + counts, zh + counts), shown.trend))
    at_risk = sum(
        c.customers for c in of_stages if c.name in {s.name for s in policy.stages if s.role == "at_risk"}
    )
    if any(stage.role == "at_risk" for stage in policy.stages) and (flows or of_stages):
        found.append(Tile(f"{at_risk:,}", Words("customers are at risk now", "名客户目前有流失风险"), None))
    return found
