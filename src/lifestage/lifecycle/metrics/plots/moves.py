"""Who moved between the last two frames: bands from stage to stage, and the transition matrix."""

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from lifestage.lifecycle.metrics.moves import GONE
from lifestage.lifecycle.metrics.plots.canvas import canvas, cells, label, palette, readable
from lifestage.lifecycle.metrics.plots.over_time import _local
from lifestage.lifecycle.metrics.tables import LifecycleMetrics
from lifestage.lifecycle.policy import NEW, Policy

GAP = 0.025
"""Space between two stages, as a share of all customers."""
WIDTH = 0.06


def last_moves(metrics: LifecycleMetrics) -> list[dict[str, Any]]:
    """The transitions of the newest period, of everybody."""
    rows = [r for r in metrics.transitions.to_pylist() if r["group"] is None]
    newest = max((r["end"] for r in rows), default=None)
    return [r for r in rows if r["end"] == newest]


def _sides(metrics: LifecycleMetrics) -> tuple[list[str], list[str]]:
    stages = list(dict.fromkeys(r["stage"] for r in metrics.stages.to_pylist()))
    return [NEW, *stages], [*stages, GONE]


@readable
def alluvial(metrics: LifecycleMetrics, policy: Policy, zone: str) -> Figure:
    """Left the stages at the newest period's start, right those at its end, bands as wide as the customers are many."""
    rows = last_moves(metrics)
    before, after = _sides(metrics)
    colours = palette(policy, before[1:])
    whole = sum(r["customers"] for r in rows) or 1
    start, end = (_local(rows[0][key], zone).strftime("%Y-%m-%d") for key in ("start", "end"))
    figure, axes = canvas(f"From {start} to {end}", "", "", (8.0, 5.6))
    axes.axis("off")
    places: dict[tuple[str, str], float] = {}
    for side, names, key, x in (("l", before, "from_stage", 0.0), ("r", after, "to_stage", 1.0)):
        top = 0.0
        for name in names:
            count = sum(r["customers"] for r in rows if r[key] == name)
            if not count:
                continue
            high = count / whole
            left = x if side == "l" else x - WIDTH
            axes.add_patch(_box(left, top, left + WIDTH, top - high, colours[name]))
            text = f"{label(policy, name)}  {count:,}"
            at = (x - 0.015, "right") if side == "l" else (x + 0.015, "left")
            axes.text(at[0], top - high / 2, text, ha=at[1], va="center", fontsize=9)
            places[side, name] = top
            top -= high + GAP
    order = {name: i for i, name in enumerate(dict.fromkeys([*before, *after]))}
    for r in sorted(rows, key=lambda r: (order[r["from_stage"]], order[r["to_stage"]])):
        high = r["customers"] / whole
        a, b = places["l", r["from_stage"]], places["r", r["to_stage"]]
        stays = r["from_stage"] == r["to_stage"]
        axes.add_patch(_band(a, b, high, colours[r["from_stage"]], 0.25 if stays else 0.65))
        places["l", r["from_stage"]] -= high
        places["r", r["to_stage"]] -= high
    axes.set_xlim(-0.32, 1.32)
    axes.set_ylim(-1.0 - GAP * len(after), 0.02)
    return figure


def _box(x0: float, y0: float, x1: float, y1: float, colour: str) -> PathPatch:
    return PathPatch(Path([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]), facecolor=colour, lw=0)


def _band(a: float, b: float, high: float, colour: str, alpha: float) -> PathPatch:
    x0, x1 = WIDTH, 1.0 - WIDTH
    points = [
        (x0, a),
        (0.5, a),
        (0.5, b),
        (x1, b),
        (x1, b - high),
        (0.5, b - high),
        (0.5, a - high),
        (x0, a - high),
    ]
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    return PathPatch(Path([*points, points[0]], codes), facecolor=colour, alpha=alpha, lw=0)


@readable
def transition_matrix(metrics: LifecycleMetrics, policy: Policy, zone: str) -> Figure:
    """Of the customers of a stage at the newest period's start (rows), the share in each stage at its end."""
    rows = last_moves(metrics)
    found = {(r["from_stage"], r["to_stage"]): r for r in rows}
    before = [n for n in _sides(metrics)[0] if any(k[0] == n for k in found)]
    after = [n for n in _sides(metrics)[1] if n != GONE or any(k[1] == GONE for k in found)]
    share = np.full((len(before), len(after)), np.nan)
    figure, axes = canvas("", "to", "from (customers)", (8.0, 1.8 + 0.5 * len(before)))
    start, end = (_local(rows[0][key], zone).strftime("%Y-%m-%d") for key in ("start", "end"))
    axes.set_title(f"% of each stage, {start} to {end}; grey: too few customers")
    for i, a in enumerate(before):
        for j, b in enumerate(after):
            row = found.get((a, b))
            enough = any(found[k]["share"] is not None for k in found if k[0] == a)
            if enough:
                share[i, j] = row["share"] if row else 0.0
            if row:
                text = f"{row['customers']:,}" if row["share"] is None else f"{100 * row['share']:.0f}"
                ink = "white" if row["share"] is not None and row["share"] > 0.55 else "black"
                axes.text(j, i, text, ha="center", va="center", color=ink, fontsize=9)
    colours = colormaps["Blues"].with_extremes(bad="#e4e4e4")
    cells(axes, share, colours, 1.0)
    sizes = {r["from_stage"]: r["from_customers"] for r in rows}
    axes.set_xticks(range(len(after)), [label(policy, n) for n in after], rotation=30, ha="right")
    axes.set_yticks(range(len(before)), [f"{label(policy, n)} ({sizes[n]:,})" for n in before])
    axes.spines[:].set_visible(False)
    return figure
