"""Pictures of a shop's customers as a model sees them: how often they order, how they differ, who holds value.

Rates and chances of a model with covariates are those of the commonest level of each.
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from lifestage.clv.concentration import lorenz, value_shares
from lifestage.clv.frequencies import repeat_order_counts
from lifestage.clv.model import ClvModel
from lifestage.clv.plots.canvas import ACTUAL, BLUE, GREY, MODEL, VERMILION, canvas, thousands
from lifestage.clv.summary import Summary
from lifestage.clv.value import DAYS_A_YEAR
from lifestage.ragged import Floats

LEAST = 1e-4
"""A smaller figure is written as this one."""


def expected_repeat_purchases(model: ClvModel, max_T: float = 365.0) -> Figure:
    """Expected repeat orders of a new customer by days since the first, FHL eq. (9); dashed beyond max_T."""
    figure, axes = canvas(
        "Expected repeat orders of a new customer", "days since the first order", "repeat orders"
    )
    start = model.family.probability_alive(model.orders, np.zeros(1), np.zeros(1), np.zeros(1))
    for low, high, style, label in (
        (0.0, max_T, "-", f"the first {max_T:g} days"),
        (max_T, 1.5 * max_T, "--", "beyond"),
    ):
        times: Floats = np.linspace(low, high, 100)
        new = np.zeros_like(times)
        orders = start * model.family.expected_purchases_given_alive(model.orders, times, new, new)
        axes.plot(times, orders, style, color=MODEL, label=label)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, loc="lower right")
    return figure


def period_transactions(model: ClvModel, summary: Summary, most: int = 10) -> Figure:
    """Customers by number of repeat orders, seen and expected; summary: what the model was fitted on."""
    table = repeat_order_counts(model, summary, most)
    figure, axes = canvas(
        "How many customers ordered how often", "repeat orders before the cutoff", "customers"
    )
    place = table["repeat_orders"]
    axes.bar(place - 0.2, table["customers"], 0.4, label="actual", color=ACTUAL)
    axes.bar(place + 0.2, table["expected"], 0.4, label="model", color=MODEL)
    axes.set_xticks(place, [*(f"{n}" for n in range(most)), f"{most}+"])
    thousands(axes.yaxis)
    axes.legend(frameon=False)
    return figure


def order_rate_heterogeneity(model: ClvModel) -> Figure:
    """How customers' order rates differ while they are alive: the gamma density, in orders a year."""
    r, alpha = model.orders.r, model.orders.alpha
    law = stats.gamma(r, scale=DAYS_A_YEAR / alpha)
    return _density(
        law, float(law.ppf(0.95)), "Order rate of customers while alive", "orders a year", " a year"
    )


def dropout_heterogeneity(model: ClvModel) -> Figure:
    """How customers differ in leaving: the beta density of the chance to leave after an order, or (Pareto/NBD) the
    gamma density of the rate of leaving, a year.
    """
    params = model.orders._asdict()
    if "s" in params:
        law = stats.gamma(params["s"], scale=DAYS_A_YEAR / params["beta"])
        most = float(law.ppf(0.95))
        return _density(law, most, "Rate at which customers leave", "rate of leaving, a year", " a year")
    law = stats.beta(params["a"], params["b"])
    most = float(np.clip(law.ppf(0.99), 0.05, 1.0))
    return _density(law, most, "Chance to leave after an order", "probability to leave", "")


def _density(law: Any, most: float, title: str, xlabel: str, unit: str) -> Figure:
    figure, axes = canvas(title, xlabel, "density")
    # a density may be infinite at the ends: what lies within 1/200 of them is left out of the picture
    x = np.linspace(most / 200, most * 199 / 200, 400)
    axes.fill_between(x, law.pdf(x), color=BLUE, alpha=0.25, linewidth=0)
    axes.plot(x, law.pdf(x), color=BLUE)
    mean, median = float(law.mean()), float(law.median())
    for value, label, style in ((mean, "mean", "-"), (median, "half of the customers are below", "--")):
        said = f"{value:.3g}" if value >= LEAST else f"{LEAST:g}"
        axes.axvline(value, color=VERMILION, linestyle=style, label=f"{label} {said}{unit}")
    axes.set(xlim=(0, most))
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return figure


def value_concentration(clv: Floats) -> Figure:
    """Lorenz curve of customers' value, the best first; marked: what the best 1, 5, 10 and 20 % hold."""
    figure, axes = canvas(
        "Who holds the value", "share of customers, the best first (%)", "share of all value (%)"
    )
    who, held = lorenz(clv)
    # a million points are a thousand in the picture
    shown = np.unique(np.linspace(0, len(who) - 1, min(len(who), 2_000)).astype(np.int64))
    axes.plot(100 * who[shown], 100 * held[shown], color=BLUE)
    axes.plot([0, 100], [0, 100], ":", color=GREY, label="if all were worth the same")
    place = 100.0
    for top, share in reversed(value_shares(clv).items()):
        axes.plot(100 * top, 100 * share, "o", color=VERMILION)
        said = f"best {100 * top:g} % hold {100 * share:.0f} %"
        place = min(100 * share - 2, place - 6)  # so that no text lies on another
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        axes.text(100 * top + 2.5, place, said, va="center", bbox=paper)
    axes.set(xlim=(-1, 101), ylim=(0, 102))
    axes.legend(frameon=False, loc="lower right")
    return figure
