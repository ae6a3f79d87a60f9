"""What a release promised with every score it made: horizons, definition of churn, discount, margin, stages."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lifestage import bundle
from lifestage.churn.model import load_spec
from lifestage.errors import InputError
from lifestage.labels import Definition
from lifestage.lifecycle.policy import Policy, parse_text
from lifestage.localtime import instant


@dataclass(frozen=True, slots=True)
class StageTerm:
    """One stage of the policy, in its order."""

    name: str
    role: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Terms:
    """The promise of one release; today's configuration may differ and is not asked."""

    release: str
    seen_until: int
    """Nothing at or after this instant was seen in training (UTC microseconds)."""
    zone: str
    """In whose local days the horizons run."""
    currency: str
    definition: Definition
    clv_days: int | None
    """CLV horizon; None for a release without a CLV model."""
    yearly_discount_rate: float
    margin: float
    policy: str
    stages: tuple[StageTerm, ...]


def read_terms(folder: Path, policies: dict[str, Policy]) -> Terms:
    """The terms of the release in `folder`, every file compared with its checksum. Raises InputError.

    `policies` keeps those met by their text: checking one takes a second.
    """
    manifest = bundle.read(folder, "release")
    churn = _json(folder / "churn" / "model.json")
    clv = _json(folder / "clv" / "clv.json") if "clv/clv.json" in manifest["files"] else None
    try:
        definition = Definition(
            churn.get("definition", "purchase"),
            int(churn["horizon_days"]),
            int(churn["active_within_days"]),
            int(churn.get("grace_days", 0)),
        )
        text = (folder / "policy.yaml").read_text(encoding="utf-8")
        if text not in policies:
            policies[text] = parse_text(text, f"{folder.name}/policy.yaml", load_spec(folder / "churn"))
        policy = policies[text]
        return Terms(
            release=str(manifest["name"]),
            seen_until=seen_until(folder, manifest),
            zone=str(manifest["timezone"]),
            currency=str(manifest["currency"]),
            definition=definition,
            clv_days=None if clv is None else round(float(clv["horizon_days"])),
            yearly_discount_rate=0.0 if clv is None else float(clv["yearly_discount_rate"]),
            margin=1.0 if clv is None else float(clv["margin"]),
            policy=policy.label,
            stages=tuple(StageTerm(s.name, s.role, s.labels.en, s.labels.zh) for s in policy.stages),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{folder}: does not say what its scores mean ({error}); promote a release of this version"
        ) from None


def seen_until(folder: Path, manifest: Mapping[str, Any]) -> int:
    """The instant up to which a release had seen data: its own as_of, or that of a model in it where it is later.

    A release made as of a past day may hold a model that was trained on a later one. Raises KeyError, ValueError.
    """
    found = [int(manifest["as_of"])]
    for path in (folder / "churn" / bundle.MANIFEST, folder / "clv" / bundle.MANIFEST):
        if path.is_file() and "as_of" in (model := _json(path)):
            found.append(instant(datetime.fromisoformat(str(model["as_of"])), str(manifest["timezone"])))
    return max(found)


def _json(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); promote again") from None
    return document
