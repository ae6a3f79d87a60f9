"""Pictures of a holdout: forecasts against what came, by groups of customers; how sure they were."""

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from lifestage.clv.evaluation import LABELS, Evaluation
from lifestage.clv.groups import LAST_FREQUENCY
from lifestage.clv.pit import BINS, Pit
from lifestage.clv.plots.canvas import ACTUAL, BLACK, MODEL, STYLES, canvas, thousands
from lifestage.errors import InputError

COLUMNS = {"model": "predicted_orders", **{n: f"{n}_orders" for n in LABELS if n != "model"}}
"""Column of a table by groups, by forecast."""
LARGE_ERROR = 50.0
"""Per cent at which a cell of the cohort table has its full colour."""


def orders_by_frequency(result: Evaluation) -> Figure:
    """Orders in the holdout, actual and foreseen, by repeat days before the cutoff."""
    table = result.by_frequency
    ticks = [f"{n}+" if n == LAST_FREQUENCY else f"{n}" for n in table["frequency"]]
    return _by_group(result, "by_frequency", "frequency", ticks, "repeat days before the cutoff")


def orders_by_silence(result: Evaluation) -> Figure:
    """Orders in the holdout, actual and foreseen, by days since the last order before the cutoff."""
    ticks = [f"{days}+" for days in result.by_silence["from_days"]]
    return _by_group(result, "by_silence", None, ticks, "days since the last order, at the cutoff")


def _by_group(result: Evaluation, table_name: str, at: str | None, ticks: list[str], xlabel: str) -> Figure:
    table = getattr(result, table_name)
    figure, axes = canvas(
        f"Orders in the {result.horizon_days:g} days after the cutoff",
        xlabel,
        "mean orders a customer",
    )
    place = np.arange(len(table)) if at is None else table[at].to_numpy()
    axes.plot(place, table["actual_orders"], label="actual", **STYLES["actual"])
    for name, column in COLUMNS.items():
        if column in table:
            axes.plot(place, table[column], label=LABELS[name], **STYLES[name])
    counts = [f"{tick}\n{n:,}" for tick, n in zip(ticks, table["customers"], strict=True)]
    axes.set_xticks(place, counts)
    axes.set_xlabel(f"{xlabel} (below: customers)")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return figure


def deciles(result: Evaluation) -> Figure:
    """Spend a customer in the holdout, actual and expected, by tenth of customers (best predicted first)."""
    figure, axes = canvas(
        f"Spend in the {result.horizon_days:g} days after the cutoff",
        "tenth of customers by predicted spend (1 = best)",
        "mean spend a customer (currency)",
    )
    table = result.deciles
    axes.bar(table["decile"] - 0.2, table["actual_spend"], 0.4, label="actual", color=ACTUAL)
    axes.bar(table["decile"] + 0.2, table["predicted_spend"], 0.4, label="model", color=MODEL)
    axes.set_xticks(table["decile"])
    thousands(axes.yaxis)
    axes.legend(frameon=False)
    return figure


def forecasts(result: Evaluation) -> Figure:
    """Each forecast's error of the total and mean absolute error a customer, of orders and spend."""
    figure = Figure(figsize=(9.0, 5.2), layout="constrained")
    figure.suptitle(f"Forecasts of the {result.horizon_days:g} days after the cutoff")
    parts = figure.subplots(2, 2)
    for row, of, digits in zip(parts, ("orders", "spend"), (3, 2), strict=True):
        names = [name for name in LABELS if f"{name}_{of}" in result.errors][::-1]
        for axes, metric, label, number in (
            (row[0], "total_error_percent", f"error of total {of} (%)", "{:+.1f} %"),
            (row[1], "mae", f"mean absolute error a customer ({of})", f"{{:,.{digits}f}}"),
        ):
            values = [result.errors[f"{name}_{of}"].get(metric, np.nan) for name in names]
            colours = [STYLES[name]["color"] for name in names]
            bars = axes.barh([LABELS[name] for name in names], values, 0.6, color=colours)
            axes.bar_label(bars, fmt=number, padding=3)
            axes.axvline(0.0, color=BLACK, linewidth=0.8)
            axes.margins(x=0.25)
            axes.set_xlabel(label)
            axes.spines[["top", "right"]].set_visible(False)
        row[1].set_yticklabels([])
    if out := [LABELS[name] for name in LABELS if name != "model" and f"{name}_orders" not in result.errors]:
        figure.supxlabel(f"not to be had here: {', '.join(out)}", fontsize="small")
    return figure


def cohort_table(result: Evaluation) -> Figure:
    """The cohort table as a picture; a cell of an error is the deeper orange (too many) or purple (too few)."""
    table = result.cohorts
    if table.empty:
        raise InputError(
            "the evaluation has no cohorts: its summary lacks cutoff_day, the cutoff's day number"
        )
    head = ["first\norder", "customers"]
    for of in ("orders", "spend"):
        head += [f"{of}\nexpected", f"{of}\ncame", f"{of}\nerror"]
    cells: list[list[str]] = []
    shades: list[list[Any]] = []
    colours = colormaps["PuOr_r"]
    for row in table.to_dict("records"):
        cells.append([row["cohort"], f"{row['customers']:,}"])
        shades.append(["white", "white"])
        for of in ("orders", "spend"):
            error = row[f"{of}_error_percent"]
            cells[-1] += [f"{row[f'total_predicted_{of}']:,.0f}", f"{row[f'total_actual_{of}']:,.0f}"]
            cells[-1].append("" if np.isnan(error) else f"{round(error) + 0:+d} %")
            part = 0.0 if np.isnan(error) else float(np.clip(error / LARGE_ERROR, -1.0, 1.0))
            shades[-1] += ["white", "white", colours(0.5 + 0.22 * part)]
    figure, axes = canvas("", "", "", (8.5, 1.3 + 0.28 * len(cells)))
    axes.set_title(f"Cohorts in the {result.horizon_days:g} days after the cutoff")
    axes.axis("off")
    drawn = axes.table(cells, cellColours=shades, colLabels=head, loc="center", cellLoc="right")
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(9)
    drawn.scale(1.0, 1.35)
    for (row_number, _), cell in drawn.get_celld().items():
        cell.set_edgecolor("#dddddd")
        if row_number == 0:
            cell.set(height=cell.get_height() * 1.5, facecolor="#f0f0f0")
    return figure


def pit_histogram(pit: Pit, of: str = "orders") -> Figure:
    """Share of customers by tenth of the predictive law of their orders or spend; flat where it is right."""
    figure, axes = canvas(
        f"Predictive law of {of}: central 80 % holds {100 * pit.central:.1f} %",
        f"where what came lies in the law of a customer's {of} (0 = lowest, 1 = highest)",
        "share of customers (%)",
    )
    left = np.arange(BINS) / BINS
    axes.bar(left, 100 * pit.bins, 1 / BINS, align="edge", color=MODEL, edgecolor="white")
    axes.axhline(100 / BINS, color=BLACK, linestyle="--", label="a law that is right")
    axes.set(xlim=(0, 1), xticks=np.arange(BINS + 1) / BINS)
    axes.set_ylim(0, max(1.25 * 100 * float(pit.bins.max()), 15.0))
    axes.legend(frameon=False, loc="upper right")
    return figure
