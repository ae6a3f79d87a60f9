"""The report of one churn run as one self-contained HTML page: nothing is fetched, no script runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lifestage.churn.evaluation import MODEL, Evaluation
from lifestage.churn.plots import COLOURS, gain_figure, reliability_figure
from lifestage.churn.profit.evaluation import ProfitEvaluation
from lifestage.churn.profit.plots import profit_figure
from lifestage.churn.report import words
from lifestage.churn.report.glossary import GLOSSARY
from lifestage.churn.served.auc import auc
from lifestage.churn.served.four_way import FourWay
from lifestage.churn.served.segments import Segments
from lifestage.pages import Words, environment
from lifestage.pages.svg import inline_svg

TEMPLATE = "page.html"
DRIVERS = 10
LACKING = "–"
DRIVERS_NOTE = Words(
    "Share of the mean absolute contribution to the graded customers' log-odds, variants of one fact added up.",
    "各因素对受评客户对数几率贡献绝对值均值的占比，同一事实的各种表述已合并。",
)
PLACES = {"same": Words("same time", "同一时期"), "later": Words("later", "之后")}
PEOPLE = {"seen": Words("seen in training", "训练中见过"), "new": Words("new", "未见过")}


class Driver(NamedTuple):
    """One thing that the model goes by; shares of all drivers sum to at most 1."""

    name: str
    share: float
    meaning: str
    meaning_zh: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page of one run shows."""

    shop: str
    currency: str
    definition: str
    horizon_days: int
    active_within_days: int
    window: Mapping[str, str]
    """data_from, as_of, observed_until (local days), customers, fingerprint."""
    cutoffs: Mapping[str, Any]
    """train, evaluation, shipped: lists of local days; validation, test: one each."""
    evaluation: Evaluation
    champion: str
    drivers: Sequence[Driver]
    """The strongest first; DRIVERS_NOTE says what the shares are."""
    segments: Segments
    four_way: FourWay
    profit: ProfitEvaluation | None = None
    fallbacks: Sequence[Words] = ()
    """What the run had to do without."""


def drivers_of(importance: pd.DataFrame, top: int = DRIVERS) -> list[Driver]:
    """The `top` groups of `reason_plots.Drivers.importance`."""
    rows = importance[importance["share"] > 0].head(top)
    return [
        Driver(str(row["group"]), float(row["share"]), str(row["label"]), str(row["label_zh"]))
        for _, row in rows.iterrows()
    ]


def report_page(report: Report) -> str:
    """The page as text. Whatever comes from data or configuration (shop, attributes, levels) is escaped."""
    filters = {"number": _number, "percent": _percent, "whole": lambda n: f"{n:,.0f}"}
    template = environment("lifestage.churn.report", filters).get_template(TEMPLATE)
    e = report.evaluation
    figures = {
        "reliability": inline_svg(reliability_figure(e), "reliability"),
        "gain": inline_svg(gain_figure(e), "gain"),
    }
    if report.profit is not None:
        figures["profit"] = inline_svg(profit_figure(report.profit, report.currency), "profit")
    widest = max((driver.share for driver in report.drivers), default=1.0)
    return template.render(
        r=report,
        drivers_note=DRIVERS_NOTE,
        e=e,
        own=e.figures[MODEL],
        n=len(e.churned),
        colour=COLOURS[MODEL],
        means=words.churned_means(report.definition, report.horizon_days, report.active_within_days),
        verdict=words.verdict(e, report.champion),
        use=words.use(e),
        data_from=report.window["data_from"][:10],
        found=words.found(e),
        rule=words.label(e.rule),
        hits=words.hits(e, MODEL),
        rule_hits=words.hits(e, e.rule),
        calibration=words.calibration(e),
        methods=_methods(e),
        figures=figures,
        profit_words=None if report.profit is None else words.profit_words(report.profit, report.currency),
        drivers=[(driver, driver.share / widest) for driver in report.drivers],
        segments_words=Words(*report.segments.sentence()),
        failing=[(segment, words.failing_words(segment)) for segment in report.segments.failing],
        titles=report.segments.titles,
        four_way_words=Words(*report.four_way.sentence()),
        places=PLACES,
        people=PEOPLE,
        warnings=words.warnings_of(e, report.champion, report.segments, report.profit, report.fallbacks),
        glossary=GLOSSARY,
    )


def _methods(e: Evaluation) -> list[dict[str, Any]]:
    """One row per method, the model first."""
    rows = []
    for method, figures in e.figures.items():
        lead = e.differences.get(method)
        order = auc(e.scores[method], e.churned)
        rows.append(
            {
                "label": words.label(method),
                "colour": COLOURS.get(method, COLOURS[MODEL]),
                "is_model": method == MODEL,
                "roc_auc": order,
                "average_precision": figures["pr_auc_rarer"],
                "hits": words.hits(e, method),
                "ece": figures["ece"],
                "leads": None if lead is None else (lead["roc_auc"], lead["average_precision"]),
            }
        )
    return rows


def _number(value: float, places: int = 3, signed: bool = False) -> str:
    if not np.isfinite(value):
        return LACKING
    text = f"{round(value, places) + 0.0:{'+' if signed else ''}.{places}f}"
    return text.replace("-", "−")


def _percent(value: float) -> str:
    return words.percent(value) if np.isfinite(value) else LACKING
