"""A policy on trial: every finding about it, on a shop's own customers and on made-up ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lifestage.lifecycle.checking import entering, leaving, unused
from lifestage.lifecycle.checking.findings import SEVERITIES, Finding, Looked, Sample
from lifestage.lifecycle.checking.generated import Customers
from lifestage.lifecycle.checking.reach import made_up
from lifestage.lifecycle.matches import again, matches
from lifestage.lifecycle.policy import Policy

GENERATED = 20_000


@dataclass(frozen=True)
class Report:
    """What a check found."""

    policy: Policy
    findings: tuple[Finding, ...]
    """The worst first."""
    own: Mapping[str, int] | None
    """Stage -> customers of the shop; None where none were given."""
    generated: Mapping[str, int]

    def count(self, severity: str) -> int:
        """How many findings are of a severity."""
        return sum(finding.severity == severity for finding in self.findings)


def check(policy: Policy, own: Customers | None = None, generated: int = GENERATED) -> Report:
    """Every finding about a policy, on `own` customers, if given, and on about so many made-up ones.

    Raises InputError where a condition fails on a value of theirs.
    """
    samples = [_sample(policy, own, True)] if own is not None and len(own) else []
    samples.append(_sample(policy, made_up(policy, generated), False))
    looked = Looked(policy, samples)
    found: list[Finding] = [*unused.impossible(policy)]
    for part in (
        *(unused.default_only, entering.gaps, entering.overlaps),
        *(entering.unreached, entering.preemptions),
        *(leaving.exits, leaving.flickers, leaving.swaps, unused.silent, unused.unfilled),
    ):
        found += part(looked)
    found.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Report(policy, tuple(found), _stages(looked, samples[:-1]), _stages(looked, samples[-1:]) or {})


def _sample(policy: Policy, customers: Customers, own: bool) -> Sample:
    first = matches(policy, customers.columns, customers.as_of, customers.previous)
    return Sample(own, first, again(policy, customers.columns, customers.as_of, first))


def _stages(looked: Looked, samples: Sequence[Sample]) -> dict[str, int] | None:
    for sample in samples:
        counts = np.bincount(sample.found.stage, minlength=len(looked.names))
        return {name: int(n) for name, n in zip(looked.names, counts, strict=True)}
    return None
