"""Signals, levels, tiers and columns that come to nothing, and thresholds that contradict each other."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lifestage.expressions import referenced
from lifestage.lifecycle.checking.bounds import contradictions
from lifestage.lifecycle.checking.findings import Counts, Finding, Looked
from lifestage.lifecycle.checking.reach import Key, happens
from lifestage.lifecycle.checking.written import Written, alerts, of, readable, written
from lifestage.lifecycle.policy import Policy


def impossible(policy: Policy) -> Iterator[Finding]:
    """Conditions that ask of one column what no value is."""
    named = {item.name for item in policy.columns}
    for w in written(policy):
        if not w.condition:
            continue
        for found in contradictions(w.tree, readable(policy), named=named):
            never = f"so {w.place} is never true" if found.whole else "so this part of it is never true"
            yield Finding(
                "error" if found.whole else "warn",
                "contradiction",
                (w.name, found.column),
                f"{w.place} asks for {found.asked}, but {found.why}; {never}.",
                "Correct the numbers or the signs; where one of both is enough, write OR.",
            )


def silent(looked: Looked) -> Iterator[Finding]:
    """Signals, levels, tiers, segments, rules and actions that nobody has, or none of the shop's own customers."""
    shown = [happens(looked.policy, sample.found) for sample in looked.samples]
    today: list[Label] = []
    for label in _labels(looked.policy):
        counts = [found.get(label.key, 0) for found in shown]
        if not any(counts):
            yield _never(looked, label, counts)
        elif looked.counts(counts).own == 0:
            today.append(label)
    if today:
        yield Finding(
            "info",
            "none_today",
            tuple(label.name for label in today),
            f"None of your customers has one of these today, but there are customers who would: "
            f"{', '.join(label.text for label in today)}.",
            "Nothing to do if you expect them later.",
            Counts(0, None),
        )


def _labels(policy: Policy) -> Iterator["Label"]:
    for signal in policy.signals:
        for level, _ in signal.conditions():
            own = of(policy, "signals", signal.name, level)
            text = f"signal {signal.name} at level {level}"
            yield Label("signal", signal.name, ("signals", signal.name, level), text, own)
    for risk in policy.risk:
        own = of(policy, "risk", risk.name)
        yield Label("risk", risk.name, ("risk", risk.name, "when"), f"risk level {risk.name}", own)
    for tier in policy.tiers:
        own = of(policy, "tiers", tier.name)
        yield Label("tier", tier.name, ("tiers", tier.name, "when"), f"tier {tier.name}", own)
    for group in policy.segments:
        own = of(policy, "segments", group.name)
        yield Label("segment", group.name, ("segments", group.name, "when"), f"segment {group.name}", own)
    for stage in policy.stages:
        rules = of(policy, "stages", stage.name, "enter")
        for w in rules if len(rules) > 1 else ():
            text = f"the rule {w.rule} of {stage.name}"
            yield Label("rule", f"{stage.name}.{w.rule}", ("rules", stage.name, w.rule), text, (w,))
        for action in stage.actions:
            own = tuple(w for w in of(policy, "stages", stage.name, "actions") if w.rule == action.name)
            text = f"the action {action.name} of {stage.name}"
            key = ("actions", stage.name, action.name)
            yield Label("action", f"{stage.name}.{action.name}", key, text, own)
            if (
                action.when is None
            ):  # what stands after it is never the next action, and meant for people to read
                break
    for alert in alerts(policy):
        own = of(policy, "alerts", alert.name)
        yield Label("alert", alert.name, ("alerts", alert.name, "when"), f"the alert {alert.name}", own)


class Label(NamedTuple):
    """Something that a customer can have, and the conditions that give it."""

    kind: str
    name: str
    key: Key
    text: str
    conditions: tuple[Written, ...] = ()


def _never(looked: Looked, label: Label, counts: Sequence[int]) -> Finding:
    text = f" ({label.conditions[0].text})" if label.conditions else ""
    return Finding(
        "warn",
        f"{label.kind}_never",
        (label.name,),
        f"Nobody was found with {label.text}.",
        f"Look at its condition{text}: one before it may take everybody, or a threshold is out of reach.",
        looked.counts(counts),
    )


def unfilled(looked: Looked) -> Iterator[Finding]:
    """Columns that expressions read and that are missing for every customer of the shop, by the table that lacks."""
    policy = looked.policy
    for sample in looked.samples:
        block = sample.found.block
        if not sample.own or not len(block):
            continue
        missing: dict[str, list[str]] = {}
        for name in block.column_names:
            if name in policy.given and block[name].null_count == len(block):
                missing.setdefault(policy.given[name].table, []).append(name)
        for table, names in missing.items():
            readers = [w for w in written(policy) if not referenced(w.tree).isdisjoint(names)]
            if not readers:
                continue
            gives = f"Your shop gives no {table}" if table else "Nothing in your shop's tables fills them"
            deciding = any(w.kind in ("stages", "risk", "tiers", "segments") for w in readers)
            yield Finding(
                "warn" if deciding else "info",
                "unfilled",
                tuple(names),
                f"{gives}: {', '.join(names)} {'is' if len(names) == 1 else 'are'} missing for all of your customers. "
                f"Read by {', '.join(w.place for w in readers)}, where a missing value is not true.",
                "Add the table to the shop's configuration, or take the column out; coalesce(column, 0) says what a "
                "missing value counts as."
                if deciding
                else "Nothing to do if you mean to bring the table later: signals stay off, parts of health are left "
                "out.",
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
