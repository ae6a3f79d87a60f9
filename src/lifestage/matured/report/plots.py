"""Pictures over the rounds: level, calibration, order, value, coverage, stages; none of what is not over yet."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lifestage.clv.plots.canvas import ACTUAL, BLUE, GREY, MODEL, ORANGE, VERMILION, canvas
from lifestage.lifecycle.metrics.plots.canvas import readable
from lifestage.matured.report.pooled import PooledStage, pooled_stages
from lifestage.matured.rounds import Backtest, Round

SIZE = (7.5, 4.0)
COLOURS = {"orders": BLUE, "spend": ORANGE, "value": VERMILION}
MARKS = {"orders": "o", "spend": "s", "value": "^"}


def pictures(found: Backtest) -> dict[str, Figure]:
    """File stem -> figure; only those that have something to show."""
    churn = [r for r in found.rounds if r.churn.get("eligible")]
    order = [r for r in churn if "roc_auc" in r.churn]
    clv = [r for r in found.rounds if r.clv.get("buyers")]
    stages = pooled_stages(found.rounds)
    made = {
        "level": level(churn) if churn else None,
        "reliability": reliability(churn) if churn else None,
        "calibration": calibration(churn) if churn else None,
        "order": ranking(order) if order else None,
        "value": value(clv) if clv else None,
        "coverage": coverage(clv) if clv else None,
        "stages": stage_rates(stages) if any(s.predicted is not None for s in stages) else None,
    }
    return {name: figure for name, figure in made.items() if figure is not None}


def level(rounds: Sequence[Round]) -> Figure:
    """Predicted and observed churn rate of each round, with what chance explains around the predicted one."""
    figure, axes = canvas("Foreseen to leave, and left", "", "share of eligible customers", SIZE)
    days, predicted, chance = _days(rounds), _of(rounds, "predicted_rate"), _of(rounds, "rate_chance")
    axes.errorbar(
        days,
        predicted,
        chance,
        color=MODEL,
        marker="s",
        linestyle="--",
        capsize=3,
        label="foreseen, chance 95 %",
    )
    axes.plot(days, _of(rounds, "observed_rate"), color=ACTUAL, marker="o", label="left")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return _finish(figure, axes)


def reliability(rounds: Sequence[Round]) -> Figure:
    """Predicted against observed in ten bins of equal mass, a line a round; the newest is bold."""
    figure, axes = canvas("Are the probabilities true?", "foreseen", "left", (6.4, 4.4))
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="perfect")
    last = len(rounds) - 1
    for i, one in enumerate(rounds):
        if one.reliability is None:
            continue
        new = i == last
        axes.plot(
            one.reliability.predicted,
            one.reliability.observed,
            color=MODEL,
            marker="o" if new else None,
            alpha=1.0 if new else 0.3,
            linewidth=2.0 if new else 1.2,
            label=f"newest, {one.day}" if new else ("earlier" if i == 0 else None),
        )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(frameon=False)
    return figure


def calibration(rounds: Sequence[Round]) -> Figure:
    """Calibration error of each round beside what true probabilities would show."""
    figure, axes = canvas("Calibration error", "", "mean |foreseen - left|", SIZE)
    days = _days(rounds)
    axes.plot(days, _of(rounds, "calibration_error"), color=MODEL, marker="s", label="of the forecasts")
    perfect, most = (_of(rounds, f"calibration_error_{name}") for name in ("if_perfect", "chance"))
    axes.plot(days, perfect, color=GREY, marker=".", linestyle="--", label="if perfect, mean")
    axes.plot(days, most, color=GREY, marker=".", linestyle=":", label="if perfect, at most (97.5 %)")
    axes.set_ylim(bottom=0)
    return _finish(figure, axes)


def ranking(rounds: Sequence[Round]) -> Figure:
    """ROC-AUC, and the lift of the riskiest tenth, of each round."""
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    days = _days(rounds)
    above.plot(days, _of(rounds, "roc_auc"), color=MODEL, marker="s")
    above.axhline(0.5, color=GREY, linestyle="--", linewidth=1)
    above.set(title="Who leaves: order of the customers", ylabel="ROC-AUC", ylim=(0.45, 1.0))
    below.plot(days, _of(rounds, "observed_rate"), color=ACTUAL, marker="o", label="of all")
    below.plot(days, _of(rounds, "riskiest_rate"), color=MODEL, marker="s", label="of the riskiest tenth")
    below.set(ylabel="left", ylim=(0, 1.02))
    below.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    below.legend(frameon=False)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    _dates(below)
    return figure


def value(rounds: Sequence[Round]) -> Figure:
    """Error of the totals of orders, spend and discounted value, per cent of what came."""
    figure, axes = canvas("Totals: foreseen more (up) or less (down) than came", "", "error, %", SIZE)
    days = _days(rounds)
    for name, colour in COLOURS.items():
        errors = [r.clv.get(f"{name}_error_percent", np.nan) for r in rounds]
        style = {"linestyle": ":"} if name == "value" else {}
        axes.plot(
            days, errors, color=colour, marker=MARKS[name], label="CLV" if name == "value" else name, **style
        )
    axes.axhline(0, color=GREY, linewidth=1)
    return _finish(figure, axes)


def coverage(rounds: Sequence[Round]) -> Figure:
    """How often spend and the next order fell within their intervals, beside what those promise."""
    figure, axes = canvas("Intervals: how often they held", "", "share of customers", SIZE)
    days = _days(rounds)
    axes.plot(days, _of(rounds, "spend_coverage"), color=ORANGE, marker="s", label="spend")
    axes.plot(days, _of(rounds, "spend_promised"), color=ORANGE, linestyle="--", label="spend, promised")
    if any("next_order_coverage" in r.clv for r in rounds):
        next_order = [r.clv.get("next_order_coverage", np.nan) for r in rounds]
        axes.plot(days, next_order, color=BLUE, marker="o", label="next order")
        axes.axhline(0.8, color=BLUE, linestyle="--", linewidth=1.5, label="next order, promised")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_ylim(min(0.5, axes.get_ylim()[0]), 1.02)
    return _finish(figure, axes)


@readable
def stage_rates(stages: Sequence[PooledStage]) -> Figure:
    """Churn rate of each stage, foreseen and come, the rounds of the last quarter added up."""
    rows = [s for s in stages if s.observed is not None][::-1]
    figure, axes = canvas("Left, by stage", "share of eligible customers", "", (7.5, 0.9 + 0.5 * len(rows)))
    at = np.arange(len(rows))
    axes.barh(at, [s.observed for s in rows], color=GREY, height=0.55, label="left")
    axes.plot([s.predicted for s in rows], at, "D", color=MODEL, label="foreseen")
    axes.set_yticks(at, [f"{s.en} ({s.eligible:,})" for s in rows])
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def _days(rounds: Sequence[Round]) -> list[date]:
    return [date.fromisoformat(r.day) for r in rounds]


def _of(rounds: Sequence[Round], name: str) -> list[float]:
    return [r.churn[name] if name in r.churn else r.clv[name] for r in rounds]


def _dates(axes: Any) -> None:
    locator = AutoDateLocator(minticks=2, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _finish(figure: Figure, axes: Any) -> Figure:
    _dates(axes)
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return figure
