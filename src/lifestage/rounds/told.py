"""One round as the page tells it, from the results that its steps left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]
KINDS = ("churn", "clv")
REFUSED, SKIPPED = "refused", "skipped"


@dataclass(frozen=True, slots=True)
class Told:
    """One round. Steps that were not done are empty."""

    as_of: str
    seconds: float
    customers: int
    readiness: str
    status: str
    """steady, warn or retrain: what the watch says of the data against what served; empty where nothing served."""
    findings: Sequence[Json]
    verdicts: Mapping[str, Json]
    """churn, clv -> what the gate says; empty where nothing was trained."""
    grade: str
    untrained: str
    """Why nothing was trained; empty where something was."""
    refused: bool
    """It should have been trained."""
    release: str
    changed: bool
    failed: str
    """Why the round stopped; empty where it did not."""

    @property
    def promoted(self) -> list[str]:
        """Kinds of model that took the champion's place."""
        return [kind for kind, verdict in self.verdicts.items() if verdict["promote"]]

    @property
    def kept(self) -> list[str]:
        """Kinds whose challenger was held back."""
        return [kind for kind, verdict in self.verdicts.items() if not verdict["promote"]]


def told(as_of: str, steps: Mapping[str, Json], failed: str | None) -> Told:
    """From the steps of a round: name -> {"seconds", "result"}."""
    result = {name: step["result"] for name, step in steps.items()}
    checked, moved = result.get("check the data", {}), result.get("watch the data", {})
    gate, served = result.get("gate", {}), result.get("promote", {})
    reasons = [one for name in result for one in [result[name].get(REFUSED)] if one]
    skipped = [one for name in result for one in [result[name].get(SKIPPED)] if one]
    return Told(
        as_of=as_of,
        seconds=sum(step["seconds"] for step in steps.values()),
        customers=int(checked.get("customers", 0)),
        readiness=checked.get("readiness", ""),
        status=moved.get("status", ""),
        findings=moved.get("findings", ()),
        verdicts={kind: gate[kind] for kind in KINDS if kind in gate},
        grade=result.get("train the churn model", {}).get("grade", ""),
        untrained=(reasons or skipped or [""])[0],
        refused=bool(reasons),
        release=served.get("release", "") or result.get("score and stage", {}).get("release", ""),
        changed=bool(served.get("changed", False)),
        failed=failed or "",
    )
