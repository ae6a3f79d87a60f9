"""Pictures of an order model by frequency and silence; in a model with covariates, of the commonest level of each."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lifestage.clv.model import ClvModel
from lifestage.clv.plots.canvas import canvas
from lifestage.ragged import Floats


def probability_alive_matrix(model: ClvModel, max_frequency: int = 20, T: int = 365) -> Figure:
    """P(alive) of customers of age T days, by frequency 1..max_frequency and days since the last order."""
    x, silence = _grid(1, max_frequency, T)
    alive = model.family.probability_alive(model.orders, x, T - silence, np.full_like(x, T)).reshape(T, -1)
    return _picture(f"P(alive) of customers of age {T} days", alive, x, "P(alive)", 1.0)


def expected_orders_matrix(model: ClvModel, max_frequency: int = 20, T: int = 365) -> Figure:
    """Orders expected within the model's horizon of customers of age T days, by frequency and days since the last.

    In an average season, at the level ahead.
    """
    x, silence = _grid(1, max_frequency, T)
    age = np.full_like(x, T)
    alive = model.family.probability_alive(model.orders, x, T - silence, age)
    t = model.clock.level * model.horizon_days
    orders = alive * model.family.expected_purchases_given_alive(model.orders, t, x, age)
    orders = orders.reshape(T, -1)
    title = f"Orders expected in {model.horizon_days:g} days, of customers of age {T} days"
    return _picture(title, orders, x, "orders a customer", None)


def _grid(low: int, high: int, T: int) -> tuple[Floats, Floats]:
    """Frequency and silence of every cell, a row of cells after the other: one entry a customer, as models ask."""
    x, silence = np.meshgrid(np.arange(float(low), high + 1.0), np.arange(0.0, T))
    return x.ravel(), silence.ravel()


def _picture(title: str, values: Floats, x: Floats, unit: str, most: float | None) -> Figure:
    figure, axes = canvas(title, "repeat days", "days since the last order")
    axes.spines[["top", "right"]].set_visible(True)
    extent = (float(x.min()) - 0.5, float(x.max()) + 0.5, -0.5, len(values) - 0.5)
    options: dict[str, Any] = {"aspect": "auto", "origin": "lower", "vmin": 0.0, "vmax": most}
    picture = axes.imshow(values, extent=extent, cmap="cividis", **options)
    step = max(1, round((x.max() - x.min()) / 10))
    axes.set_xticks(np.arange(x.min(), x.max() + 1, step))
    figure.colorbar(picture, ax=axes, label=unit)
    return figure
