"""The API keys as a running service knows them: looked up again when their file changes, without a restart."""

import hmac
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from lifestage.errors import InputError
from serving.keyfile import StoredKey, digest_of, read

LOG = logging.getLogger("lifestage.serving.keys")
LOOK_SECONDS = 1.0
"""How often the file's state is asked at most: a request in between costs nothing."""
FOREVER = float("inf")

Signature = tuple[int, int, int]


@dataclass(frozen=True)
class Key:
    """One key's hash, what it may, and until when: seconds since 1970."""

    name: str
    scopes: frozenset[str]
    digest: bytes
    expires: float
    until: date | None


def _key(stored: StoredKey) -> Key:
    until = stored.expires
    expires = datetime(until.year, until.month, until.day, tzinfo=UTC).timestamp() if until else FOREVER
    return Key(stored.name, frozenset(stored.scopes), bytes.fromhex(stored.sha256), expires, until)


class Keyring:
    """The keys of one file. A broken file leaves the keys as they were; a file that is gone leaves none."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.keys: tuple[Key, ...] = ()
        self.seen = False
        """Whether there has been a file: from then on a key is asked for, whatever becomes of it."""
        self._clock = clock
        self._next = -FOREVER
        self._signature: Signature | None = None
        self._fault = ""

    def find(self, key: str) -> Key | None:
        """The key that hashes to the same, expired or not, found in the same time whichever it is."""
        digest = digest_of(key)
        found = None
        for known in self.keys:
            if hmac.compare_digest(known.digest, digest):
                found = known
        return found

    def look(self) -> None:
        """Take up a changed file."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + LOOK_SECONDS
        try:
            state = self.path.stat()
        except FileNotFoundError:
            if self._signature is not None or self._fault:
                LOG.error("%s is gone: no key is valid until it is back", self.path.name)
            self.keys, self._signature, self._fault = (), None, ""
            return
        except OSError as error:
            self.seen = True
            self._broken(f"{self.path.name}: cannot be read ({error.strerror})")
            return
        self.seen = True
        signature = (state.st_mtime_ns, state.st_size, state.st_ino)
        if signature == self._signature and not self._fault:
            return
        try:
            self.keys = tuple(map(_key, read(self.path)))
        except InputError as error:
            self._broken(str(error).replace(str(self.path), self.path.name))
            return
        self._signature, self._fault = signature, ""
        LOG.info("%s: %d keys", self.path.name, len(self.keys))

    def _broken(self, fault: str) -> None:
        """Tell it once, not every second."""
        if fault != self._fault:
            LOG.error(
                "%s; the %d keys read before stay valid", fault.split("\n", maxsplit=1)[0], len(self.keys)
            )
        self._fault = fault

    @property
    def fault(self) -> str:
        """What is wrong with the file now; empty: nothing."""
        return self._fault
