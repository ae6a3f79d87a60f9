"""The picture of one customer: P(alive) over time, purchases, and when the next order is expected."""

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from lifestage.clv.alive_path import alive_ahead, alive_path, customer, day_numbers
from lifestage.clv.model import ClvModel
from lifestage.clv.plots.canvas import BLACK, BLUE, GREY, VERMILION, canvas


def alive_history(
    model: ClvModel, purchase_days: npt.ArrayLike, cutoff: Any, name: str = "a customer", **traits: Any
) -> Figure:
    """P(alive) on each day until the cutoff and, as foreseen at it, after it; the next order as a diamond with its bar.

    purchase_days, cutoff: local days (numpy dates, ISO texts or day numbers). Purchases from the cutoff on, if
    given, are drawn pale: the model has not seen them. Diamond: half of the next orders that come within the
    horizon come before it; bar: 10 to 90 %; height: P(an order within the horizon).
    traits: the customer's covariates, those of the model. Raises InputError without a purchase before the cutoff.
    """
    bought = np.unique(day_numbers(purchase_days))
    end = int(day_numbers(cutoff))
    days, alive = alive_path(model, bought, end, **traits)
    ahead = np.arange(0.0, model.horizon_days + 1.0)
    later = alive_ahead(model, bought, end, ahead, **traits)
    known = bought[bought < end]
    now, _ = customer(model, bought, end, traits)
    next_order = {key: float(values[0]) for key, values in model.predict(now).items()}

    figure, axes = canvas(f"P(alive) of {name}", "", "probability", (9.0, 4.8))
    cutoff_date = np.datetime64(end, "D")
    axes.plot(days.astype("datetime64[D]"), alive, color=BLUE, linewidth=2, label="P(alive)")
    dates = cutoff_date + np.round(ahead).astype(np.int64)
    axes.plot(dates, later, "--", color=BLUE, label="P(alive) ahead")
    axes.vlines(known.astype("datetime64[D]"), 0, 0.06, color=BLACK, label="purchases")
    if (unseen := bought[bought >= end]).size:
        axes.vlines(unseen.astype("datetime64[D]"), 0, 0.06, color=GREY, label="purchases after the cutoff")
    axes.axvline(cutoff_date, color=GREY, linestyle=":", label="cutoff")

    def at(offset_days: float) -> Any:
        return np.datetime64(end * 86_400 + round(offset_days * 86_400), "s")

    chance, middle = next_order["p_order"], next_order["next_order_days"]
    low, high = next_order["next_order_low_days"], next_order["next_order_high_days"]
    said = f"next order, if within {model.horizon_days:g} days ({100 * chance:.0f} % likely)"
    axes.hlines(chance, at(low), at(high), color=VERMILION, linewidth=2)
    axes.plot(
        [at(middle)], [chance], "D", color=VERMILION, markersize=9, label=f"{said}:\nmedian, 10 to 90 %"
    )
    axes.set_ylim(0, 1.03)
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure
