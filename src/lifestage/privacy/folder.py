"""Privacy of one output folder: whose ids it holds (raw ones, or hashes of which key), and who was forgotten."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lifestage.errors import InputError
from lifestage.privacy import forgotten as forgotten_list
from lifestage.privacy.forgotten import Forgotten
from lifestage.privacy.hashing import KEY, Hasher, fingerprint, hasher, key_from

FILE = "id_key.json"
MADE_OF_IDS = ("history.parquet", "quarantine.parquet", "runs", "store.db")
"""What tells that a folder holds ids already."""


@dataclass(frozen=True)
class Privacy:
    """How ids are treated."""

    key: str | None = field(repr=False)
    """None: ids are left as they are."""
    forgotten: Forgotten

    @cached_property
    def hashed(self) -> Hasher | None:
        """None: ids are left as they are."""
        return None if self.key is None else hasher(self.key)

    @property
    def stamp(self) -> str:
        """Changes with the key; empty where ids are left as they are."""
        return "" if self.hashed is None else fingerprint(self.hashed)

    def id_of(self, raw: str) -> str:
        """The id under which Lifestage knows the customer that the shop calls `raw` (read as intake reads ids)."""
        return raw if self.hashed is None else self.hashed([raw])[0]

    def are_forgotten(self, raw: list[str]) -> list[bool]:
        """Which of the shop's ids are those of forgotten people."""
        return self.forgotten.among(raw if self.hashed is None else self.hashed(raw))


def open_privacy(folder: Path, hash_ids: bool, environment: Mapping[str, str] = os.environ) -> Privacy:
    """The privacy of an output folder, which it changes in nothing.

    Raises InputError: no key, a short one, one that is not the folder's, or a folder with ids of the other kind.
    """
    kept = _fingerprint_of(folder)
    key = key_from(environment) if hash_ids else None
    if key is None and kept is not None:
        raise InputError(
            f"{folder.as_posix()}: holds hashed ids, and privacy.hash_ids is off; raw ids beside them would make "
            "everybody a stranger: set it to true, or name another output_dir"
        )
    if key is not None and kept is None and any((folder / name).exists() for name in MADE_OF_IDS):
        raise InputError(
            f"{folder.as_posix()}: holds raw ids from before privacy.hash_ids was set; name a new output_dir, and "
            "delete this one once the new one is scored"
        )
    found = Privacy(key, forgotten_list.read(folder))
    if kept is not None:
        agree(found.stamp, kept, folder.as_posix())
    return found


def agree(own: str, kept: str, where: str) -> None:
    """Raises InputError where the fingerprint of the key is not the one that was kept."""
    if own != kept:
        raise InputError(
            f"{where}: was made with another {KEY} (its fingerprint is {kept}, yours {own}); with yours every customer "
            "would be a stranger: set the key of then, or name a new output_dir"
        )


def keep_fingerprint(folder: Path, privacy: Privacy) -> None:
    """Note in the folder which key its ids are hashed with. Nothing where they are not."""
    path = folder / FILE
    if privacy.hashed is None or path.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    draft.write_text(json.dumps({"fingerprint": privacy.stamp}), encoding="utf-8")
    draft.replace(path)


def _fingerprint_of(folder: Path) -> str | None:
    path = folder / FILE
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["fingerprint"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{path}: is damaged; bring it back from a backup") from None
