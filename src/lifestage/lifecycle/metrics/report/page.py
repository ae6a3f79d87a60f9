"""The lifecycle report as one self-contained HTML page: nothing is fetched, no script runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lifestage.lifecycle.metrics.catalogue import METRICS
from lifestage.lifecycle.metrics.channels import METRICS as BY_CHANNEL
from lifestage.lifecycle.metrics.levels import MISSING
from lifestage.lifecycle.metrics.plots import pictures
from lifestage.lifecycle.metrics.plots.moves import last_moves
from lifestage.lifecycle.metrics.report import sentences
from lifestage.lifecycle.metrics.report.ahead import SOON_DAYS
from lifestage.lifecycle.metrics.report.cards import Card, cards, named
from lifestage.lifecycle.metrics.report.lookup import LACKING, SAME, Figures, in_unit
from lifestage.lifecycle.metrics.tables import LifecycleMetrics
from lifestage.lifecycle.policy import Policy
from lifestage.localtime import moment
from lifestage.pages import Words, environment
from lifestage.pages.svg import inline_svg

TEMPLATE = "page.html"
PERIODS, MOVES = 12, 8
"""Of the flow's periods and of the moves, so many are told, the newest and the largest."""
GROUP_METRICS = (
    "customers",
    "lifetime_value",
    "churn_rate",
    "win_back_rate",
    "repurchase_rate",
    "repeat_buyer_share",
    "average_order_value",
    "purchase_frequency",
    "nps",
)
NONE = Words("none known", "未知")
"""Of the customers for whom a group's column is empty."""


@dataclass(frozen=True, slots=True)
class LifecycleReport:
    """All that the page shows."""

    shop: str
    currency: str
    zone: str
    metrics: LifecycleMetrics
    policy: Policy
    horizon_days: int
    """Of the CLV."""
    at_risk: Sequence[Mapping[str, Any]] = ()
    """Rows of schemas.SCORE, those to look after first."""
    about_to: Sequence[Mapping[str, Any]] = ()
    """Rows of ahead.about_to_move."""
    release: str = ""


def lifecycle_page(report: LifecycleReport) -> str:
    """The page as text. Whatever comes from data, policy or configuration is escaped."""
    filters = {
        "whole": lambda n: LACKING if n is None else f"{n:,.0f}".replace("-", "−"),
        "signed": lambda n: LACKING if n is None else f"{n:+,.0f}".replace("-", "−") if n else "0",
        "money": lambda v: LACKING if v is None else in_unit("currency", v, "").strip(),
        "percent": lambda v: LACKING if v is None else in_unit("share", v, ""),
        "day": lambda t: LACKING if t is None else _day(t, report.zone),
    }
    template = environment("lifestage.lifecycle.metrics.report", filters).get_template(TEMPLATE)
    metrics, policy = report.metrics, report.policy
    figures = Figures(metrics, report.currency)
    # Channels have names from the data, in any script: their bars are drawn by the page, whose fonts have them.
    drawn = {n: f for n, f in pictures(metrics, policy, report.zone).items() if n != "ltv-cac"}
    of_stages = cards(metrics, policy, figures)
    flows = [r for r in metrics.flow.to_pylist() if r["group"] is None]
    labels = {card.name: card.label for card in of_stages} | {
        "new": Words("new", "新增"),
        "gone": Words("gone", "不再出现"),
    }
    moved = sorted(
        (r for r in last_moves(metrics) if r["from_stage"] != r["to_stage"]),
        key=lambda r: (-r["customers"], r["from_stage"], r["to_stage"]),
    )
    return template.render(
        r=report,
        m=metrics,
        as_of=figures.newest,
        before=figures.before,
        headline=sentences.headline(flows, of_stages, policy),
        tiles=sentences.tiles(figures, flows, of_stages, policy, report.horizon_days),
        cards=of_stages,
        widest=max((card.customers for card in of_stages), default=0) or 1,
        svg={name: inline_svg(figure, f"life-{name}") for name, figure in drawn.items()},
        flows=flows[::-1][:PERIODS],
        moves=moved[:MOVES],
        labels=labels,
        soon_days=SOON_DAYS,
        same=SAME,
        comparable=figures.comparable,
        channels=_channels(metrics, report.currency),
        lacks_lost=not any(stage.role == "lost" for stage in policy.stages),
        groups=_groups(metrics, figures, policy),
        group_metrics=[name for name in GROUP_METRICS if name in figures.names],
        catalogue=METRICS,
        definitions=_definitions(metrics, of_stages),
        missing=_not_measured(policy),
        plain=figures.shown("plain_lifetime_value"),
        life=figures.shown("lifetime"),
        model=figures.shown("lifetime_value"),
    )


def _day(instant: datetime, zone: str) -> str:
    return f"{instant.astimezone(moment(0, zone).tzinfo):%Y-%m-%d}"


def _channels(metrics: LifecycleMetrics, currency: str) -> dict[str, Any] | None:
    """Rows by channel for the table, the best LTV / CAC first; None where no channel is known."""
    rows = [r for r in metrics.channels.to_pylist() if r["group"] is None]
    names = {r["channel"] for r in rows} - {None}
    if not names or names == {MISSING}:
        return None
    told = [m for m in dict.fromkeys(BY_CHANNEL.values()) if any(r["metric"] == m for r in rows)]
    cell = {(r["channel"], r["metric"]): r for r in rows}
    ratio = {n: (cell.get((n, "ltv_cac")) or {}).get("value") for n in [*names, None]}
    top = max((v for n, v in ratio.items() if n is not None and v is not None), default=0.0) or 1.0
    lines = []
    for name in [*sorted(names, key=lambda n: (-(ratio[n] or -1.0), n)), None]:
        people = cell[name, "channel_conversion"]["customers"]
        cost = cell.get((name, "acquisition_cost"))
        values = []
        for metric in told:
            row = cell[name, metric]
            text = LACKING if row["value"] is None else in_unit(METRICS[metric].unit, row["value"], currency)
            values.append(
                (metric, text, row["customers"], row["value"] is None and row["customers"] < metrics.minimum)
            )
        lines.append(
            {
                "name": name,
                "missing": name == MISSING,
                "customers": people,
                "values": values,
                "without_cost": people - cost["customers"] if cost else people,
                "bar": None if name is None or ratio[name] is None else 100 * float(ratio[name] or 0) / top,
            }
        )
    return {"metrics": told, "rows": lines, "costs": "ltv_cac" in told}


def _groups(metrics: LifecycleMetrics, figures: Figures, policy: Policy) -> list[tuple[Words, list[Any]]]:
    """Each group's name and figures; tiers, segments and risk levels as the policy orders and calls them."""
    parts: dict[str | None, Sequence[Any]] = {
        "tier": policy.tiers,
        "segment": policy.segments,
        "risk": policy.risk,
    }
    labels = {i.name: Words(i.labels.en, i.labels.zh) for i in parts.get(metrics.group, ())}
    names = [r for r in dict.fromkeys(metrics.stages["group"].to_pylist()) if r is not None]
    names.sort(key=lambda name: list(labels).index(name) if name in labels else len(labels))
    told = [name for name in GROUP_METRICS if name in figures.names]
    return [
        (
            NONE if name == MISSING else labels.get(name, Words(name, name)),
            [figures.shown(metric, None, name) for metric in told],
        )
        for name in names
    ]


def _definitions(metrics: LifecycleMetrics, of_stages: Sequence[Card]) -> list[str]:
    """Names of the metrics that the page may show, in the catalogue's order."""
    told = set(metrics.figures["metric"].to_pylist()) | set(metrics.channels["metric"].to_pylist())
    return [name for name, metric in METRICS.items() if metric.measured and name in told and of_stages]


def _not_measured(policy: Policy) -> list[tuple[Words, Words]]:
    found: dict[str, tuple[Words, Words]] = {}
    for stage in policy.stages:
        for item in stage.metrics:
            metric = METRICS.get(item.name)
            if metric is not None and not metric.measured:
                found[item.name] = (named(item), Words(metric.needs, metric.needs_zh))
    return list(found.values())
