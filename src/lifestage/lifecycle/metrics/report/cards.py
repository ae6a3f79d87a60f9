"""What the report says of each stage: how many, its metrics with their trend, its next actions."""

from collections.abc import Sequence
from typing import NamedTuple

from lifestage.lifecycle.elements import Item, Stage
from lifestage.lifecycle.metrics.catalogue import METRICS
from lifestage.lifecycle.metrics.channels import METRICS as BY_CHANNEL
from lifestage.lifecycle.metrics.levels import MISSING
from lifestage.lifecycle.metrics.plots.canvas import palette
from lifestage.lifecycle.metrics.report.lookup import LACKING, Figures, Shown, in_unit
from lifestage.lifecycle.metrics.tables import LifecycleMetrics
from lifestage.lifecycle.policy import Policy
from lifestage.pages import Words

ROLES = {
    "prospect": Words("prospects", "潜在客户"),
    "new": Words("new", "新客"),
    "active": Words("active", "活跃"),
    "at_risk": Words("at risk", "有流失风险"),
    "lost": Words("lost", "已流失"),
}
ALWAYS = {
    "prospect": ("conversion_to_next_stage", "first_order_conversion", "churn_rate", "time_in_stage"),
    "new": ("conversion_to_next_stage", "repurchase_rate", "churn_rate", "time_in_stage"),
    "active": ("conversion_to_next_stage", "repurchase_rate", "churn_rate", "nps", "time_in_stage"),
    "at_risk": ("churn_rate", "repurchase_rate", "nps", "time_in_stage"),
    "lost": ("win_back_rate", "repurchase_rate", "time_in_stage"),
}
"""Told of every stage of a role, whatever its policy names; those without a row are left out."""
OF_ALL = Words("of all customers", "全体客户")
NOBODY = Words("nobody to measure it on", "暂无可统计的客户")
NO_ROWS = Words("the shop's data hold nothing to tell it from", "店铺数据中没有相应记录")
SEE_CHANNELS = Words("all channels; each below", "全部渠道；分渠道见下文")


class Line(NamedTuple):
    """One metric on a card."""

    name: Words
    shown: Shown | None
    note: Words | None
    """Of whom it is where not of the stage, or why there is no figure."""


class Card(NamedTuple):
    """One stage."""

    name: str
    label: Words
    role: Words
    colour: str
    customers: int
    share: float | None
    change: int | None
    """Customers more than at the instant before."""
    clv_total: float | None
    clv_mean: float | None
    churn: float | None
    lines: Sequence[Line]
    actions: Sequence[Words]


def cards(metrics: LifecycleMetrics, policy: Policy, figures: Figures) -> list[Card]:
    """Of every stage in the policy's order; one of an earlier policy that still holds somebody comes last."""
    rows = [r for r in metrics.stages.to_pylist() if r["group"] is None]
    now = {r["stage"]: r for r in rows if r["as_of"] == figures.newest}
    then = {r["stage"]: r for r in rows if r["as_of"] == figures.before}
    colours = palette(policy, list(now))
    known = {stage.name: stage for stage in policy.stages}
    found = []
    for name, row in now.items():
        stage = known.get(name)
        if stage is None and not row["customers"]:
            continue
        found.append(
            Card(
                name=name,
                label=Words(name, name) if stage is None else Words(stage.labels.en, stage.labels.zh),
                role=ROLES["active" if stage is None else stage.role],
                colour=colours[name],
                customers=row["customers"],
                share=row["share"],
                change=row["customers"] - then[name]["customers"] if name in then else None,
                clv_total=row["clv_total"],
                clv_mean=row["clv_mean"],
                churn=row["churn_probability_mean"],
                lines=[] if stage is None else _lines(stage, metrics, figures),
                actions=[] if stage is None else [Words(a.en, a.zh) for a in stage.actions],
            )
        )
    return found


def _lines(stage: Stage, metrics: LifecycleMetrics, figures: Figures) -> list[Line]:
    lines = [_line(item.name, named(item), stage, metrics, figures) for item in stage.metrics]
    given = {item.name for item in stage.metrics}
    for metric in ALWAYS[stage.role]:
        if metric not in given and figures.row(metric, stage.name) is not None:
            name = Words(METRICS[metric].en, METRICS[metric].zh)
            lines.append(_line(metric, name, stage, metrics, figures))
    return lines


def named(item: Item) -> Words:
    """What the policy calls a metric; a plain name says it in neither language, the catalogue does."""
    known = METRICS.get(item.name)
    plain = item.en == item.zh == item.name
    return Words(known.en, known.zh) if plain and known else Words(item.en, item.zh)


def _line(metric: str, name: Words, stage: Stage, metrics: LifecycleMetrics, figures: Figures) -> Line:
    if metric not in METRICS:
        return Line(name, None, Words("no metric of this name is known here", "此处没有该名称的指标"))
    known = METRICS[metric]
    if not known.measured:
        return Line(
            name, None, Words(f"not measured here; needs {known.needs}", f"此处未测量；需要{known.needs_zh}")
        )
    shown = figures.shown(metric, stage.name)
    if shown is not None:
        return Line(name, shown, None)
    shown = figures.shown(metric)
    if shown is not None and metric in (
        "activation_completion",
        "time_to_first_value",
        "lifetime",
        "plain_lifetime_value",
    ):
        return Line(name, shown, OF_ALL)
    if metric in BY_CHANNEL.values() and (of_channels := _of_channels(metric, metrics, figures)):
        several = bool({*metrics.channels["channel"].to_pylist()} - {None, MISSING})
        return Line(name, of_channels, SEE_CHANNELS if several else OF_ALL)
    why = NOBODY if metric in figures.names else NO_ROWS
    return Line(name, None, why)


def _of_channels(metric: str, metrics: LifecycleMetrics, figures: Figures) -> Shown | None:
    for row in metrics.channels.to_pylist():
        if (row["group"], row["channel"], row["metric"]) == (None, None, metric):
            told = row["value"]
            text = LACKING if told is None else in_unit(METRICS[metric].unit, told, figures.currency)
            n = f"n = {row['customers']:,}"
            return Shown(text, Words(n, n), None)
    return None
