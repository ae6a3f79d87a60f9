"""What all pictures share: a figure without a window, and colours that the colour-blind can tell apart."""

from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

# Okabe & Ito (2008), "Color Universal Design"
BLACK, ORANGE, SKY, GREEN = "#222222", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#999999"
ACTUAL, MODEL = BLACK, BLUE
STYLES: dict[str, dict[str, Any]] = {
    "actual": {"color": ACTUAL, "marker": "o", "linestyle": "-", "linewidth": 2.0},
    "model": {"color": MODEL, "marker": "s", "linestyle": "--", "linewidth": 2.0},
    "naive": {"color": ORANGE, "marker": "^", "linestyle": ":"},
    "last_year": {"color": PURPLE, "marker": "v", "linestyle": ":"},
    "lifetimes": {"color": GREEN, "marker": "x", "linestyle": "-."},
}
"""By name of a forecast (evaluation.LABELS) and "actual"; told apart by marker and line too."""


def canvas(
    title: str, xlabel: str, ylabel: str, size: tuple[float, float] = (7.5, 4.8)
) -> tuple[Figure, Any]:
    """A figure and its axes."""
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def thousands(axis: Any) -> None:
    """Large numbers as 12,000."""
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
