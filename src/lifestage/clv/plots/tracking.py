"""Pictures of weekly tracking: repeat orders from the shop's first day to the end of the holdout."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from lifestage.clv.plots.canvas import ACTUAL, BLUE, GREY, VERMILION, canvas, thousands
from lifestage.clv.weekly import WEEK


def cumulative_tracking(weekly: pd.DataFrame) -> Figure:
    """Repeat orders to date, actual, expected and forecast; weekly: of `weekly_orders`."""
    figure, axes = canvas(
        "Repeat orders to date, of customers known at the cutoff", "", "repeat orders since the first day"
    )
    ends = _days(weekly) + weekly["days"].to_numpy()
    _draw(axes, weekly, ends, "_to_date", "-")
    axes.legend(frameon=False, loc="upper left")
    return figure


def incremental_tracking(weekly: pd.DataFrame) -> Figure:
    """Repeat orders a week, actual, expected and forecast; whole weeks only."""
    figure, axes = canvas(
        "Repeat orders a week, of customers known at the cutoff", "", "repeat orders a week"
    )
    whole = weekly[weekly["days"] == WEEK]
    _draw(axes, whole, _days(whole), "", "-")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def _days(weekly: pd.DataFrame) -> Any:
    return weekly["week"].to_numpy().astype("datetime64[D]")


def _draw(axes: Any, weekly: pd.DataFrame, days: Any, suffix: str, style: str) -> None:
    axes.plot(days, weekly[f"actual{suffix}"], style, color=ACTUAL, linewidth=1.8, label="actual")
    expected, forecast = weekly[f"expected{suffix}"], weekly[f"forecast{suffix}"]
    axes.plot(days, expected, "--", color=BLUE, label="expected of those who had come, parameters alone")
    after = weekly["after_cutoff"].to_numpy()
    label = "forecast at the cutoff, given each history"
    axes.plot(days[after], forecast[after], "-", color=VERMILION, linewidth=2.2, label=label)
    if after.any():
        cutoff = np.datetime64(weekly.loc[weekly["after_cutoff"], "week"].iloc[0], "D")
        axes.axvline(cutoff, color=GREY, linestyle=":", label="cutoff")
    axes.set_ylim(bottom=0)
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    thousands(axes.yaxis)
