"""Profit against number contacted, as a matplotlib figure without pyplot."""

from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from lifestage.churn.plots import COLOURS, GREY, LABELS
from lifestage.churn.profit.evaluation import GAIN, RISK, ProfitEvaluation

OURS = {GAIN: "#0072B2", RISK: "#56B4E9"}
NAMES = {GAIN: "expected gain (model and value)", RISK: "churn probability alone"}


def profit_figure(evaluation: ProfitEvaluation, currency: str) -> Figure:
    """One line an ordering; the model's list as a dot, what it was expected to earn as a ring."""
    figure = Figure(figsize=(7.2, 5.4), layout="constrained")
    axes = figure.add_subplot()
    curve = evaluation.curve
    for method, profit in curve.profit.items():
        is_ours = method == GAIN
        axes.plot(
            curve.contacted,
            profit,
            color=OURS.get(method) or COLOURS.get(method, GREY),
            linewidth=3.0 if is_ours else 1.4,
            zorder=2 if is_ours else 3,
            label=NAMES.get(method) or LABELS.get(method, method),
        )
    axes.fill_between(
        curve.contacted, curve.low, curve.high, color=OURS[GAIN], alpha=0.15, label="its 95 % interval"
    )
    n, earned = evaluation.contacts, evaluation.earned.value
    axes.plot(
        [n],
        [earned],
        "o",
        color=OURS[GAIN],
        markersize=9,
        zorder=6,
        label=f"its list: {n:,} contacts, {earned:,.0f}",
    )
    axes.plot(
        [n],
        [evaluation.expected],
        "o",
        markerfacecolor="none",
        color="black",
        markersize=9,
        zorder=7,
        label=f"expected beforehand: {evaluation.expected:,.0f}",
    )
    axes.axhline(0, color=GREY, linewidth=1)
    axes.set_title("What would contacting have earned?", loc="left")
    axes.set_xlabel("customers contacted, best first")
    axes.set_ylabel(f"profit of the campaign, {currency}")
    axes.set_xlim(0, evaluation.customers)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncol=2, edgecolor="none", fontsize=9)
    return figure
