"""A release: an immutable, checksummed folder with both models, references and policy; one pointer to the current.

Batch, Spark and the service read releases only; none of them needs the tracking server.
"""

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from lifestage import bundle, references
from lifestage.churn.model import ChurnModel
from lifestage.clv.model import ClvModel
from lifestage.documents import validate
from lifestage.errors import InputError
from lifestage.features.spec import CANONICAL_PROFILE
from lifestage.lifecycle.policy import Policy, parse_text
from lifestage.references import References
from lifestage.scoring import FIRST_ORDER_VALUE
from lifestage.settings import Reasons

POINTER = "current.json"


NO_REASONS = Reasons(top=0)


@dataclass(frozen=True)
class Release:
    """Everything that scoring a block needs, loaded and checked."""

    name: str
    timezone: str
    currency: str
    churn: ChurnModel
    clv: ClvModel | None
    """None for a shop without transactions: its CLV columns are null."""
    references: References
    policy: Policy
    manifest: Mapping[str, Any]
    reasons: Reasons = NO_REASONS
    """Who gets the reasons of the churn probability; nobody under a release that does not say."""

    @property
    def attribute_types(self) -> Mapping[str, pa.DataType]:
        """Arrow type of each attribute of the shop's own that the models read, by column name."""
        known = (*CANONICAL_PROFILE, FIRST_ORDER_VALUE)
        of_clv = [c for c in (self.clv.covariates if self.clv else ()) if c.name not in known]
        own = {c.name: pa.float64() if c.edges else pa.string() for c in of_clv}
        return {**own, **self.churn.spec.attribute_types}

    def __repr__(self) -> str:
        return f"Release({self.name!r}, policy {self.policy.name!r}, {self.currency}, {self.timezone})"


def write(
    folder: Path,
    name: str,
    *,
    churn: Path,
    clv: Path | None,
    policy: Policy,
    reference: References,
    meta: Mapping[str, Any],
    further: Mapping[str, bytes] | None = None,
) -> Path:
    """Write release `name` under `folder` from its model folders; `meta` needs timezone and currency,
    and may have `reasons` (settings.Reasons). `further`: files that scoring does not read."""
    bundle.read(churn, "churn")
    if clv is not None:
        bundle.read(clv, "clv")
    files: dict[str, bytes | Path] = {
        "churn": churn,
        **({} if clv is None else {"clv": clv}),
        "policy.yaml": policy.source.encode(),
        "references.parquet": reference.to_bytes(),
        **(further or {}),
    }
    return bundle.write(folder / name, "release", files, {"name": name, **meta})


def load(folder: Path, before: Release | None = None) -> Release:
    """The release in `folder`, every file compared with its checksum. Raises InputError.

    Where `before` has the same policy over the same features, its checked policy is taken: checking one anew is most
    of the work, and what was prepared for it stays useful.
    """
    manifest = bundle.read(folder, "release")
    churn = ChurnModel.load(folder / "churn")
    source = (folder / "policy.yaml").read_text(encoding="utf-8")
    if before is not None and (before.policy.source, before.churn.spec) == (source, churn.spec):
        policy = before.policy
    else:
        policy = parse_text(source, f"{folder.name}/policy.yaml", churn.spec)
    return Release(
        name=manifest["name"],
        timezone=manifest["timezone"],
        currency=manifest["currency"],
        churn=churn,
        clv=ClvModel.load(folder / "clv") if "clv/manifest.json" in manifest["files"] else None,
        references=references.from_bytes((folder / "references.parquet").read_bytes()),
        policy=policy,
        manifest=manifest,
        reasons=validate(
            Reasons,
            manifest.get("reasons", NO_REASONS.model_dump()),
            f"{folder.name}/{bundle.MANIFEST}: reasons",
        ),
    )


def current(folder: Path) -> Path:
    """Folder of the release that the pointer names. Raises InputError where there is none."""
    try:
        name = json.loads((folder / POINTER).read_text(encoding="utf-8"))["release"]
    except OSError:
        raise InputError(
            f"{folder}: holds no current release; 'make pipeline CONFIG=<shop>.yaml' trains the models and publishes "
            "one (by hand: training.train_clv, training.train_churn, training.promote)"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise InputError(
            f"{folder / POINTER}: is damaged; publish again with 'python -m training.promote'"
        ) from None
    return folder / str(name)


def point_to(folder: Path, name: str) -> None:
    """Make release `name` the current one: the pointer is replaced whole, and names its predecessor."""
    bundle.read(folder / name, "release")
    try:
        before: str | None = current(folder).name
    except InputError:
        before = None
    draft = folder / f".{POINTER}.{uuid.uuid4().hex[:8]}"
    with draft.open("w", encoding="utf-8") as file:
        json.dump({"release": name, "previous": before}, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / POINTER)
