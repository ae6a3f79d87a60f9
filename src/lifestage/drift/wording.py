"""What moved, in plain words: the one share that differs most between then and now."""

from collections.abc import Mapping

import numpy as np

from lifestage.drift.movement import Movement, both_shares
from lifestage.drift.volume import Freshness, Volume
from lifestage.pages import Words

STATUS = {
    "steady": Words("steady", "平稳"),
    "warn": Words("look at this", "需要关注"),
    "retrain": Words("retrain", "建议重新训练"),
}
NAMES: Mapping[str, str] = {"transactions": "orders"}
"""What a table's rows are called."""


def number(value: float) -> str:
    """Three significant digits; no more decimals than that."""
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percent(share: float) -> str:
    """Whole per cent, and one decimal near 0 and 1."""
    return f"{share:.0%}" if 0.1 <= share <= 0.9 or share < 0.0005 or share >= 0.9995 else f"{share:.1%}"


def moved(movement: Movement) -> str:
    """Where the shares differ most, e.g. '31 % of customers are now above 120, 18 % at training'."""
    p, q = both_shares(movement)
    bins = movement.bins
    if bins.levels is not None:
        i = int(np.argmax(np.abs(q - p)))
        names = [*(f"'{level}'" for level in bins.levels), "any other value", "unknown"]
        return f"{names[i]} for {percent(q[i])} of customers now, {percent(p[i])} at training"
    missing = q[-1] - p[-1]
    above = np.cumsum((q - p)[:-1][::-1])[::-1][1:]  # above[i]: above edge i
    if not len(above) or abs(missing) > np.abs(above).max():
        return f"unknown for {percent(q[-1])} of customers now, {percent(p[-1])} at training"
    i = int(np.argmax(np.abs(above)))
    then, now = float(p[i + 1 : -1].sum()), float(q[i + 1 : -1].sum())
    edge = bins.edges[i]
    near_below = i + 1 < len(bins.edges) and np.nextafter(bins.edges[i + 1], -np.inf) == edge
    word = f"{number(bins.edges[i + 1])} or more" if near_below else f"above {number(edge)}"
    return f"{word} for {percent(now)} of customers now, {percent(then)} at training"


def carries(importance: float) -> str:
    return f"it carries {percent(importance)} of the churn model's importance"


def beside_normal(movement: Movement) -> str:
    """The figure beside what is normal."""
    if movement.normal is None:
        return f"stability index {movement.index:.2f}; the past is too short to say what is normal here"
    return f"stability index {movement.index:.2f}, over as long a time before at most {movement.normal:.2f}"


def table(name: str) -> str:
    """A table's rows in words."""
    return NAMES.get(name, name)


def of_volume(v: Volume) -> str:
    """One sentence on a table's rows of the last four weeks."""
    how = "the same weeks a year ago and the growth since" if v.by_year else "the median of the months before"
    expected = 0.0 if v.expected is None else v.expected
    season = "" if v.by_year else "; less than two years are known, so it may be the season"
    return (
        f"{table(v.name)}: {v.rows:,} in the last 28 days, {expected:,.0f} expected ({how}; usual: {v.low:,.0f} to "
        f"{v.high:,.0f}){season}; check that the export is whole and nothing came twice"
    )


def of_freshness(f: Freshness) -> str:
    """One sentence on a silent table."""
    return (
        f"{table(f.name)}: none for {f.silent:,} days before as_of, never longer than {f.usual:,} in the half year "
        "before; is the export cut off? Everybody looks silent for so long"
    )
