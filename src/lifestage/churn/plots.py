"""Pictures of one evaluation: matplotlib figures without pyplot, so no window or global state is touched."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from sklearn.metrics import roc_curve

from lifestage.churn.evaluation import BASE_RATE, LOGISTIC, MODEL, Evaluation
from lifestage.churn.metrics import Reliability, gain_curve, reliability
from lifestage.churn.training import Fit

# Okabe & Ito's palette: told apart by colour-blind readers too.
COLOURS = {
    MODEL: "#0072B2",
    "days_since_last_order": "#D55E00",
    "bg_nbd_expected_orders": "#009E73",
    "days_since_last_event": "#D55E00",
    "days_subscribed": "#D55E00",
    LOGISTIC: "#CC79A7",
    BASE_RATE: "#777777",
}
LABELS = {
    MODEL: "churn model",
    "days_since_last_order": "days since last order",
    "bg_nbd_expected_orders": "BG/NBD expected orders",
    "days_since_last_event": "days since last event",
    "days_subscribed": "days subscribed",
    LOGISTIC: "logistic regression on RFM",
    BASE_RATE: "base rate",
}
GREY = "#777777"


def all_plots(evaluation: Evaluation, fit: Fit) -> dict[str, Figure]:
    """File stem -> figure, for a tracker or a report."""
    return {
        "reliability": reliability_figure(evaluation),
        "gain": gain_figure(evaluation),
        "lift": lift_figure(evaluation),
        "roc": roc_figure(evaluation),
        "importance": importance_figure(fit.model.importance()),
    }


def reliability_figure(evaluation: Evaluation) -> Figure:
    """Predicted against observed in ten bins of equal mass, each with its 95 % range under a true model."""
    figure, axes = _canvas("Are the probabilities true?", "predicted churn probability", "share that churned")
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="perfect")
    lines = {m: reliability(p, evaluation.churned) for m, p in evaluation.probabilities.items()}
    for method, r in lines.items():
        error = evaluation.figures[method]["ece"]
        label = f"{LABELS[method]} (calibration error {error:.3f})"
        axes.plot(r.predicted, r.observed, marker="o", label=label, **_style(method))
        if method == MODEL:
            spread = 1.96 * np.sqrt(r.predicted * (1 - r.predicted) / r.customers)
            lower, upper = np.clip(r.predicted - spread, 0, 1), np.clip(r.predicted + spread, 0, 1)
            axes.fill_between(
                r.predicted,
                lower,
                upper,
                color=COLOURS[MODEL],
                alpha=0.15,
                label="95 % range if true",
            )
    low, high = _span(lines)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    figure.legend(
        loc="outside lower center", ncol=2, edgecolor="none", fontsize=9
    )  # the lines fill the square
    return figure


def gain_figure(evaluation: Evaluation) -> Figure:
    """Share of all churners reached against share of customers contacted, riskiest first."""
    figure, axes = _canvas(
        "How many churners does a list of customers reach?",
        "customers contacted, riskiest first",
        "churners reached",
    )
    share = np.linspace(0, 1, 201)
    best = np.minimum(share / evaluation.base_rate, 1)
    axes.plot(share, best, color=GREY, linestyle=":", linewidth=1, label="perfect foresight")
    for method, score in evaluation.scores.items():
        axes.plot(share, gain_curve(score, evaluation.churned, share), label=LABELS[method], **_style(method))
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="at random")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    return _finish(figure, axes, "lower right")


def lift_figure(evaluation: Evaluation) -> Figure:
    """How many times as many churners as at random, against share of customers contacted."""
    figure, axes = _canvas(
        "How much better than contacting at random?",
        "customers contacted, riskiest first",
        "lift (random = 1)",
    )
    share = np.linspace(0.01, 1, 100)
    for method, score in evaluation.scores.items():
        lift = gain_curve(score, evaluation.churned, share) / share
        axes.plot(share, lift, label=LABELS[method], **_style(method))
    axes.axhline(1, color=GREY, linestyle="--", linewidth=1, label="at random")
    ceiling = 1 / evaluation.base_rate
    if ceiling < 3:
        axes.axhline(ceiling, color=GREY, linestyle=":", linewidth=1, label="most possible")
    axes.set_xlim(0, 1)
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.4 * (high - low), high)  # room for the legend below the line at 1
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.set_major_formatter("{x:.2f}")
    return _finish(figure, axes, "upper right" if ceiling >= 3 else "lower left")


def roc_figure(evaluation: Evaluation) -> Figure:
    """Churners found against others contacted in vain."""
    figure, axes = _canvas(
        "ROC: churners found against loyal customers disturbed", "others contacted", "churners reached"
    )
    for method, score in evaluation.scores.items():
        false_positive, true_positive, _ = roc_curve(evaluation.churned, score)
        label = f"{LABELS[method]} (AUC {evaluation.figures[method]['roc_auc']:.3f})"
        axes.plot(false_positive, true_positive, label=label, **_style(method))
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="at random (AUC 0.500)")
    axes.set(xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    return _finish(figure, axes, "lower right")


def importance_figure(importance: Mapping[str, float], top: int = 20) -> Figure:
    """The features that told churners from others most: share of split gain, the `top` largest."""
    shown = dict(sorted(importance.items(), key=lambda item: -item[1])[:top])
    figure = Figure(figsize=(7.2, 1.4 + 0.28 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    names = list(shown)[::-1]
    axes.barh(names, [shown[name] for name in names], color=COLOURS[MODEL])
    of = f" (the {top} largest of {len(importance)})" if len(importance) > top else ""
    axes.set_title(f"What the churn model looks at{of}", loc="left")
    axes.set_xlabel("share of the gain of all splits")
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _canvas(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7.2, 5.4), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _span(lines: Mapping[str, Reliability]) -> tuple[float, float]:
    """The part of [0, 1] that all bins lie in, with a margin: where everybody churns, 0 to 1 shows a blot."""
    values = np.concatenate([part for r in lines.values() for part in (r.predicted, r.observed)])
    margin = 0.02 + 0.1 * float(np.ptp(values))
    return max(0.0, float(values.min()) - margin), min(1.0, float(values.max()) + margin)


def _style(method: str) -> dict[str, Any]:
    is_model = method == MODEL
    return {"color": COLOURS[method], "linewidth": 3.0 if is_model else 1.4, "zorder": 2 if is_model else 3}


def _finish(figure: Figure, axes: Axes, legend: str) -> Figure:
    axes.legend(loc=legend, framealpha=0.9, edgecolor="none", fontsize=9).set_zorder(5)
    return figure
