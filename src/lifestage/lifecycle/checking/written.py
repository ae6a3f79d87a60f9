"""Every condition of a policy as its author wrote it: whose it is, its syntax tree, the columns behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp

from lifestage.expressions import parse_expression, referenced
from lifestage.lifecycle import columns
from lifestage.lifecycle.columns import SIGNAL_PREFIX, Published
from lifestage.lifecycle.policy import Policy


@dataclass(frozen=True)
class Written:
    """One condition."""

    kind: str
    """stages, signals or risk."""
    name: str
    part: str
    """enter, exit, when, high, medium or low."""
    text: str
    tree: exp.Expression

    @property
    def place(self) -> str:
        """Where it stands in the file, as error texts say it."""
        return f"{self.kind}.{self.name}.{self.part}"


@lru_cache(maxsize=16)
def written(policy: Policy) -> tuple[Written, ...]:
    """Every condition, in the order of evaluation."""
    open_to = readable(policy)
    found = []

    def add(kind: str, name: str, part: str, text: str) -> None:
        tree = parse_expression(text, open_to, f"{kind}.{name}.{part}")
        found.append(Written(kind, name, part, " ".join(text.split()), tree))

    for signal in policy.signals:
        for level, text in signal.conditions():
            add("signals", signal.name, level, text)
    for risk in policy.risk:
        add("risk", risk.name, "when", risk.when)
    for stage in policy.stages:
        add("stages", stage.name, "enter", stage.enter)
        if stage.exit is not None:
            add("stages", stage.name, "exit", stage.exit)
    return tuple(found)


def readable(policy: Policy) -> Mapping[str, Published]:
    """Every column that some condition of the policy may read."""
    return columns.for_stages(tuple(signal.name for signal in policy.signals), policy.published)


def of(policy: Policy, kind: str, name: str, part: str | None = None) -> tuple[Written, ...]:
    """The conditions of one stage, signal or risk level; of one of its parts."""
    return tuple(w for w in written(policy) if (w.kind, w.name) == (kind, name) and part in (None, w.part))


def behind(policy: Policy, conditions: tuple[Written, ...]) -> tuple[str, ...]:
    """The columns that conditions read, signals and risk followed to what they read; in order of appearance."""
    found: dict[str, None] = {}
    todo = list(conditions)
    seen = set()
    while todo:
        condition = todo.pop(0)
        if condition.place in seen:
            continue
        seen.add(condition.place)
        for name in referenced_in_order(condition):
            if name == "risk":
                todo += [w for w in written(policy) if w.kind == "risk"]
            elif name.startswith(SIGNAL_PREFIX):
                todo += of(policy, "signals", name.removeprefix(SIGNAL_PREFIX))
            found[name] = None
    return tuple(found)


def referenced_in_order(condition: Written) -> list[str]:
    """The columns a condition reads, in the order in which it names them."""
    return sorted(referenced(condition.tree), key=_places(condition).__getitem__)


def _places(condition: Written) -> dict[str, int]:
    low = condition.text.lower()
    return {name: low.find(name.lower()) for name in referenced(condition.tree)}
