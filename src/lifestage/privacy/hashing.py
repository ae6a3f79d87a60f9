"""Customer ids as HMAC-SHA-256 of their UTF-8 bytes (RFC 2104), cut to 128 bits: 32 lower-case hexadecimal digits.

128 bits are enough: among a thousand million customers two have the same hash with a probability below 2e-21. Without
the key nobody can tell who is behind a hash, however few ids there are to try.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence

from lifestage.errors import InputError

KEY = "LIFESTAGE_ID_KEY"
"""Environment variable that holds the key; it is never written anywhere."""
SHORTEST_KEY = 32
DIGITS = 32
BLOCK = 64
"""Bytes of a block of SHA-256."""

Hasher = Callable[[Sequence[str]], list[str]]
"""Ids, as intake reads them -> their hashes, in the same order."""


def hasher(key: str) -> Hasher:
    """The hashes of a key's own. The two hashed blocks of the key are worked out once for all ids."""
    secret = key.encode()
    if len(secret) > BLOCK:
        secret = hashlib.sha256(secret).digest()
    secret = secret.ljust(BLOCK, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in secret))
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in secret))

    def hashed(ids: Sequence[str]) -> list[str]:
        found = []
        for name in ids:
            first = inner.copy()
            first.update(name.encode())
            second = outer.copy()
            second.update(first.digest())
            found.append(second.hexdigest()[:DIGITS])
        return found

    return hashed


def key_from(environment: Mapping[str, str]) -> str:
    """The key of the environment. Raises InputError where it is missing or shorter than SHORTEST_KEY characters."""
    key = environment.get(KEY, "")
    if not key:
        raise InputError(
            f"privacy.hash_ids: the environment variable {KEY} is not set; set it to a secret of at least "
            f"{SHORTEST_KEY} characters, and keep it: with another one nobody is known again"
        )
    if len(key) < SHORTEST_KEY:
        raise InputError(
            f"privacy.hash_ids: the environment variable {KEY} has {len(key)} characters; give a random secret of at "
            f"least {SHORTEST_KEY}"
        )
    return key


def fingerprint(hashed: Hasher) -> str:
    """What tells one key from another and gives neither away."""
    return hashed(["lifestage: fingerprint of the key, not a customer"])[0][:16]
