"""One figure and the one of the period before, as a reader sees them."""

import math
from itertools import pairwise
from typing import Any, NamedTuple

from lifestage.lifecycle.metrics.catalogue import METRICS
from lifestage.lifecycle.metrics.tables import LifecycleMetrics
from lifestage.pages import Words

LACKING = "–"
ALIKE = 1.25
"""Periods whose lengths differ by more than this factor are not compared."""
Z95 = 1.96
A_MONTH = "a 30 days"
SAME = Words("no clear change", "无明显变化")


class Shown(NamedTuple):
    """A figure in words."""

    text: str
    of: Words
    """What stands behind it, or why there is none."""
    trend: Words | None


class Figures:
    """The rows of LifecycleMetrics.figures by what they tell, of the newest instant and the one before."""

    def __init__(self, metrics: LifecycleMetrics, currency: str) -> None:
        self.minimum = metrics.minimum
        self.currency = currency
        rows = metrics.figures.to_pylist()
        times = sorted({r["as_of"] for r in metrics.stages.to_pylist()})
        self.newest = times[-1]
        self.before = times[-2] if len(times) > 1 else None
        lengths = [b - a for a, b in pairwise(times)][-2:]
        self.comparable = len(lengths) == 2 and max(lengths) <= ALIKE * min(lengths)
        self._at = {(r["end"], r["group"], r["stage"], r["metric"]): r for r in rows}
        self.names = {r["metric"] for r in rows}

    def row(self, metric: str, stage: str | None = None, group: str | None = None) -> dict[str, Any] | None:
        """Of the newest instant."""
        return self._at.get((self.newest, group, stage, metric))

    def earlier(
        self, metric: str, stage: str | None = None, group: str | None = None
    ) -> dict[str, Any] | None:
        """Of the instant before it; None for a period of another length."""
        found = self._at.get((self.before, group, stage, metric))
        return found if found is None or found["start"] is None or self.comparable else None

    def shown(self, metric: str, stage: str | None = None, group: str | None = None) -> Shown | None:
        """None where there is no such row."""
        row = self.row(metric, stage, group)
        if row is None:
            return None
        value, n = row["value"], row["customers"]
        if value is None:
            return Shown(LACKING, self._why(row), None)
        of = Words("", "") if metric == "customers" else Words(f"n = {n:,}", f"n = {n:,}")
        if METRICS[metric].unit == "share":
            counts = f"{row['numerator']:,.0f} / {row['denominator']:,.0f}"
            of = Words(counts, counts)
        earlier = self.earlier(metric, stage, group)
        trend = None if earlier is None or earlier["value"] is None else self._trend(metric, row, earlier)
        return Shown(self.format(metric, value), of, trend)

    def _why(self, row: dict[str, Any]) -> Words:
        n = row["customers"]
        if n < self.minimum:
            return Words(f"too few: n = {n:,}", f"人数过少：n = {n:,}")
        if row["metric"] in ("time_in_stage", "time_to_first_value"):
            return Words(f"less than half have ended: n = {n:,}", f"结束者不足半数：n = {n:,}")
        return Words(f"cannot be divided: n = {n:,}", f"分母为零：n = {n:,}")

    def format(self, metric: str, value: float) -> str:
        """A value in its metric's unit."""
        return in_unit(METRICS[metric].unit, value, self.currency)

    def _trend(self, metric: str, row: dict[str, Any], earlier: dict[str, Any]) -> Words:
        unit = METRICS[metric].unit
        now, then = row["value"], earlier["value"]
        if unit == "share":
            if abs(now - then) <= Z95 * math.sqrt(_variance(row) + _variance(earlier)):
                return SAME
            text = f"{_arrow(now - then)} {abs(100 * (now - then)):.1f}"
            return Words(f"{text} points", f"{text}个百分点")
        if unit == "points":
            # Of answers of -100, 0 and 100 with a known mean the variance is at most 100 ** 2 - mean ** 2.
            most = sum((100.0**2 - r["value"] ** 2) / r["customers"] for r in (row, earlier))
            if abs(now - then) <= Z95 * math.sqrt(most):
                return SAME
            text = f"{_arrow(now - then)} {abs(now - then):.0f}"
            return Words(f"{text} points", f"{text}点")
        if then == 0 or round(100 * (now / then - 1)) == 0:
            return SAME
        text = f"{_arrow(now - then)} {abs(100 * (now / then - 1)):.0f}\N{NO-BREAK SPACE}%"
        return Words(text, text)


def _variance(row: dict[str, Any]) -> float:
    """Of a share of n; with one more of each kind, so that 0 of 40 is not certain (Agresti and Caffo 2000)."""
    n = row["denominator"] + 2
    p = (row["numerator"] + 1) / n
    return float(p * (1 - p) / n)


def _arrow(change: float) -> str:
    return "▲" if change > 0 else "▼"


def in_unit(unit: str, value: float, currency: str) -> str:
    """A value as text; money without decimals from 100 on."""
    if unit == "share":
        return f"{100 * value:.1f}\N{NO-BREAK SPACE}%"
    if unit == "points":
        return f"{value:+.0f}".replace("-", "−")
    if unit == "currency":
        return (
            f"{value:,.0f}\N{NO-BREAK SPACE}{currency}"
            if abs(value) >= 100
            else f"{value:,.2f}\N{NO-BREAK SPACE}{currency}"
        )
    places = {"count": 0, "days": 0, "years": 1, "ratio": 1}.get(unit, 2)
    text = f"{value:,.{places}f}"
    if unit.endswith(A_MONTH):
        return f"{text}\N{NO-BREAK SPACE}/\N{NO-BREAK SPACE}30\N{NO-BREAK SPACE}d"
    return {"days": f"{text}\N{NO-BREAK SPACE}d", "years": f"{text}\N{NO-BREAK SPACE}y"}.get(unit, text)
