"""Pictures of drift: importance against movement, distributions then and now, stages then and now, rows by week."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lifestage.drift.bins import Bins
from lifestage.drift.findings import unusual
from lifestage.drift.movement import Movement, both_shares
from lifestage.drift.population import Rows
from lifestage.drift.volume import windows
from lifestage.drift.wording import number, table
from lifestage.lifecycle.metrics.plots.canvas import BLUE, GREY, canvas, label, readable, thousands
from lifestage.lifecycle.policy import Policy
from lifestage.localtime import EPOCH
from lifestage.settings import Monitoring

NOW, THEN, BAD = BLUE, "#BBBBBB", "#B03A00"
NAMED = 8
"""Features that are named in the scatter."""
MULTIPLES = 6
WEEKS = 108
SMALLEST = 1e-3
"""Smaller indices are drawn here."""


@readable
def importance_and_movement(moved: Sequence[Movement], limits: Monitoring) -> Figure:
    """A dot a feature: how much the churn model goes by it, and how far it has moved."""
    figure, axes = canvas(
        "What the churn model goes by, and what has moved",
        "share of the model's importance",
        "stability index since training",
        (8.0, 4.6),
    )
    features = [m for m in moved if m.kind == "feature"]
    x = np.array([m.importance for m in features])
    y = np.maximum([m.index for m in features], SMALLEST)
    odd = np.array([unusual(m, limits) for m in features], bool)
    axes.scatter(x[~odd], y[~odd], color=GREY, label="within what is normal here", zorder=3)
    axes.scatter(x[odd], y[odd], color=BAD, marker="D", label="beyond what is normal here", zorder=3)
    for value, word in ((limits.warn_stability_index, "warn"), (limits.retrain_stability_index, "retrain")):
        axes.axhline(value, color=BAD, lw=0.8, ls=":" if word == "warn" else "--")
        axes.text(1.0, value, f" {word}", color=BAD, va="center", transform=axes.get_yaxis_transform())
    weight = x * y + np.where(odd, 1.0, 0.0) * x
    for i in np.argsort(-weight)[:NAMED]:
        axes.annotate(features[i].name, (x[i], y[i]), (5, 4), textcoords="offset points", fontsize="small")
    axes.set_yscale("log")
    axes.set_ylim(SMALLEST * 0.7, max(2.0, float(y.max(initial=0)) * 1.5))
    axes.margins(x=0.12)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.legend(frameon=False, loc="lower right")
    return figure


@readable
def then_and_now(moved: Sequence[Movement]) -> Figure:
    """Shares of each bin of a few columns, at training and now."""
    many = moved[:MULTIPLES]
    columns = min(len(many), 2) or 1
    rows = -(-len(many) // columns) or 1
    figure = Figure(figsize=(8.0, 2.7 * rows), layout="constrained")
    for axes, movement in zip(
        np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).flat, many, strict=False
    ):
        p, q = both_shares(movement)
        names = bin_names(movement.bins)
        shown = [i for i in range(len(names)) if movement.then[i] or movement.now[i]]
        at = np.arange(len(shown))
        axes.bar(at - 0.2, p[shown], 0.4, color=THEN, label="training")
        axes.bar(at + 0.2, q[shown], 0.4, color=NOW, label="now")
        axes.set_xticks(at, [names[i] for i in shown], rotation=45, ha="right", fontsize=7)
        axes.set_title(movement.name, fontsize="medium")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.spines[["top", "right"]].set_visible(False)
    for axes in figure.axes[len(many) :]:
        axes.set_visible(False)
    if many:
        handles = figure.axes[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper right", ncols=2, frameon=False)
    return figure


def bin_names(bins: Bins) -> list[str]:
    """A short name of each bin; an atom's own bin by its value."""
    if bins.levels is not None:
        return [*bins.levels, "other", "unknown"]
    names = []
    for i, edge in enumerate(bins.edges):
        below = bins.edges[i - 1] if i else -np.inf
        above = bins.edges[i + 1] if i + 1 < len(bins.edges) else np.inf
        if np.nextafter(edge, -np.inf) == below:
            names.append(number(edge))
        elif np.nextafter(above, -np.inf) == edge:
            names.append(f"< {number(above)}")
        else:
            names.append(f"to {number(edge)}")
    return [*names, f"> {number(bins.edges[-1])}" if bins.edges else "any", "unknown"]


@readable
def stages_then_and_now(movement: Movement, policy: Policy) -> Figure:
    """Each stage's share of the customers at first sight, at training and now, in the policy's order."""
    p, q = both_shares(movement)
    levels = list(movement.bins.levels or ())
    names = [s.name for s in policy.stages if s.name in levels]
    figure, axes = canvas(
        "Stages, at training and now", "share of customers", "", (8.0, 1.6 + 0.42 * len(names))
    )
    at = np.arange(len(names))[::-1]
    places = [levels.index(name) for name in names]
    axes.barh(at + 0.2, p[places], 0.4, color=THEN, label="training")
    axes.barh(at - 0.2, q[places], 0.4, color=NOW, label="now")
    axes.set_yticks(at, [label(policy, name) for name in names])
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.legend(frameon=False)
    return figure


@readable
def rows_by_week(rows: Mapping[str, Rows], end: int) -> Figure:
    """Rows of each table in each of the last weeks before day `end`, a picture a table."""
    given = {name: windows(r, end, 7)[-WEEKS:] for name, r in rows.items()}
    given = {name: weekly for name, weekly in given.items() if len(weekly)}
    figure = Figure(figsize=(8.0, 1.9 * max(len(given), 1)), layout="constrained")
    for axes, (name, weekly) in zip(
        np.atleast_1d(figure.subplots(max(len(given), 1), 1)), given.items(), strict=False
    ):
        days = [
            (EPOCH + timedelta(days=end - 7 * (len(weekly) - i))).replace(tzinfo=None)
            for i in range(len(weekly))
        ]
        late = max(len(weekly) - 4, 0)
        axes.bar(days[:late], weekly[:late], 6, color=THEN, align="edge")
        axes.bar(days[late:], weekly[late:], 6, color=NOW, align="edge")
        axes.set_title(f"{table(name)} a week (blue: the last four)", fontsize="medium")
        locator = AutoDateLocator()
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        axes.spines[["top", "right"]].set_visible(False)
        thousands(axes.yaxis)
    return figure
