"""The drift report as one self-contained HTML page: nothing is fetched, no script runs."""

from collections.abc import Mapping
from dataclasses import dataclass

from lifestage.drift import plots, wording
from lifestage.drift.findings import limit_of, unusual
from lifestage.drift.movement import Movement
from lifestage.drift.population import Rows
from lifestage.drift.watching import Drift
from lifestage.localtime import EPOCH, day_of
from lifestage.pages import Words, environment
from lifestage.pages.svg import inline_svg
from lifestage.release import Release

TEMPLATE = "page.html"
LISTED = 15
"""Features in the table: those that stand out, then by importance."""
LEAD = {
    "steady": Words(
        "Nothing that matters has moved beyond what is normal for this shop.",
        "没有任何重要指标的变化超出本店的正常范围。",
    ),
    "warn": Words(
        "Something has changed. Read the reasons below before you act on the scores.",
        "数据有变化。使用评分之前，请先查看下列原因。",
    ),
    "retrain": Words(
        "The customers of today are not those that the model learnt from: train again (make retrain).",
        "当前客户与模型训练时的客户已明显不同：请重新训练（make retrain）。",
    ),
}


@dataclass(frozen=True)
class Report:
    """All that the page shows."""

    shop: str
    as_of: str
    release: str
    drift: Drift
    rows: Mapping[str, Rows]
    loaded: Release
    moment: int
    """as_of as an instant."""


def drift_page(report: Report) -> str:
    """The page as text. Whatever comes from data, policy or configuration is escaped."""
    filters = {
        "index": lambda v: "–" if v is None else f"{v:.2f}",
        "percent": wording.percent,
        "whole": lambda n: "–" if n is None else f"{n:,.0f}",
        "table": wording.table,
    }
    template = environment("lifestage.drift", filters).get_template(TEMPLATE)
    drift, limits = report.drift, report.drift.limits
    by_weight = sorted(drift.movements, key=lambda m: (not unusual(m, limits), -m.importance, -m.index))
    features = [m for m in by_weight if m.kind == "feature"]
    scores = [m for m in drift.movements if m.kind == "score"]
    stages = [m for m in drift.movements if m.kind == "stage"]
    end = (day_of(report.moment, report.loaded.timezone) - EPOCH.date()).days
    drawn = {}
    if features:
        drawn["scatter"] = plots.importance_and_movement(drift.movements, limits)
        most = sorted(features, key=lambda m: -m.importance * m.index)
        most.sort(key=lambda m: not unusual(m, limits))
        drawn["features"] = plots.then_and_now(most)
    if scores:
        drawn["scores"] = plots.then_and_now(scores)
    if stages:
        drawn["stages"] = plots.stages_then_and_now(stages[0], report.loaded.policy)
    if drift.volumes:
        drawn["volume"] = plots.rows_by_week(report.rows, end)
    return template.render(
        r=report,
        d=drift,
        limits=limits,
        status=wording.STATUS[drift.status],
        lead=LEAD[drift.status],
        features=[_row(m, drift) for m in features[:LISTED]],
        more=max(len(features) - LISTED, 0),
        scores=[_row(m, drift) for m in [*scores, *stages]],
        svg={name: inline_svg(figure, f"drift-{name}") for name, figure in drawn.items()},
        volumes=drift.volumes,
        fresh={f.name: f for f in drift.fresh},
    )


def _row(movement: Movement, drift: Drift) -> dict[str, object]:
    return {
        "name": movement.name,
        "importance": movement.importance,
        "index": movement.index,
        "normal": movement.normal,
        "limit": limit_of(movement, drift.limits),
        "unusual": unusual(movement, drift.limits),
        "moved": wording.moved(movement),
    }
