"""Every expression and sentence of a policy looked at before any customer is: what it reads, gives and says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lifestage.errors import InputError, PlacedError
from lifestage.lifecycle import alerts
from lifestage.lifecycle import columns as published
from lifestage.lifecycle.conditions import condition, points, value
from lifestage.lifecycle.elements import ENTER, Texts
from lifestage.lifecycle.segments import GROUPINGS
from lifestage.lifecycle.sentences import sentence

if TYPE_CHECKING:
    from lifestage.lifecycle.policy import Policy

Path = tuple[str | int, ...]
Columns = Mapping[str, published.Published]
At = Callable[..., str]
"""(path, offset) -> ", line L, column C", empty where there is no file."""


def vet(policy: Policy, document: Any, where: str, at: At) -> dict[str, pa.DataType]:
    """The types of the policy's named columns.

    Raises InputError with a line for each expression and sentence that is wrong; for named columns alone where one of
    them is, since what reads it would be wrong as well.
    """
    types = _named_types(policy, where, at)
    policy._named_types.update(types)
    fixed = {
        "tier": tuple(tier.name for tier in policy.tiers),
        "segment": tuple(group.name for group in policy.segments) or tuple(GROUPINGS[policy.grouping]),
        "risk": tuple(level.name for level in policy.risk),
        "previous_stage": tuple(stage.name for stage in policy.stages),
        "stage": tuple(stage.name for stage in policy.stages),
    }
    labels = labels_of(policy)
    found: list[str] = []
    for path, name, text, check, open_to in _expressions(policy, document):
        known = {column: values for column, values in fixed.items() if column in open_to}
        if name.startswith(("stages", "signals")):  # a stage of an older policy may be meant
            known.pop("previous_stage", None)
        try:
            check(text, open_to, name, known, labels)
        except PlacedError as error:
            found.append(_told(error, path, where, at))
    for path, problem in alerts.unknown_states(policy.alerts, fixed):
        found.append(f"{where}{at(path)}: {problem}")
    for path, name, template, open_to in _sentences(policy):
        try:
            sentence(template, open_to, f"{where}{at(path)}: {name}")
        except InputError as error:
            found.append(str(error))
    if found:
        raise InputError("\n".join(found))
    return types


def labels_of(policy: Policy) -> dict[str, dict[str, str]]:
    """Column -> label in either language -> the name that conditions write."""
    stages = {label: s.name for s in policy.stages for label in (s.labels.en, s.labels.zh)}
    return {
        "stage": stages,
        "previous_stage": stages,
        "tier": {label: t.name for t in policy.tiers for label in (t.labels.en, t.labels.zh)},
        "segment": {label: g.name for g in policy.segments for label in (g.labels.en, g.labels.zh)}
        or {label: name for name, both in GROUPINGS[policy.grouping].items() for label in both},
        "risk": {label: r.name for r in policy.risk for label in (r.labels.en, r.labels.zh)},
        "action": {label: a.name for s in policy.stages for a in s.actions for label in (a.en, a.zh)},
    }


def _named_types(policy: Policy, where: str, at: At) -> dict[str, pa.DataType]:
    types: dict[str, pa.DataType] = {}
    taken = {*policy.given, *published.DERIVED, "health", "risk", "customer_id", "stage", "action"}
    taken |= published.signals(tuple(signal.name for signal in policy.signals)).keys()
    for i, item in enumerate(policy.columns):
        name = f"columns.{item.name}"
        if item.name in taken:
            raise InputError(
                f"{where}{at(('columns', i, 'name'))}: {name}: there is a column of that name; choose another"
            )
        open_to = {
            **policy.given,
            **published.BEFORE,
            **published.RFM_SCORES,
            **published.named(policy.columns[:i], types),
        }
        try:
            types[item.name] = value(item.value, open_to, f"{name}.value", {})
        except PlacedError as error:
            raise InputError(_told(error, ("columns", i, "value"), where, at)) from None
    return types


def _told(error: PlacedError, path: Path, where: str, at: At) -> str:
    place = at(path, error.offset)
    return f"{where}{place}: {error.where}: {error.problem}" if place else f"{where}: {error}"


def _expressions(
    policy: Policy, document: Any
) -> Iterator[tuple[Path, str, str, Callable[..., object], Columns]]:
    """(path in the document, name, expression, its check, columns it may read) of all but named columns."""
    base, to_signals = policy.base, policy.open_to_signals
    to_risk, to_stages = policy.open_to_risk, policy.open_to_stages
    for i, tier in enumerate(policy.tiers):
        if tier.when is not None:
            yield ("tiers", i, "when"), f"tiers.{tier.name}.when", tier.when, condition, base
    for i, group in enumerate(policy.segments):
        yield ("segments", i, "when"), f"segments.{group.name}.when", group.when, condition, base
    for i, signal in enumerate(policy.signals):
        for level, text in signal.conditions():
            yield ("signals", i, level), f"signals.{signal.name}.{level}", text, condition, to_signals
    for i, part in enumerate(policy.health):
        read = {name: column for name, column in to_risk.items() if name != "health"}
        yield ("health", i, "points"), f"health.{part.name}.points", part.points, points, read
    for i, risk in enumerate(policy.risk):
        yield ("risk", i, "when"), f"risk.{risk.name}.when", risk.when, condition, to_risk
    for i, stage in enumerate(policy.stages):
        name = f"stages.{stage.name}"
        for j, rule in enumerate(stage.enter):
            plain = rule.rule == ENTER and isinstance(document["stages"][i]["enter"], str)
            path: Path = ("stages", i, "enter") if plain else ("stages", i, "enter", j, "when")
            told = f"{name}.enter" if plain else f"{name}.enter.{rule.rule}.when"
            yield path, told, rule.when, condition, to_stages
        if stage.exit is not None:
            yield ("stages", i, "exit"), f"{name}.exit", stage.exit, condition, to_stages
        for j, action in enumerate(stage.actions):
            if action.when is not None:
                path = ("stages", i, "actions", j, "when")
                yield path, f"{name}.actions.{action.name}.when", action.when, condition, to_stages
    yield from _alerts(policy)


def _alerts(policy: Policy) -> Iterator[tuple[Path, str, str, Callable[..., object], Columns]]:
    """As `_expressions`, of alerts."""
    for i, alert in enumerate(policy.alerts):
        if alert.when is not None:
            yield (
                ("alerts", i, "when"),
                f"alerts.{alert.name}.when",
                alert.when,
                condition,
                policy.open_to_alerts,
            )


def _sentences(policy: Policy) -> Iterator[tuple[Path, str, str, Columns]]:
    """(path, name, template, columns) of every sentence in both languages."""
    speakers: list[tuple[Path, str, Texts | None, Columns]] = []
    for i, signal in enumerate(policy.signals):
        name = f"signals.{signal.name}.because"
        speakers.append((("signals", i, "because"), name, signal.because, policy.open_to_signals))
    for i, stage in enumerate(policy.stages):
        name = f"stages.{stage.name}"
        speakers.append((("stages", i, "because"), f"{name}.because", stage.because, policy.open_to_stages))
        for j, rule in enumerate(stage.enter):
            path: Path = ("stages", i, "enter", j, "because")
            speakers.append((path, f"{name}.enter.{rule.rule}.because", rule.because, policy.open_to_stages))
    for path, name, texts, open_to in speakers:
        if texts is not None:
            yield (*path, "en"), f"{name}.en", texts.en, open_to
            yield (*path, "zh"), f"{name}.zh", texts.zh, open_to
