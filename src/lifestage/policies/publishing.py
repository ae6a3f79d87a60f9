"""A policy put live without training: a new release with the current one's models and references."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lifestage import bundle, release
from lifestage.churn.model import load_spec
from lifestage.lifecycle.policy import parse_text
from lifestage.localtime import moment

OWN = ("kind", "name", "versions", "files", "checksum")
"""What a manifest says of its own folder; the rest goes on to the release made from it."""
KEPT = ("drift.parquet",)
"""Files of a release that go on to the one made from it."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication did."""

    name: str
    """Of the release that is current now."""
    before: str
    """Of the one that was."""

    @property
    def changed(self) -> bool:
        """Whether another release is current than before."""
        return self.name != self.before


def named_versions(manifest: Mapping[str, Any]) -> list[bytes]:
    """The registered versions of a release as content: the same model registered twice is two champions."""
    found = manifest.get("versions_registered")
    return [json.dumps(found, sort_keys=True).encode()] if found else []


def content_name(
    prefix: str, manifests: list[bytes], policy_text: str, references: bytes, reasons: str
) -> str:
    """The name of a release: the same content gets the same name."""
    content = b"".join([*manifests, policy_text.encode(), references, reasons.encode()])
    return f"{prefix}-{hashlib.sha256(content).hexdigest()[:8]}"


def publish(releases: Path, text: str, where: str) -> Published:
    """Make the policy in the YAML `text` (`where` names it in errors) that of the current release.

    Writes a whole new release and then points to it; where its text is live already, or was in a release made
    of the same models, nothing is written but at most the pointer. Raises InputError for a policy that the
    release's features do not fit.
    """
    now = release.current(releases)
    manifest = bundle.read(now, "release")
    if (now / "policy.yaml").read_bytes() == text.encode():
        return Published(now.name, now.name)
    policy = parse_text(text, where, load_spec(now / "churn"))
    current = release.load(now)
    clv = now / "clv" if current.clv is not None else None
    folders = [now / "churn", *([] if clv is None else [clv])]
    further = {file: (now / file).read_bytes() for file in KEPT if file in manifest["files"]}
    name = content_name(
        f"{manifest['shop']}-{moment(manifest['as_of'], current.timezone):%Y-%m-%d}",
        [(folder / bundle.MANIFEST).read_bytes() for folder in folders] + named_versions(manifest),
        policy.source,
        current.references.to_bytes() + b"".join(further.values()),
        current.reasons.model_dump_json(),
    )
    if not (releases / name).exists():
        release.write(
            releases,
            name,
            churn=now / "churn",
            clv=clv,
            policy=policy,
            reference=current.references,
            meta={key: value for key, value in manifest.items() if key not in OWN},
            further=further,
        )
    release.point_to(releases, name, expected=now.name)
    return Published(name, now.name)
