"""A slow second reading of a policy, for tests: plain Python over the YAML itself, no code of the product.

The stage by the four rules of the language, with everything that a policy derives on the way. A NaN that is handed in
counts as missing.
"""

import math
import re
from collections.abc import Iterator

import yaml

from tests.sql_oracle import Row, Rule, rule

LEVELS = ("high", "medium", "low")


def _fifth(percentile: float) -> int:
    return next((n for n in (1, 2, 3, 4) if percentile * 5 < n), 5)


def segment(row: Row, grouping: str) -> str:
    """The group by R, F and M; those who never bought have no rank."""
    ranks = [row.get(f"{what}_percentile") for what in ("recency", "frequency", "monetary")]
    if any(rank is None for rank in ranks):
        return "prospects"
    recency, frequency, monetary = ranks
    if grouping == "rfm_8":
        value = "high_value" if monetary >= 0.5 else "low_value"
        often = "_frequent" if frequency >= 0.5 else ""
        return f"{value}{often}_{'recent' if recency < 0.5 else 'lapsing'}"
    r, fm = 6 - _fifth(recency), (_fifth(frequency) + _fifth(monetary)) / 2
    if r >= 3 and fm >= 4:
        return "champions" if r == 5 else "loyal"
    if r >= 3 and fm >= 3:
        return "active"
    if r >= 3:
        return "needs_attention" if r == 3 else "new" if r == 5 and fm < 2 else "promising"
    if r == 2:
        return "at_risk" if fm >= 3 else "almost_lost"
    return "previously_loyal" if fm >= 3 else "dormant"


def _first(cases: list[tuple[str, Rule]], row: Row) -> str | None:
    return next((name for name, when in cases if when(row) is True), None)


class Oracle:
    """A policy as this module reads it."""

    def __init__(self, source: str) -> None:
        self.document = yaml.safe_load(source)
        self.columns = [(c["name"], rule(c["value"])) for c in self.document.get("columns", [])]
        self.tiers = [
            (t["name"], rule(t["when"]) if "when" in t else rule(f"clv_percentile >= {t['min_percentile']}"))
            for t in self.document.get("tiers", [])
        ]
        self.signals = [
            (s["name"], [(level, rule(s[level])) for level in LEVELS if level in s])
            for s in self.document.get("signals", [])
        ]
        self.health = [(p["name"], p["weight"], rule(p["points"])) for p in self.document.get("health", [])]
        self.risk = [(r["name"], rule(r["when"])) for r in self.document.get("risk", [])]
        self.stages = [dict(stage, **_compiled(stage)) for stage in self.document["stages"]]

    def decide(self, given: Row, was: str | None, days_in_stage: float | None) -> Row:
        """What becomes of one customer."""
        row = {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in given.items()}
        row |= {"previous_stage": was, "days_in_stage": days_in_stage}
        for name, value in self.columns:
            row[name] = value(row)
        row["tier"] = _first(self.tiers, row)
        row["segment"] = segment(row, self.document.get("segments", "rfm_11"))
        on = {name: _first(levels, row) for name, levels in self.signals}
        row |= {f"signal_{name}": level is not None for name, level in on.items()}
        row["health"] = self._health(row)
        row["risk"] = _first(self.risk, row)
        stage = self._stage(row, was)
        fired = _first(stage["rules"], row)
        stays = was == stage["name"] and self._stays(stage, row)
        return {
            "stage": stage["name"],
            "rule": f"{stage['name']}.{fired or ('stays' if stays else 'default')}",
            "action": _first(stage["chosen"], row),
            "signals": [{"name": name, "level": level} for name, level in on.items() if level],
            **{name: row[name] for name in ("tier", "segment", "risk", "health")},
        }

    def _stage(self, row: Row, was: str | None) -> Row:
        """The four rules of the language, in words of their own."""
        for stage in self.stages:
            if stage.get("preempts") and _first(stage["rules"], row):
                return stage
        for stage in self.stages:
            if stage["name"] == was and self._stays(stage, row):
                return stage
        for stage in self.stages:
            if _first(stage["rules"], row):
                return stage
        return next(stage for stage in self.stages if stage["name"] == self.document["default"])

    @staticmethod
    def _stays(stage: Row, row: Row) -> bool:
        if stage["leave"] is None:
            return _first(stage["rules"], row) is not None
        return stage["leave"](row) is not True

    def _health(self, row: Row) -> float | None:
        total = weights = 0.0
        for _, weight, points in self.health:
            value = points(row)
            if value is not None and not math.isnan(value):
                total += weight * min(max(value, 0.0), 100.0)
                weights += weight
        return total / weights if weights else None


def _compiled(stage: Row) -> Row:
    enter = stage["enter"]
    named = [("enter", enter)] if isinstance(enter, str) else [(r["rule"], r["when"]) for r in enter]
    actions = [a if isinstance(a, dict) else {"name": a} for a in stage.get("actions", [])]
    return {
        "rules": [(name, rule(text)) for name, text in named],
        "leave": rule(stage["exit"]) if "exit" in stage else None,
        "chosen": [(a["name"], rule(a.get("when", "TRUE"))) for a in actions],
    }


def numbers(source: str) -> Iterator[float]:
    """Every number that stands in a policy: where its thresholds are."""
    for text in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", source):
        yield float(text)
