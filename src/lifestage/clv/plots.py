"""Pictures of a CLV model and its holdout, as matplotlib Figures without a window (extra `train`)."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lifestage.clv.evaluation import Evaluation
from lifestage.clv.groups import LAST_FREQUENCY
from lifestage.clv.model import ClvModel
from lifestage.ragged import Floats


def _axes(title: str, xlabel: str, ylabel: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    return figure, axes


def orders_by_frequency(result: Evaluation) -> Figure:
    """Orders in the holdout, actual, expected and naive, by repeat days before the cutoff."""
    figure, axes = _axes(
        f"Orders in the {result.horizon_days:g} days after the cutoff",
        "repeat days before the cutoff",
        "orders a customer",
    )
    table = result.by_frequency
    for column, label, style in (
        ("actual_orders", "actual", "o-"),
        ("predicted_orders", "expected", "s--"),
        ("naive_orders", "own past rate", "^:"),
    ):
        axes.plot(table["frequency"], table[column], style, label=label)
    axes.set_xticks(
        table["frequency"], [f"{n}+" if n == LAST_FREQUENCY else f"{n}" for n in table["frequency"]]
    )
    axes.legend()
    return figure


def deciles(result: Evaluation) -> Figure:
    """Spend a customer in the holdout, actual and expected, by tenth of customers (best predicted first)."""
    figure, axes = _axes(
        f"Spend in the {result.horizon_days:g} days after the cutoff",
        "decile of predicted spend (1 = best)",
        "spend a customer",
    )
    table = result.deciles
    axes.bar(table["decile"] - 0.2, table["actual_spend"], 0.4, label="actual")
    axes.bar(table["decile"] + 0.2, table["predicted_spend"], 0.4, label="expected")
    axes.set_xticks(table["decile"])
    axes.legend()
    return figure


def probability_alive_matrix(model: ClvModel, max_frequency: int = 20, T: int = 365) -> Figure:
    """P(alive) of customers of age T days, by frequency 1..max_frequency and days since the last order."""
    x, silence = np.meshgrid(np.arange(1.0, max_frequency + 1.0), np.arange(0.0, T))
    alive = model.family.probability_alive(model.orders, x, T - silence, np.full_like(x, T))
    figure, axes = _axes(f"P(alive) of customers of age {T} days", "repeat days", "days since the last order")
    extent = (0.5, max_frequency + 0.5, -0.5, T - 0.5)
    picture = axes.imshow(alive, aspect="auto", origin="lower", vmin=0.0, vmax=1.0, extent=extent)
    figure.colorbar(picture, ax=axes)
    return figure


def expected_repeat_purchases(model: ClvModel, max_T: float = 365.0) -> Figure:
    """Expected repeat orders of a new customer by days since the first, FHL eq. (9); dashed beyond max_T."""
    figure, axes = _axes("Expected repeat orders of a new customer", "days since the first order", "orders")
    for low, high, style in ((0.0, max_T, "-"), (max_T, 1.5 * max_T, "--")):
        times: Floats = np.linspace(low, high, 100)
        new = np.zeros_like(times)
        orders = model.family.expected_purchases_given_alive(model.orders, times, new, new)
        axes.plot(times, orders, style, color="C0")
    return figure
