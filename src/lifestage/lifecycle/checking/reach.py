"""Made-up customers of a policy, the ones that were searched for among them: who gets into each stage, and out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lifestage.lifecycle.checking.generated import Customers, Maker, joined
from lifestage.lifecycle.checking.plausible import Genes
from lifestage.lifecycle.checking.wishes import UNTRUE, every, wish
from lifestage.lifecycle.checking.written import Written, behind, of
from lifestage.lifecycle.matches import Matches, matches
from lifestage.lifecycle.policy import Policy


@dataclass(frozen=True)
class Wanted:
    """Something that a policy can do to a customer: (kind, name, part), and how to find one to whom it does."""

    key: tuple[str, str, str]
    score: str
    conditions: tuple[Written, ...]
    previous: str | None = None
    """The stage that such a customer comes from; None = any."""


def wishes(policy: Policy) -> Iterator[Wanted]:
    """Every stage won, every exit open and closed, every signal and risk level given."""
    for signal in policy.signals:
        before: list[str] = []
        for level, _ in signal.conditions():
            own = of(policy, "signals", signal.name, level)
            met = wish(policy, own[0].tree)
            yield Wanted(("signals", signal.name, level), every([met, *before]), own)
            before.append(wish(policy, own[0].tree, UNTRUE))
    before = []
    for risk in policy.risk:
        own = of(policy, "risk", risk.name)
        yield Wanted(("risk", risk.name, "when"), every([wish(policy, own[0].tree), *before]), own)
        before.append(wish(policy, own[0].tree, UNTRUE))
    ahead = [stage for stage in policy.stages if stage.preempts]
    ahead += [stage for stage in policy.stages if not stage.preempts]
    before = []
    for stage in ahead:
        own = of(policy, "stages", stage.name, "enter")
        entered = [wish(policy, w.tree) for w in own]
        yield Wanted(("stages", stage.name, "enter"), every([*entered, *before]), own)
        before += [wish(policy, w.tree, UNTRUE) for w in own]
    for stage in policy.stages:
        for w in of(policy, "stages", stage.name, "exit"):
            yield Wanted(("stages", stage.name, "exit"), wish(policy, w.tree), (w,), stage.name)
            yield Wanted(("stages", stage.name, "stays"), wish(policy, w.tree, UNTRUE), (w,), stage.name)


def happens(policy: Policy, found: Matches) -> set[tuple[str, str, str]]:
    """What of `wishes` some customer of these shows."""
    keys = set()
    names = [stage.name for stage in policy.stages]
    was = np.array(found.staged["previous_stage"].to_pylist(), object)
    for i, stage in enumerate(policy.stages):
        if ((found.fresh == i) & found.enter[:, i]).any():
            keys.add(("stages", stage.name, "enter"))
        there = found.exit[was == names[i], i]
        if there.any():
            keys.add(("stages", stage.name, "exit"))
        if not there.all():
            keys.add(("stages", stage.name, "stays"))
    keys |= {("risk", name, "when") for name in set(found.staged["risk"].to_pylist()) if name is not None}
    for signal, level in levels(found):
        keys.add(("signals", signal, level))
    return keys


def levels(found: Matches) -> dict[tuple[str, str], int]:
    """(signal, level) -> customers for whom it is on at that level."""
    entries = found.staged["signals"].combine_chunks().flatten()
    counts: dict[tuple[str, str], int] = {}
    for pair in zip(entries.field("name").to_pylist(), entries.field("level").to_pylist(), strict=True):
        counts[pair] = counts.get(pair, 0) + 1
    return counts


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
