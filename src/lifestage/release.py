"""A release: an immutable, checksummed folder with both models, references and policy; one pointer to the current.

Batch, Spark and the service read releases only; none of them needs the tracking server.
"""

import fcntl
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
KEPT = 200
"""Earlier releases that the pointer names."""
_locked: set[Path] = set()


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


@dataclass(frozen=True)
class Pointer:
    """Which release is current, and those that were before it, the oldest first."""

    release: str
    chain: tuple[str, ...] = ()


def pointer(folder: Path) -> Pointer | None:
    """None where there is none yet. Raises InputError where it is damaged."""
    if not (folder / POINTER).is_file():
        return None
    name = current(folder).name
    said = json.loads((folder / POINTER).read_text(encoding="utf-8"))
    before = said.get("chain", [said["previous"]] if said.get("previous") else [])
    return Pointer(name, tuple(str(one) for one in before))


def after(now: Pointer | None, name: str) -> Pointer:
    """The pointer to `name`: to one of the chain back along it, to any other on from the current one."""
    if now is None or now.release == name:
        return Pointer(name, () if now is None else now.chain)
    if name in now.chain:
        return Pointer(name, now.chain[: now.chain.index(name)])
    return Pointer(name, (*now.chain, now.release)[-KEPT:])


def point_to(folder: Path, name: str, expected: str | None = "") -> None:
    """Make release `name` the current one: the pointer is replaced whole, and names those before it.

    expected: the release that the caller saw as current (None: it saw none; empty: whatever is there). Raises
    InputError where another one has become current meanwhile, and leaves that.
    """
    bundle.read(folder / name, "release")
    with locked(folder):
        try:
            now = pointer(folder)
        except InputError:  # damaged: publishing again mends it
            now = None
        found = None if now is None else now.release
        if expected != "" and found not in (expected, name):
            raise InputError(
                f"{folder}: release {found} has become current meanwhile, in place of {expected or 'none'}; nothing "
                "was changed: look at it, then run the same again"
            )
        new = after(now, name)
        draft = folder / f".{POINTER}.{uuid.uuid4().hex[:8]}"
        with draft.open("w", encoding="utf-8") as file:
            previous = new.chain[-1] if new.chain else None
            json.dump({"release": name, "previous": previous, "chain": list(new.chain)}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(folder / POINTER)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Alone with the pointer of a folder of releases: others wait. The kernel drops the lock with the process.

    Within one process the lock may be taken again by whoever has it.
    """
    place = folder.resolve()
    if place in _locked:
        yield
        return
    with (folder / ".lock").open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        _locked.add(place)
        try:
            yield
        finally:
            _locked.discard(place)
