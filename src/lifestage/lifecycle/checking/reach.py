"""Made-up customers of a policy, the ones that were searched for among them: who gets into each stage, and out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lifestage.lifecycle.checking.generated import Customers, Maker, joined
from lifestage.lifecycle.checking.plausible import Genes
from lifestage.lifecycle.checking.wishes import UNTRUE, every, risk_is, some, wish
from lifestage.lifecycle.checking.written import Written, alerts, behind, of
from lifestage.lifecycle.elements import Stage
from lifestage.lifecycle.matches import Matches, matches
from lifestage.lifecycle.policy import Policy

Key = tuple[str, str, str]
"""(kind, name, part) of something that a policy can do to a customer."""


@dataclass(frozen=True)
class Wanted:
    """Something that a policy can do, and how to find a customer to whom it does."""

    key: Key
    score: str
    conditions: tuple[Written, ...]
    previous: str | None = None
    """The stage that such a customer comes from; None = any."""


def wishes(policy: Policy) -> Iterator[Wanted]:
    """Every tier, segment, signal and risk level given, every stage won by each rule, every exit open and closed."""
    if any(tier.when is not None for tier in policy.tiers):
        yield from _first_of(policy, "tiers", [tier.name for tier in policy.tiers])
    yield from _first_of(policy, "segments", [group.name for group in policy.segments])
    for signal in policy.signals:
        before: list[str] = []
        for level, _ in signal.conditions():
            own = of(policy, "signals", signal.name, level)
            yield Wanted(("signals", signal.name, level), every([wish(policy, own[0].tree), *before]), own)
            before.append(wish(policy, own[0].tree, UNTRUE))
    yield from _first_of(policy, "risk", [level.name for level in policy.risk])
    for alert in alerts(policy):
        if alert.risk is not None:
            yield _of_alert(policy, alert.name, [risk_is(policy, alert.risk)])
    ahead = [stage for stage in policy.stages if stage.preempts]
    ahead += [stage for stage in policy.stages if not stage.preempts]
    taken: list[str] = []
    for stage in ahead:
        yield from _of_stage(policy, stage, taken)
        taken += [wish(policy, w.tree, UNTRUE) for w in of(policy, "stages", stage.name, "enter")]


def _first_of(policy: Policy, kind: str, names: Sequence[str]) -> Iterator[Wanted]:
    """Each of several names of which the first whose condition is true is given."""
    before: list[str] = []
    for name in names:
        own = of(policy, kind, name)
        yield Wanted((kind, name, "when"), every([wish(policy, own[0].tree), *before]), own)
        before.append(wish(policy, own[0].tree, UNTRUE))


def _of_stage(policy: Policy, stage: Stage, taken: Sequence[str]) -> Iterator[Wanted]:
    own = of(policy, "stages", stage.name, "enter")
    entered = some([wish(policy, w.tree) for w in own])
    yield Wanted(("stages", stage.name, "enter"), every([entered, *taken]), own)
    for alert in alerts(policy):
        if alert.stage == stage.name:
            yield _of_alert(policy, alert.name, [entered, *taken])
    before: list[str] = []
    for w in own if len(own) > 1 else ():
        yield Wanted(("rules", stage.name, w.rule), every([wish(policy, w.tree), *before, *taken]), (w,))
        before.append(wish(policy, w.tree, UNTRUE))
    for w in of(policy, "stages", stage.name, "exit"):
        yield Wanted(("stages", stage.name, "exit"), wish(policy, w.tree), (w,), stage.name)
        yield Wanted(("stages", stage.name, "stays"), wish(policy, w.tree, UNTRUE), (w,), stage.name)
    before = []
    whens = {w.rule: w for w in of(policy, "stages", stage.name, "actions")}
    for action in stage.actions:
        asked = whens.get(action.name)
        met = [wish(policy, asked.tree)] if asked else []
        conditions = (*own, asked) if asked else own
        yield Wanted(
            ("actions", stage.name, action.name), every([entered, *met, *before, *taken]), conditions
        )
        if asked is None:
            break
        before.append(wish(policy, asked.tree, UNTRUE))


def _of_alert(policy: Policy, name: str, state: Sequence[str]) -> Wanted:
    """An alert rule that holds: its stage or risk level is given, and its `when` is true."""
    asked = of(policy, "alerts", name)
    return Wanted(("alerts", name, "when"), every([*(wish(policy, w.tree) for w in asked), *state]), asked)


def happens(policy: Policy, found: Matches) -> dict[Key, int]:
    """What of `wishes` customers show, and how many of them; what none of them shows is left out."""
    counts: dict[Key, int] = {}
    staged = found.staged
    was = np.array(staged["previous_stage"].to_pylist(), object)
    for i, stage in enumerate(policy.stages):
        there = found.exit[was == stage.name, i]
        counts["stages", stage.name, "enter"] = int(((found.fresh == i) & found.enter[:, i]).sum())
        counts["stages", stage.name, "exit"] = int(there.sum())
        counts["stages", stage.name, "stays"] = int((~there).sum())
    for kind, column in (("risk", "risk"), ("tiers", "tier"), ("segments", "segment")):
        counts |= {(kind, str(v), "when"): n for v, n in _values(staged[column]).items()}
    for rule, n in _values(staged["rule"]).items():
        stage_name, _, name = rule.partition(".")
        counts["rules", stage_name, name] = n
    counts |= {("actions", *pair): n for pair, n in _pairs(staged["stage"], staged["action"]).items()}
    entries = staged["signals"].combine_chunks().flatten()
    counts |= {
        ("signals", *pair): n for pair, n in _pairs(entries.field("name"), entries.field("level")).items()
    }
    if "alerts" in staged.column_names:
        names = _values(pa.chunked_array([staged["alerts"].combine_chunks().flatten()]))
        counts |= {("alerts", name, "when"): n for name, n in names.items()}
    return {key: n for key, n in counts.items() if n}


def _values(column: pa.ChunkedArray) -> dict[str, int]:
    pairs = column.combine_chunks().value_counts().to_pylist()
    return {pair["values"]: pair["counts"] for pair in pairs if pair["values"] is not None}


def _pairs(first: pa.Array, second: pa.Array) -> dict[tuple[str, str], int]:
    grouped = pa.table({"a": first, "b": second}).group_by(["a", "b"]).aggregate([([], "count_all")])
    return {(row["a"], row["b"]): row["count_all"] for row in grouped.to_pylist() if row["b"] is not None}


def made_up(policy: Policy, n: int) -> Customers:
    """About `n` customers around the policy's thresholds, and one for each wish that could be found."""
    maker = Maker(policy)
    drawn = maker.draw(n)
    parts: list[Genes] = [drawn]
    made = maker.table(drawn)
    shown = happens(policy, matches(policy, made.columns, made.as_of, made.previous))
    start = {name: values[: min(n, 2000)] for name, values in drawn.items()}
    stages: Sequence[str] = [stage.name for stage in policy.stages]
    for wanted in wishes(policy):
        if wanted.key in shown:
            continue
        fixed: Genes = {}
        if wanted.previous is not None:
            fixed = {"previous_stage": np.array([float(stages.index(wanted.previous))])}
        parts.append(maker.search(wanted.score, behind(policy, wanted.conditions), start, fixed))
    return maker.table(joined(parts))
