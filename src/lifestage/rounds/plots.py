"""Pictures of many rounds: how the challengers did beside the champions, and what became of the predictions."""

from collections.abc import Mapping, Sequence
from datetime import date
from math import ceil
from typing import Any

from matplotlib.figure import Figure

from lifestage.churn.grade import COLUMN
from lifestage.clv.plots.canvas import BLUE, GREY, ORANGE, VERMILION, canvas
from lifestage.rounds.told import Told

SIZE = (7.2, 3.2)
SEVERITY = {"warn": ORANGE, "retrain": VERMILION}


def _day(text: str) -> date:
    return date.fromisoformat(text[:10])


def _dates(ax: Any, days: Sequence[date]) -> None:
    """Up to eight of the days, written as they are in the table."""
    told = days[:: ceil(len(days) / 8)]
    ax.set_xticks(told, [day.isoformat() for day in told], rotation=20, ha="right")


def gains_figure(rounds: Sequence[Told]) -> Figure | None:
    """Relative gain of each churn challenger over the champion, with its interval; None with nothing to compare."""
    compared = [
        (r, r.verdicts["churn"])
        for r in rounds
        if r.verdicts.get("churn", {}).get("figures", {}).get("gain") is not None
    ]
    if not compared:
        return None
    figure, ax = canvas("", "", "gain over the champion, %", SIZE)
    ax.axhline(0, color=GREY, linewidth=1)
    for r, verdict in compared:
        found, at = verdict["figures"], _day(r.as_of)
        colour = BLUE if verdict["promote"] else GREY
        ax.plot([at, at], [100 * (found[name] or 0.0) for name in ("gain_low", "gain_high")], color=colour)
        face = colour if verdict["promote"] else "white"
        ax.plot(at, 100 * found["gain"], "o", color=colour, markerfacecolor=face)
    _dates(ax, [_day(r.as_of) for r, _ in compared])
    return figure


def quality_figure(rounds: Sequence[Told]) -> Figure | None:
    """What the gate measured of each churn challenger; None where no round has a figure."""
    points = []
    for r in rounds:
        found = r.verdicts.get("churn", {}).get("figures", {})
        value = found.get(f"challenger_{COLUMN[found['measure']]}") if "measure" in found else None
        if value is not None:
            points.append((_day(r.as_of), value, r))
    if not points:
        return None
    figure, ax = canvas("", "", "quality on outcomes not seen", SIZE)
    ax.plot([p[0] for p in points], [p[1] for p in points], color=BLUE, linewidth=1)
    for at, value, r in points:
        kept = "churn" in r.kept
        ax.plot(at, value, "o", color=BLUE, markerfacecolor="white" if kept else BLUE, markersize=6)
        if r.status in SEVERITY:
            ax.axvline(at, color=SEVERITY[r.status], linewidth=5, alpha=0.35, zorder=0)
    _dates(ax, [p[0] for p in points])
    return figure


def outcomes_figure(runs: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Share of leavers foreseen and seen of each run whose horizon has passed."""
    told = [(run["as_of"], run["figures"]["churn"]) for run in runs if run["complete"]["churn"]]
    points = [
        (_day(as_of), found["predicted_rate"], found["observed_rate"])
        for as_of, found in told
        if found.get("predicted_rate") is not None
    ]
    if not points:
        return None
    figure, ax = canvas("", "", "customers who left, %", SIZE)
    days = [p[0] for p in points]
    ax.plot(days, [100 * p[1] for p in points], color=BLUE, marker="o", label="foreseen")
    ax.plot(days, [100 * p[2] for p in points], color=ORANGE, marker="s", label="came true")
    ax.legend(frameon=False)
    _dates(ax, days)
    return figure
