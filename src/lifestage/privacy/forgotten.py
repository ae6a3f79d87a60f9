"""Who was forgotten: salted hashes of ids, so that intake leaves these people out and the list names nobody.

A salted hash does not hide an id that can be guessed (a number of six digits can be tried): where that matters, set
privacy.hash_ids, whose hashes cannot be tried without the key.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lifestage.errors import InputError

FILE = "forgotten.json"


@dataclass(frozen=True)
class Forgotten:
    """Digests of the ids under which forgotten people were known."""

    salt: str
    digests: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.digests)

    def among(self, ids: Sequence[str]) -> list[bool]:
        """Which of the ids are forgotten."""
        return [digest in self.digests for digest in self._digest(ids)]

    def plus(self, ids: Sequence[str]) -> "Forgotten":
        """The list with more ids."""
        return Forgotten(self.salt, self.digests | set(self._digest(ids)))

    @property
    def stamp(self) -> str:
        """Changes with the list; empty for nobody."""
        if not self.digests:
            return ""
        return hashlib.sha256("".join([self.salt, *sorted(self.digests)]).encode()).hexdigest()[:16]

    def _digest(self, ids: Sequence[str]) -> list[str]:
        salted = hashlib.sha256(self.salt.encode())
        found = []
        for name in ids:
            one = salted.copy()
            one.update(name.encode())
            found.append(one.hexdigest())
        return found


def read(folder: Path) -> Forgotten:
    """The list of an output folder; a new one of nobody where it has none. Raises InputError where it is damaged."""
    path = folder / FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Forgotten(str(document["salt"]), frozenset(map(str, document["digests"])))
    except FileNotFoundError:
        return Forgotten(secrets.token_hex(16))
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{path}: is damaged, so who was forgotten is not known; bring it back from a backup, or delete it and "
            "forget these customers once more"
        ) from None


def write(folder: Path, forgotten: Forgotten) -> None:
    """The list appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    text = json.dumps({"salt": forgotten.salt, "digests": sorted(forgotten.digests)}, indent=1)
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
