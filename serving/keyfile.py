"""The file of API keys: who may call the service, for what, until when. It holds hashes, never a key.

A key is 256 random bits. Nobody can guess one or try them all, so one SHA-256 is enough: the slow, salted hashes
that passwords need protect what people choose, and would cost every request milliseconds.
"""

import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from lifestage.documents import Model, repeated
from lifestage.errors import InputError
from lifestage.settings import Shop
from serving.scopes import MAX_KEYS, NAME

KEYS_FILE = "LIFESTAGE_KEYS_FILE"
"""Environment variable: path of the file, in place of the shop's own; for containers."""
PREFIX = "lsk_"


class StoredKey(Model):
    name: Annotated[str, Field(pattern=NAME)]
    scopes: Annotated[tuple[Literal["read", "score"], ...], Field(min_length=1)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    created: date
    expires: date | None = None
    """The day from whose beginning, in UTC, the key no longer works."""


class KeyFile(Model):
    version: Literal[1]
    keys: Annotated[tuple[StoredKey, ...], Field(max_length=MAX_KEYS)]

    @model_validator(mode="after")
    def _names_differ(self) -> "KeyFile":
        repeated([key.name for key in self.keys], "keys", "name")
        return self


def path_of(shop: Shop) -> Path:
    """Where the keys of a shop are."""
    return Path(os.environ.get(KEYS_FILE) or shop.keys_file)


def digest_of(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="replace")).digest()


def read(path: Path) -> tuple[StoredKey, ...]:
    """The keys of the file, none where there is no file. Raises InputError where it cannot be read."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InputError(
            f"{path}: is no file of API keys; take it away, or bring back the one that python -m serving.keys wrote"
        )
    try:
        return KeyFile.model_validate(document).keys
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "keys"
        # Without the value: it might be a key that somebody put in by hand.
        raise InputError(
            f"{path}: {place}: {first['msg']}; let python -m serving.keys change the file"
        ) from None


def add(path: Path, name: str, scopes: Sequence[str], created: date, expires: date | None) -> str:
    """Make a key, store its hash, return it. Raises InputError."""
    key = PREFIX + secrets.token_urlsafe(32)
    made = StoredKey.model_validate(
        {
            "name": name,
            "scopes": scopes,
            "sha256": digest_of(key).hex(),
            "created": created,
            "expires": expires,
        }
    )
    with _held(path):
        keys = read(path)
        if any(other.name == name for other in keys):
            raise InputError(
                f"{path}: there is a key '{name}' already; to rotate it, add one of another name, e.g. '{name}-2', "
                f"change the caller over, then remove '{name}'"
            )
        if len(keys) >= MAX_KEYS:
            raise InputError(f"{path}: holds {MAX_KEYS} keys, which is the most; remove one that is not used")
        _write(path, (*keys, made))
    return key


def remove(path: Path, name: str) -> int:
    """Take a key out; how many are left. Raises InputError."""
    if not path.exists():
        raise InputError(f"{path}: does not exist, so there is no key '{name}'")
    with _held(path):
        keys = read(path)
        left = tuple(key for key in keys if key.name != name)
        if len(left) == len(keys):
            known = ", ".join(key.name for key in keys) or "none"
            raise InputError(f"{path}: there is no key '{name}'; the keys are: {known}")
        _write(path, left)
    return len(left)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Two changes at once: the second one waits, and begins from what the first one wrote."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX)  # the kernel drops it with the process
        yield
    finally:
        os.close(file)


def _write(path: Path, keys: tuple[StoredKey, ...]) -> None:
    """Replace the file whole; a link stays, and what it points to is replaced."""
    path = path.resolve()
    document = KeyFile(version=1, keys=keys).model_dump(mode="json")
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.unlink(missing_ok=True)  # of a killed one: under the lock nobody is writing it
        with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(json.dumps(document, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
