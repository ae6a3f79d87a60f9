"""Exits that open never or always, and customers who move although nothing about them changed."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from lifestage.lifecycle.checking.findings import Finding, Looked, said
from lifestage.lifecycle.checking.written import of
from lifestage.lifecycle.matches import Matches


def exits(looked: Looked) -> Iterator[Finding]:
    """`exit` conditions that keep nobody, or never let anybody go."""
    policy = looked.policy
    for i, stage in enumerate(policy.stages):
        if stage.exit is None:
            continue
        label = said(policy, stage.name)
        conditions = of(policy, "stages", stage.name)
        there = [_was(sample.found) == stage.name for sample in looked.samples]
        leave = [mask & s.found.exit[:, i] for s, mask in zip(looked.samples, there, strict=True)]
        stay = [mask & ~s.found.exit[:, i] for s, mask in zip(looked.samples, there, strict=True)]
        if not any(mask.any() for mask in there):
            continue
        if not any(mask.any() for mask in leave):
            yield Finding(
                "warn",
                "exit_never",
                (stage.name,),
                f"Nobody was found who leaves {label} by its 'exit': who is in it stays for good, unless a stage that "
                "preempts takes them.",
                f"Widen its 'exit' ({stage.exit.strip()}); a missing value is not true.",
                looked.counts(leave),
                example=looked.example(stay, conditions),
            )
        elif not any(mask.any() for mask in stay):
            yield Finding(
                "warn",
                "exit_always",
                (stage.name,),
                f"The 'exit' of {label} is true of everybody who was in it, so that nobody is kept by it.",
                "Narrow its 'exit', or leave it out: then a customer leaves as soon as 'enter' is no longer true.",
                looked.counts(leave),
                example=looked.example(leave, conditions),
            )


def flickers(looked: Looked) -> Iterator[Finding]:
    """Stages whose `enter` and `exit` are true at once on the day somebody enters."""
    policy = looked.policy
    for i, stage in enumerate(policy.stages):
        if stage.exit is None:
            continue
        entered = [(s.found.stage == i) & s.found.enter[:, i] for s in looked.samples]
        both = [mask & s.again.exit[:, i] for s, mask in zip(looked.samples, entered, strict=True)]
        if not any(mask.any() for mask in both):
            continue
        everybody = all(int(b.sum()) == int(e.sum()) for b, e in zip(both, entered, strict=True))
        label = said(policy, stage.name)
        what = "; while 'enter' stays true they are taken again, so the 'exit' does not count for them."
        todo = "Nothing to do if you meant it; else narrow the 'exit'."
        if everybody:
            what = ", which is everybody who enters: the 'exit' keeps nobody."
            todo = "Leave a space between both, e.g. enter above 2 and exit below 1, so that nobody goes to and fro."
        yield Finding(
            "warn" if everybody else "info",
            "flicker",
            (stage.name,),
            f"{looked.many(both)} enter {label} while its 'exit' is true of them already{what}",
            todo,
            looked.counts(both),
            example=looked.example(both, of(policy, "stages", stage.name)),
        )


def swaps(looked: Looked) -> Iterator[Finding]:
    """Customers whom the same policy moves on the same day, although nothing changed but the stored stage."""
    policy = looked.policy
    names = looked.names
    moved = [s.again.stage != s.found.stage for s in looked.samples]
    pairs: set[tuple[int, int]] = set()
    for sample, mask in zip(looked.samples, moved, strict=True):
        pairs |= set(zip(sample.found.stage[mask].tolist(), sample.again.stage[mask].tolist(), strict=True))
    for a, b in sorted(pairs):
        masks = [(s.found.stage == a) & (s.again.stage == b) for s in looked.samples]
        back = (b, a) in pairs
        conditions = [w for name in (names[a], names[b]) for w in of(policy, "stages", name)]
        yield Finding(
            "warn" if back else "info",
            "swap" if back else "unsettled",
            (names[a], names[b]),
            f"{looked.many(masks)} are put into {said(policy, names[a])} and, if staged once more with nothing "
            f"changed, into {said(policy, names[b])}"
            + (", and others the other way round: they may go to and fro with every run." if back else "."),
            "A condition reads previous_stage or days_in_stage, or an 'exit' is true of who just entered: decide "
            "by the customer's own columns, or add an 'exit' that leaves a space.",
            looked.counts(masks),
            example=looked.example(masks, conditions, ("previous_stage", "days_in_stage")),
        )


def _was(found: Matches) -> npt.NDArray[np.object_]:
    return np.array(found.staged["previous_stage"].to_pylist(), object)
