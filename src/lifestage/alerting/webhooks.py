"""Webhooks as Standard Webhooks 1.0.0 has them: signed headers, what is tried again, and when.

The sender signs `id.timestamp.body` with HMAC-SHA256. The id stays the same however often a message is sent; the
timestamp is that of the attempt.
"""

import base64
import binascii
import hashlib
import hmac
from datetime import UTC
from email.utils import parsedate_to_datetime

from lifestage.errors import InputError

SECRET = "LIFESTAGE_WEBHOOK_SECRET"
_PREFIX = "whsec_"
_AGAIN = frozenset({408, 409, 425, 429})
LONGEST_WAIT = 60.0
"""Seconds between two attempts, where the receiver does not ask for more."""


def secrets_of(text: str | None) -> tuple[bytes, ...]:
    """The signing keys of the environment variable: `whsec_` and base64, two with a space between while one is changed.

    Raises InputError, which never shows any of it.
    """
    keys: list[bytes] = []
    for word in (text or "").split():
        try:
            key = base64.b64decode(word.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            key = b""
        if not word.startswith(_PREFIX) or not 24 <= len(key) <= 64:
            keys = []
            break
        keys.append(key)
    if not keys:
        what = "is not set" if not (text or "").strip() else "is not as expected"
        raise InputError(
            f"the environment variable {SECRET} {what}: give whsec_ and the base64 text of 24 to 64 random bytes, e.g. "
            "of: python -c \"import base64, secrets; print('whsec_' + "
            'base64.b64encode(secrets.token_bytes(32)).decode())"'
        )
    return tuple(keys)


def headers(keys: tuple[bytes, ...], message: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of one attempt; `timestamp` in seconds since 1970, one signature a key."""
    content = f"{message}.{timestamp}.".encode() + body
    signatures = [base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode() for key in keys]
    return {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def tried_again(status: int | None) -> bool:
    """Whether an answer (None: there was none) may be another one next time."""
    return status is None or status >= 500 or status in _AGAIN


def wait_seconds(failures: int, jitter: float) -> float:
    """Seconds before the next attempt after so many failures: 1, 2, 4 ... LONGEST_WAIT, less up to a half by
    `jitter` in [0, 1), so that many senders do not come back at once."""
    return float(min(2.0 ** (failures - 1), LONGEST_WAIT)) * (1 - jitter / 2)


def retry_after(text: str | None, now: float) -> float:
    """Seconds that a Retry-After header asks for, as a number or as a date; 0 where it says nothing readable."""
    if not text:
        return 0.0
    if text.strip().isascii() and text.strip().isdigit():
        return float(text.strip())
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now)
