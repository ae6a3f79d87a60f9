"""What a check says: one finding, its example customer, and the customers it was found among."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from lifestage.lifecycle.checking.written import Written, behind, referenced_in_order
from lifestage.lifecycle.checking.written import direct as giving
from lifestage.lifecycle.columns import SIGNAL_PREFIX
from lifestage.lifecycle.matches import Bools, Matches
from lifestage.lifecycle.policy import Policy

Severity = Literal["error", "warn", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warn", "info")
MOST_VALUES = 12
"""So many columns of an example are told."""


@dataclass(frozen=True)
class Example:
    """A customer and the values that matter."""

    customer: str
    own: bool
    """One of the shop's own; else made up."""
    values: Mapping[str, Any]


class Counts(NamedTuple):
    """How many customers a finding concerns; None = not looked at."""

    own: int | None = None
    generated: int | None = None


NOT_COUNTED = Counts()


@dataclass(frozen=True)
class Finding:
    """One thing a person should know before a policy goes live."""

    severity: Severity
    kind: str
    names: tuple[str, ...]
    """The stages, signals, levels or columns concerned."""
    text: str
    advice: str
    counts: Counts = NOT_COUNTED
    example: Example | None = None


@dataclass(frozen=True)
class Sample:
    """Customers of one kind under the policy, and under it once more the same day."""

    own: bool
    found: Matches
    again: Matches
    more: Mapping[str, int] = field(default_factory=dict)


class Looked:
    """The samples a policy is judged by, the shop's own first, and how to speak of them."""

    def __init__(self, policy: Policy, samples: Sequence[Sample]) -> None:
        self.policy = policy
        self.samples = samples
        self.has_own = any(sample.own for sample in samples)
        self.names = [stage.name for stage in policy.stages]

    def counts(self, hits: Sequence[Bools] | Sequence[int]) -> Counts:
        """Of a finding: a mask or a number a sample."""
        found = {s.own: int(np.asarray(hit).sum()) for s, hit in zip(self.samples, hits, strict=True)}
        return Counts(found.get(True), found.get(False))

    def many(self, masks: Sequence[Bools]) -> str:
        """ "812 of your 23,570 customers (3.4 %) and 1,204 of 20,000 generated ones"."""
        parts = []
        for sample, mask in zip(self.samples, masks, strict=True):
            hit, n = int(mask.sum()), len(mask)
            share = f" ({hit / n:.1%})" if hit and n else ""
            whose = f"your {n:,} customers" if sample.own else f"{n:,} generated ones"
            parts.append(f"{hit:,} of {whose}{share}" if hit else f"none of {whose}")
        return " and ".join(parts)

    def example(
        self, masks: Sequence[Bools], conditions: Sequence[Written], extra: Sequence[str] = ()
    ) -> Example | None:
        """The first customer of a mask, the shop's own before made-up ones, and what the conditions read."""
        for sample, mask in zip(self.samples, masks, strict=True):
            if mask.any():
                row = int(np.flatnonzero(mask)[0])
                block = sample.found.block
                wanted = (*extra, *self._telling(conditions, sample, row))
                values = {n: block[n][row].as_py() for n in dict.fromkeys(wanted) if n in block.column_names}
                return Example(str(sample.found.ids[row]), sample.own, values)
        return None

    def _telling(self, conditions: Sequence[Written], sample: Sample, row: int) -> list[str]:
        """The columns that conditions read, then those behind signals that are on; what is missing comes last."""
        block = sample.found.block
        direct = [name for w in conditions for name in referenced_in_order(w)]
        on = [n for n in direct if n.startswith(SIGNAL_PREFIX) and block[n][row].as_py()]
        made = {"tier", "segment", "health", *(item.name for item in self.policy.columns)}
        sources = [w for n in direct if n in made or n in on for w in giving(self.policy, n)]
        further = behind(self.policy, tuple(sources))
        missing = {n: n in block.column_names and block[n][row].as_py() is None for n in (*direct, *further)}
        return sorted(direct, key=missing.__getitem__) + sorted(further, key=missing.__getitem__)

    def severe(self, masks: Sequence[Bools]) -> Severity:
        """warn where it concerns the shop's own customers, else info."""
        return "warn" if self.counts(masks).own else "info"


def value_text(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    return str(value)


def example_text(example: Example) -> str:
    """ "customer 00123: days_since_last_order 96, order_count 4"."""
    values = list(example.values.items())
    parts = [f"{name} {value_text(value)}" for name, value in values[:MOST_VALUES]]
    if len(values) > MOST_VALUES:
        parts.append("...")
    whose = f"customer {example.customer}" if example.own else "a made-up customer"
    return f"{whose}: {', '.join(parts) or 'no value matters'}"


def said(policy: Policy, name: str) -> str:
    """A stage by its name and its Chinese label."""
    zh = policy.stage(name).labels.zh
    return name if zh == name else f"{name} {zh}"


def as_json(finding: Finding) -> dict[str, Any]:
    """A finding as JSON-able values."""
    example = finding.example
    shown = example and {"customer": example.customer, "own": example.own, "values": dict(example.values)}
    return {
        "severity": finding.severity,
        "kind": finding.kind,
        "names": list(finding.names),
        "text": finding.text,
        "advice": finding.advice,
        **finding.counts._asdict(),
        "example": shown or None,
    }
