"""Signals, levels, tiers and columns that come to nothing, and thresholds that contradict each other."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow.compute as pc
from sqlglot import exp

from lifestage.lifecycle.checking.bounds import contradictions
from lifestage.lifecycle.checking.findings import Counts, Finding, Looked
from lifestage.lifecycle.checking.reach import levels
from lifestage.lifecycle.checking.written import Written, of, readable, written
from lifestage.lifecycle.policy import Policy


def impossible(policy: Policy) -> Iterator[Finding]:
    """Conditions that ask of one column what no value is."""
    for w in written(policy):
        for found in contradictions(w.tree, readable(policy)):
            never = f"so {w.place} is never true" if found.whole else "so this part of it is never true"
            yield Finding(
                "error" if found.whole else "warn",
                "contradiction",
                (w.name, found.column),
                f"{w.place} asks for {found.asked}, but {found.why}; {never}.",
                "Correct the numbers or the signs; where one of both is enough, write OR.",
            )


def silent(looked: Looked) -> Iterator[Finding]:
    """Signals, risk levels and tiers that nobody has."""
    policy = looked.policy
    counted = [levels(sample.found) for sample in looked.samples]
    for signal in policy.signals:
        for level, _ in signal.conditions():
            own = of(policy, "signals", signal.name, level)
            label = Label("signal", signal.name, f"signal {signal.name} at level {level}", own)
            yield from _silent(looked, label, [c.get((signal.name, level), 0) for c in counted])
    for risk in policy.risk:
        label = Label("risk", risk.name, f"risk level {risk.name}", of(policy, "risk", risk.name))
        yield from _silent(looked, label, _having(looked, "risk", risk.name))
    for tier in policy.tiers:
        yield from _silent(
            looked, Label("tier", tier.name, f"tier {tier.name}"), _having(looked, "tier", tier.name)
        )


class Label(NamedTuple):
    """Something that a customer can have, and the conditions that give it."""

    kind: str
    name: str
    text: str
    conditions: tuple[Written, ...] = ()


def _having(looked: Looked, column: str, name: str) -> list[int]:
    """Customers of each sample with that value."""
    return [int(pc.sum(pc.equal(s.found.staged[column], name)).as_py() or 0) for s in looked.samples]


def _silent(looked: Looked, label: Label, counts: Sequence[int]) -> Iterator[Finding]:
    text = f" ({label.conditions[0].text})" if label.conditions else ""
    if not any(counts):
        yield Finding(
            "warn",
            f"{label.kind}_never",
            (label.name,),
            f"Nobody was found with {label.text}.",
            f"Look at its condition{text}: a level before it may take everybody, or a threshold is out of reach.",
            looked.counts(counts),
        )
    elif looked.counts(counts).own == 0:
        yield Finding(
            "info",
            f"{label.kind}_none",
            (label.name,),
            f"None of your customers has {label.text} today, but there are customers who would.",
            "Nothing to do if you expect them later.",
            looked.counts(counts),
        )


def unfilled(looked: Looked) -> Iterator[Finding]:
    """Columns that conditions read and that are missing for every customer of the shop."""
    policy = looked.policy
    for sample in looked.samples:
        if not sample.own or not len(sample.found):
            continue
        block = sample.found.block
        for name in block.column_names:
            if name not in policy.given or block[name].null_count < len(block):
                continue
            places = [
                w.place for w in written(policy) if name in {c.name for c in w.tree.find_all(exp.Column)}
            ]
            if places:
                yield Finding(
                    "warn",
                    "unfilled",
                    (name,),
                    f"{name} ({policy.given[name].en}) is missing for all of your customers: your shop has no table "
                    f"that fills it. It is read by {', '.join(places)}, and a missing value is not true.",
                    "Add the table to the shop's configuration, or take the column out; coalesce(column, 0) says what "
                    "a missing value counts as.",
                    Counts(len(sample.found)),
                )


def default_only(looked: Looked) -> Iterator[Finding]:
    """Everybody of the shop is in one stage, the default."""
    policy = looked.policy
    position = looked.names.index(policy.default)
    for sample in looked.samples:
        here = sample.found.nobody & (sample.found.stage == position)
        if sample.own and len(here) and here.all() and len(looked.names) > 1:
            yield Finding(
                "error",
                "nobody_enters",
                (policy.default,),
                f"All of your {len(here):,} customers land in the default ({policy.default}): no 'enter' is true of "
                "anybody.",
                "Look at the columns that the conditions read: are they missing, or the thresholds out of reach?",
                Counts(len(here)),
            )
