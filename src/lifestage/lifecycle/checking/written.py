"""Every expression of a policy as its author wrote it: whose it is, its syntax tree, the columns behind it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlglot import exp

from lifestage.expressions import parse_expression, referenced
from lifestage.lifecycle.columns import SIGNAL_PREFIX, Published
from lifestage.lifecycle.elements import ENTER, Group, Tier
from lifestage.lifecycle.policy import Policy


@dataclass(frozen=True)
class Written:
    """One expression."""

    kind: str
    """columns, tiers, segments, signals, health, risk, stages or alerts."""
    name: str
    part: str
    """value, when, high, medium, low, points, enter, exit or actions."""
    text: str
    tree: exp.Expression
    rule: str = ""
    """Of an `enter` the rule's name, of `actions` the action's."""

    @property
    def place(self) -> str:
        """Where it stands in the file, as error texts say it."""
        rule = f".{self.rule}" if self.rule and self.rule != ENTER else ""
        return f"{self.kind}.{self.name}.{self.part}{rule}"

    @property
    def condition(self) -> bool:
        """Whether it is true or false; else a value."""
        return self.kind not in ("columns", "health")


@lru_cache(maxsize=16)
def written(policy: Policy) -> tuple[Written, ...]:
    """Every expression, in the order of evaluation."""
    open_to = readable(policy)
    found = []
    for kind, name, part, text, rule in _texts(policy):
        tree = parse_expression(text, open_to, f"{kind}.{name}.{part}")
        found.append(Written(kind, name, part, " ".join(text.split()), tree, rule))
    return tuple(found)


def _texts(policy: Policy) -> Iterator[tuple[str, str, str, str, str]]:
    """(kind, name, part, text, rule) of each."""
    yield from (("columns", item.name, "value", item.value, "") for item in policy.columns)
    grouped: tuple[tuple[str, Sequence[Tier | Group]], ...]
    grouped = (("tiers", policy.tiers), ("segments", policy.segments))
    for kind, groups in grouped:
        yield from ((kind, g.name, "when", g.when, "") for g in groups if g.when is not None)
    for signal in policy.signals:
        yield from (("signals", signal.name, level, text, "") for level, text in signal.conditions())
    yield from (("health", part.name, "points", part.points, "") for part in policy.health)
    yield from (("risk", level.name, "when", level.when, "") for level in policy.risk)
    for stage in policy.stages:
        yield from (("stages", stage.name, "enter", rule.when, rule.rule) for rule in stage.enter)
        if stage.exit is not None:
            yield "stages", stage.name, "exit", stage.exit, ""
        yield from (("stages", stage.name, "actions", a.when, a.name) for a in stage.actions if a.when)
    yield from (("alerts", a.name, "when", a.when, "") for a in alerts(policy) if a.when is not None)


def readable(policy: Policy) -> Mapping[str, Published]:
    """Every column that some expression of the policy may read."""
    found: Mapping[str, Published] = getattr(policy, "open_to_alerts", policy.open_to_stages)
    return found


def alerts(policy: Policy) -> Sequence[Any]:
    """The alert rules of a policy: name, stage or risk, when."""
    found: Sequence[Any] = getattr(policy, "alerts", ())
    return found


def of(policy: Policy, kind: str, name: str, part: str | None = None) -> tuple[Written, ...]:
    """The expressions of one stage, signal, level ...; of one of its parts. A stage's actions only if asked for."""
    return tuple(
        w
        for w in written(policy)
        if (w.kind, w.name) == (kind, name) and (part == w.part or (part is None and w.part != "actions"))
    )


def direct(policy: Policy, name: str) -> tuple[Written, ...]:
    """The expressions that give a column its value; none for a column that customers have by themselves."""
    if name.startswith(SIGNAL_PREFIX):
        return of(policy, "signals", name.removeprefix(SIGNAL_PREFIX))
    if name in ("risk", "health", "tier", "segment"):
        kind = {"tier": "tiers", "segment": "segments"}.get(name, name)
        return tuple(w for w in written(policy) if w.kind == kind)
    return of(policy, "columns", name)


def behind(policy: Policy, conditions: tuple[Written, ...]) -> tuple[str, ...]:
    """The columns that expressions read, followed to what customers have by themselves; in order of appearance."""
    found: dict[str, None] = {}
    todo = list(conditions)
    seen = set()
    while todo:
        expression = todo.pop(0)
        if expression.place in seen:
            continue
        seen.add(expression.place)
        for name in referenced_in_order(expression):
            todo += direct(policy, name)
            found[name] = None
    return tuple(found)


def referenced_in_order(expression: Written) -> list[str]:
    """The columns an expression reads, in the order in which it names them."""
    low = expression.text.lower()
    return sorted(referenced(expression.tree), key=lambda name: low.find(name.lower()))
