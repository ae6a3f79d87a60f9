"""Stages over time, flow in and out, time in stage, cohort retention."""

from datetime import datetime
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from lifestage.lifecycle.metrics.plots.canvas import (
    BLACK,
    GREY,
    OF_ROLE,
    canvas,
    cells,
    label,
    palette,
    readable,
    thousands,
)
from lifestage.lifecycle.metrics.tables import LifecycleMetrics
from lifestage.lifecycle.policy import Policy
from lifestage.localtime import moment

LAST_COHORTS = 24
FLOWS = {"new": OF_ROLE["new"], "returned": OF_ROLE["active"], "lost": OF_ROLE["lost"]}


def _local(instant: Any, zone: str) -> datetime:
    return instant.astimezone(moment(0, zone).tzinfo).replace(tzinfo=None)


def _dates(axes: Any) -> None:
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


@readable
def stages_over_time(metrics: LifecycleMetrics, policy: Policy, zone: str) -> Figure:
    """Customers in each stage at each frame, stacked in the order of the stages."""
    rows = [r for r in metrics.stages.to_pylist() if r["group"] is None]
    stages = list(dict.fromkeys(r["stage"] for r in rows))
    times = sorted({r["as_of"] for r in rows})
    held = {(r["as_of"], r["stage"]): r["customers"] for r in rows}
    layers = np.array([[held[t, s] for t in times] for s in stages], float)
    colours = palette(policy, stages)
    figure, axes = canvas("Customers by stage", "", "customers", (8.0, 4.4))
    names = [label(policy, s) for s in stages]
    if len(times) == 1:
        axes.barh(names[::-1], layers[::-1, 0], color=[colours[s] for s in stages[::-1]])
        axes.set(xlabel="customers", ylabel="")
        thousands(axes.xaxis)
        return figure
    axes.stackplot(
        [_local(t, zone) for t in times], layers, labels=names, colors=[colours[s] for s in stages], lw=0
    )
    axes.margins(x=0)
    _dates(axes)
    thousands(axes.yaxis)
    figure.legend(
        *(part[::-1] for part in axes.get_legend_handles_labels()), loc="outside right center", frameon=False
    )
    return figure


@readable
def flow(metrics: LifecycleMetrics, zone: str) -> Figure:
    """New and returned customers upwards, lost ones downwards, and kept ones as a line, by period."""
    rows = [r for r in metrics.flow.to_pylist() if r["group"] is None]
    ends = [_local(r["end"], zone).strftime("%Y-%m-%d") for r in rows]
    at = np.arange(len(rows))
    figure = Figure(figsize=(8.0, 5.0), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2))
    above.plot(at, [r["kept"] for r in rows], color=OF_ROLE["active"], marker="o", label="kept")
    above.set(title="Who came, stayed and left, by end of the period", ylabel="kept")
    above.set_ylim(bottom=0)
    new, returned, lost = (np.array([r[name] for r in rows], float) for name in FLOWS)
    below.bar(at, new, color=FLOWS["new"], label="new")
    below.bar(at, returned, bottom=new, color=FLOWS["returned"], label="returned")
    below.bar(at, -lost, color=FLOWS["lost"], label="lost")
    below.axhline(0, color=GREY, linewidth=0.8)
    below.set(ylabel="in (up), out (down)")
    below.set_xticks(at, ends, rotation=45, ha="right")
    below.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
    thousands(above.yaxis)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right center", frameon=False)
    return figure


@readable
def time_in_stage(metrics: LifecycleMetrics, policy: Policy) -> Figure:
    """Median of the time in each stage, with the middle half of the stays; an arrow where its end is not reached."""
    rows = [r for r in metrics.stays.to_pylist() if r["group"] is None][::-1]
    stages = [r["stage"] for r in rows]
    colours = palette(policy, [s.name for s in policy.stages])
    figure, axes = canvas(
        "Time in stage", "days (Kaplan-Meier: line = middle half, dot = median)", "", (8.0, 3.6)
    )
    known = [
        r[k] for r in rows for k in ("quarter_days", "median_days", "three_quarter_days") if r[k] is not None
    ]
    far = 1.15 * max(known, default=1.0)
    for y, row in enumerate(rows):
        colour = colours.get(row["stage"], GREY)
        low, high = row["quarter_days"], row["three_quarter_days"]
        if low is not None:
            axes.hlines(y, low, far if high is None else high, color=colour, linewidth=5, alpha=0.6)
            if high is None:
                axes.plot([far], [y], ">", color=colour)
        if row["median_days"] is not None:
            axes.plot([row["median_days"]], [y], "o", color=colour, markersize=9)
            axes.annotate(
                f"{row['median_days']:.0f}",
                (row["median_days"], y),
                (0, 8),
                textcoords="offset points",
                ha="center",
            )
        if low is None:
            axes.text(0, y, " too few, or too few left yet", va="center", color=GREY, fontsize="small")
    axes.set_yticks(
        range(len(rows)), [f"{label(policy, s)} ({r['stays']:,})" for s, r in zip(stages, rows, strict=True)]
    )
    axes.set_ylim(-0.6, len(rows) - 0.2)
    axes.set_xlim(0, far * 1.05)
    return figure


@readable
def retention(metrics: LifecycleMetrics) -> Figure:
    """Share of each monthly cohort that ordered k months later; grey: not over yet, or too few customers."""
    rows = [r for r in metrics.cohorts.to_pylist() if r["group"] is None]
    cohorts = sorted({r["cohort"] for r in rows})[-LAST_COHORTS:]
    width = max((r["month"] for r in rows if r["cohort"] in cohorts), default=0) + 1
    share = np.full((len(cohorts), max(width, 2)), np.nan)
    sizes = dict.fromkeys(cohorts, 0)
    for r in rows:
        if r["cohort"] in sizes:
            sizes[r["cohort"]] = r["customers"]
            if r["share"] is not None and r["month"] > 0:
                share[cohorts.index(r["cohort"]), r["month"]] = r["share"]
    figure, axes = canvas(
        "Of those who first ordered in a month, how many ordered again",
        "months after the first order",
        "month of the first order (customers)",
        (8.0, 1.4 + 0.26 * len(cohorts)),
    )
    colours = colormaps["Blues"].with_extremes(bad="#d9d9d9")
    top = float(np.nanmax(share)) if np.isfinite(share).any() else 1.0
    cells(axes, share[:, 1:], colours, top or 1.0)
    for (i, j), value in np.ndenumerate(share[:, 1:]):
        if np.isfinite(value):
            ink = "white" if value > 0.55 * top else BLACK
            axes.text(j, i, f"{100 * value:.0f}", ha="center", va="center", fontsize=7, color=ink)
    axes.set_xticks(range(share.shape[1] - 1), range(1, share.shape[1]))
    axes.set_yticks(range(len(cohorts)), [f"{c} ({sizes[c]:,})" for c in cohorts])
    axes.tick_params(labelsize=8)
    axes.spines[:].set_visible(False)
    return figure
