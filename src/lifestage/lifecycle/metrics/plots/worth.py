"""Bars: what a channel's customers are worth beside what they cost, and NPS by stage."""

from matplotlib.figure import Figure

from lifestage.lifecycle.metrics.levels import MISSING
from lifestage.lifecycle.metrics.plots.canvas import BLUE, GREY, canvas, label, palette, readable
from lifestage.lifecycle.metrics.tables import LifecycleMetrics
from lifestage.lifecycle.policy import Policy

BREAK_EVEN, RULE_OF_THUMB = 1.0, 3.0
"""Below the first a customer costs more than they bring; the second is what investors ask for."""


@readable
def ltv_cac(metrics: LifecycleMetrics) -> Figure:
    """LTV / CAC of each channel with known costs, best first; dotted: break-even, dashed: 3, the rule of thumb."""
    rows = [
        r
        for r in metrics.channels.to_pylist()
        if r["group"] is None
        and r["metric"] == "ltv_cac"
        and r["channel"] is not None
        and r["value"] is not None
    ]
    rows.sort(key=lambda r: r["value"])
    figure, axes = canvas(
        "LTV / CAC by channel", "spent so far and predicted value / cost", "", (8.0, 1.6 + 0.42 * len(rows))
    )
    names = [f"{'unknown' if r['channel'] == MISSING else r['channel']} ({r['customers']:,})" for r in rows]
    bars = axes.barh(names, [r["value"] for r in rows], 0.6, color=BLUE)
    axes.bar_label(bars, fmt="{:,.1f}", padding=3)
    axes.axvline(BREAK_EVEN, color=GREY, linestyle=":")
    axes.axvline(RULE_OF_THUMB, color=GREY, linestyle="--")
    axes.margins(x=0.12)
    return figure


@readable
def nps(metrics: LifecycleMetrics, policy: Policy) -> Figure:
    """NPS of each stage at the newest frame, of its customers' last answers; stages with too few are left out."""
    newest = max(r["end"] for r in metrics.figures.to_pylist())
    rows = [
        r
        for r in metrics.figures.to_pylist()
        if r["metric"] == "nps" and r["group"] is None and r["end"] == newest and r["value"] is not None
    ][::-1]
    colours = palette(policy, [s.name for s in policy.stages])
    figure, axes = canvas("NPS by stage", "points", "", (8.0, 1.6 + 0.42 * len(rows)))
    names = [
        f"{'All' if r['stage'] is None else label(policy, r['stage'])} ({r['customers']:,})" for r in rows
    ]
    bars = axes.barh(
        names, [r["value"] for r in rows], 0.6, color=[colours.get(r["stage"], BLUE) for r in rows]
    )
    axes.bar_label(bars, fmt="{:+.0f}", padding=3)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_xlim(-100, 100)
    return figure
