"""A check's report in words, for a person who knows no Python."""

from collections.abc import Iterator

from lifestage.lifecycle.checking.check import Report
from lifestage.lifecycle.checking.findings import Finding, example_text, said

WORDS = {"error": "ERROR", "warn": "WARNING", "info": "note"}
WORDS_OF = {"error": "error", "warn": "warning", "info": "note"}


def report_lines(report: Report) -> Iterator[str]:
    """The stages with their customers, then one paragraph a finding, the worst first, and a sum."""
    policy = report.policy
    yield f"policy {policy.name} version {policy.version}: {len(policy.stages)} stages, default {policy.default}"
    total = sum((report.own or {}).values())
    for stage in policy.stages:
        if report.own is not None and total:
            n = report.own[stage.name]
            count = f"{n:>11,} of your customers {n / total:>6.1%}"
        else:
            count = f"{report.generated[stage.name]:>11,} generated customers"
        yield f"  {count}  {said(policy, stage.name)}"
    for finding in report.findings:
        yield ""
        yield from finding_lines(finding)
    yield ""
    parts = [f"{n:,} {WORDS_OF[s]}{'' if n == 1 else 's'}" for s in WORDS_OF if (n := report.count(s))]
    yield ", ".join(parts) if parts else "nothing found"


def finding_lines(finding: Finding) -> Iterator[str]:
    """One finding: what, an example, what to do."""
    yield f"{WORDS[finding.severity]} ({finding.kind.replace('_', ' ')}): {finding.text}"
    if finding.example is not None:
        yield f"  for example: {example_text(finding.example)}"
    if finding.severity != "info" or not finding.advice.startswith("Nothing"):
        yield f"  what to do: {finding.advice}"
