"""Who enters nothing, who enters several stages, and stages that nobody gets into."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from lifestage.lifecycle.checking.findings import Finding, Looked, said
from lifestage.lifecycle.checking.written import of, written
from lifestage.lifecycle.elements import Stage
from lifestage.lifecycle.matches import Bools


def gaps(looked: Looked) -> Iterator[Finding]:
    """Customers for whom no `enter` is true."""
    masks = [sample.found.nobody for sample in looked.samples]
    if not any(mask.any() for mask in masks):
        return
    policy = looked.policy
    conditions = [w for w in written(policy) if (w.kind, w.part) == ("stages", "enter")]
    yield Finding(
        "info" if looked.has_own and not looked.counts(masks).own else "warn",
        "gap",
        (policy.default,),
        f"{looked.many(masks)} fit no stage: no 'enter' is true, so that the default ({said(policy, policy.default)}) "
        "or the stage they were in before gets them.",
        "If they belong elsewhere, widen that stage's 'enter'; a missing value is not true: write coalesce(column, 0) "
        "where it should count.",
        looked.counts(masks),
        example=looked.example(masks, conditions),
    )


def overlaps(looked: Looked) -> Iterator[Finding]:
    """Pairs of stages that do not preempt one another, and whose `enter` is true of the same customer."""
    policy = looked.policy
    for (i, first), (j, second) in combinations(enumerate(policy.stages), 2):
        masks = [sample.found.enter[:, i] & sample.found.enter[:, j] for sample in looked.samples]
        if first.preempts != second.preempts or not any(mask.any() for mask in masks):
            continue
        names = (first.name, second.name)
        example = looked.example(masks, [w for s in names for w in of(policy, "stages", s, "enter")])
        both = f"{looked.many(masks)} fit both {said(policy, first.name)} and {said(policy, second.name)}"
        if _always(looked, second):
            yield Finding(
                "info",
                "catch_all",
                names,
                f"{both}; {second.name} is for everybody whom no stage before it takes.",
                "Nothing to do: a last stage for everybody leaves no gap.",
                looked.counts(masks),
                example=example,
            )
        else:
            yield Finding(
                looked.severe(masks),
                "overlap",
                names,
                f"{both}; {first.name} takes them only because it stands first in the file.",
                f"If that is right, say so in the 'enter' of {second.name} (AND NOT ...); else move the stage that "
                "should win before the other, or narrow one.",
                looked.counts(masks),
                example=example,
            )


def preemptions(looked: Looked) -> Iterator[Finding]:
    """Whom each stage that preempts takes from the others; by design, so only told."""
    policy = looked.policy
    for i, stage in enumerate(policy.stages):
        taken: dict[str, list[Bools]] = {}
        for j, other in enumerate(policy.stages):
            masks = [s.found.enter[:, i] & s.found.enter[:, j] & (s.found.fresh == i) for s in looked.samples]
            if stage.preempts and not other.preempts and any(mask.any() for mask in masks):
                taken[other.name] = masks
        if not taken:
            continue
        masks = [np.any(one, axis=0) for one in zip(*taken.values(), strict=True)]
        parts = [f"{name} {int(one[0].sum()):,}" for name, one in taken.items() if one[0].any()]
        found = f"; of yours: {', '.join(parts)}" if parts and looked.has_own else ""
        yield Finding(
            "info",
            "preempts",
            (stage.name, *taken),
            f"{said(policy, stage.name)} preempts: it takes {looked.many(masks)} who fit another stage too{found}.",
            "Nothing to do: this is what 'preempts: true' is for.",
            looked.counts(masks),
            example=looked.example(masks, of(policy, "stages", stage.name, "enter")),
        )


def _always(looked: Looked, stage: Stage) -> bool:
    i = looked.names.index(stage.name)
    return all(sample.found.enter[:, i].all() for sample in looked.samples)


def _fresh(looked: Looked, i: int) -> list[Bools]:
    return [(s.found.fresh == i) & s.found.enter[:, i] for s in looked.samples]


def unreached(looked: Looked) -> Iterator[Finding]:
    """Stages whose `enter` is never true, or true only of customers whom other stages take."""
    policy = looked.policy
    for i, stage in enumerate(policy.stages):
        reached = _fresh(looked, i)
        fits = [sample.found.enter[:, i] for sample in looked.samples]
        there = [sample.found.stage == i for sample in looked.samples]
        own = [mask for sample, mask in zip(looked.samples, there, strict=True) if sample.own]
        conditions = of(policy, "stages", stage.name, "enter")
        label = said(policy, stage.name)
        if any(mask.any() for mask in reached):
            if own and not own[0].any():
                yield Finding(
                    "info",
                    "empty",
                    (stage.name,),
                    f"None of your customers is in {label} today, but there are customers who would be.",
                    "Nothing to do if you expect them later; else look at the example.",
                    looked.counts(reached),
                    example=looked.example(reached, conditions),
                )
        elif any(mask.any() for mask in fits):
            takers = _takers(looked, i)
            yield Finding(
                "warn",
                "shadowed",
                (stage.name, *takers),
                f"{label} never gets anybody: {looked.many(fits)} fit it, but all of them are taken before by "
                f"{', '.join(f'{name} ({n:,})' for name, n in takers.items())}.",
                f"Move {stage.name} before them in the file, give it 'preempts: true', or narrow their 'enter'.",
                looked.counts(fits),
                example=looked.example(fits, conditions),
            )
        elif stage.name == policy.default:
            yield Finding(
                "info",
                "default_only",
                (stage.name,),
                f"{label} gets customers as the default only: nobody was found for whom its own 'enter' is true.",
                "Nothing to do if it is only meant for the rest.",
            )
        else:
            yield Finding(
                "warn",
                "unreachable",
                (stage.name,),
                f"Nobody was found who gets into {label}, neither among {_whom(looked)} nor by a search around its "
                "thresholds (a search that finds nobody is no proof).",
                f"Look at its 'enter' ({conditions[0].text}): two parts may contradict each other, or a threshold is "
                "out of reach.",
                looked.counts(fits),
            )


def _takers(looked: Looked, i: int) -> dict[str, int]:
    """Stages that take the customers who fit stage i, and how many, the most first."""
    counted = sum(
        np.bincount(s.found.fresh[s.found.enter[:, i]], minlength=len(looked.names)) for s in looked.samples
    )
    found = {name: int(n) for name, n in zip(looked.names, np.asarray(counted), strict=True) if n}
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def _whom(looked: Looked) -> str:
    parts = [
        f"your {len(s.found):,} customers" if s.own else f"{len(s.found):,} generated ones"
        for s in looked.samples
    ]
    return " and ".join(parts)
