"""Who is let in: keys, scopes, rates, sizes, and the headers of every answer, around the whole service.

What stays open needs no key: health, and the page that describes the API. Everything else is refused here, before
a byte of its body is read.
"""

import time
from collections.abc import Callable
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import access, limits
from serving.buckets import Buckets
from serving.headers import headers_of
from serving.keyfile import path_of
from serving.keyring import Key, Keyring
from serving.problems import MEDIA_TYPE, ProblemError
from serving.scopes import DESCRIPTION, HEALTH, NEEDED
from serving.state import State

FAILURES_PER_MINUTE = 30
"""Wrong keys that one address may send; a right one from there is let in all the same."""
FORWARDED = (
    *(b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"),
)
"""Headers of a proxy: whoever sends them, another machine may be behind."""
CALLER = "lifestage.key"
"""In the scope: the name of the caller's key, for the log."""


class Refusal(NamedTuple):
    """An answer instead of the operation's."""

    problem: ProblemError
    header: tuple[bytes, bytes] | None = None


class Rules(NamedTuple):
    """What a service was started with."""

    keyring: Keyring
    requests: Buckets | None
    body_bytes: int
    too_large: ProblemError


class Guard:
    """ASGI layer. `loaded` gives the service's State, None before there is one; limits are read from the first."""

    def __init__(self, app: ASGIApp, loaded: Callable[[], State | None], mode: str | None = None) -> None:
        self.app = app
        self.loaded = loaded
        self.mode = access.mode() if mode is None else mode
        self.failures = Buckets(FAILURES_PER_MINUTE)
        self.rules: Rules | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # there are none, and none may come in beside the keys
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        more = headers_of(path)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *more]
            await send(message)

        if path not in HEALTH and path not in DESCRIPTION:
            refusal = self.refusal(scope)
            if refusal is not None:
                await _answer(refusal, guarded)
                return
        await self.app(scope, receive, guarded)

    def refusal(self, scope: Scope) -> Refusal | None:
        """Why this request is not let in; None: it is."""
        rules = self.rules or self._read()
        if rules is None:
            return Refusal(
                ProblemError(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "no-release",
                    "no release is loaded yet; try again shortly",
                )
            )
        given = _headers(scope)
        operation = scope["method"], scope["path"]
        needed = NEEDED.get(operation)
        if self.mode != access.OPEN:
            rules.keyring.look()
            if self.mode == access.KEYS or rules.keyring.seen:
                key = rules.keyring.find(_sent(given))
                if key is None or time.time() >= key.expires:
                    return self._unknown(scope, given, key)
                scope[CALLER] = key.name
                wait = 0.0 if rules.requests is None else rules.requests.take(key.name)
                if wait:
                    return _wait(wait, f"key '{key.name}' has sent its requests of this minute")
                if needed is not None and needed not in key.scopes:
                    return _forbidden(key, needed)
            elif not access.from_this_machine(_client(scope), given.get(b"host", "localhost")) or any(
                map(given.__contains__, FORWARDED)
            ):
                return _foreign()
        return _unfit(given, rules) if needed is not None and operation[0] == "POST" else None

    def _read(self) -> Rules | None:
        """From the first State: limits and the file of keys belong to the process."""
        state = self.loaded()
        if state is not None:
            serving = state.shop.serving
            self.rules = Rules(
                Keyring(path_of(state.shop)),
                Buckets(serving.requests_per_minute) if serving.requests_per_minute else None,
                limits.body_bytes(serving),
                limits.too_large(serving),
            )
        return self.rules

    def _unknown(self, scope: Scope, given: dict[bytes, str], key: Key | None) -> Refusal:
        wait = self.failures.take(_network(_client(scope)))
        if wait:
            return _wait(wait, "too many requests without a valid key come from this address")
        if key is not None:
            detail = f"key '{key.name}' is not valid since {key.until}; ask for a new one"
        elif _sent(given):
            detail = "this API key is not valid: it is mistyped, or has been removed"
        else:
            detail = "an API key is needed; send it in the header 'Authorization: Bearer KEY'"
        return Refusal(
            ProblemError(HTTPStatus.UNAUTHORIZED, "unauthorized", detail), (b"www-authenticate", b"Bearer")
        )


def _headers(scope: Scope) -> dict[bytes, str]:
    """The first of each name: who adds a second one does not change what counts."""
    given: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name not in given:
            given[name] = value.decode("latin-1")
    return given


def _sent(given: dict[bytes, str]) -> str:
    """The key that the caller sends, empty where none."""
    kind, _, key = given.get(b"authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else given.get(b"x-api-key", "")


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _network(address: str) -> str:
    """Whom failures are counted for: an IPv4 address, an IPv6 /64, of which one caller has all addresses."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    return str(IPv6Address(int(parsed) >> 64 << 64)) if parsed.version == 6 else address


def _wait(seconds: float, who: str) -> Refusal:
    whole = max(1, ceil(seconds))
    problem = ProblemError(
        HTTPStatus.TOO_MANY_REQUESTS, "too-many-requests", f"{who}; try again in {whole} s"
    )
    return Refusal(problem, (b"retry-after", str(whole).encode()))


def _forbidden(key: Key, needed: str) -> Refusal:
    detail = (
        f"key '{key.name}' may {', '.join(sorted(key.scopes))}; this operation needs the scope '{needed}'"
    )
    return Refusal(ProblemError(HTTPStatus.FORBIDDEN, "forbidden", detail))


def _foreign() -> Refusal:
    detail = (
        "without API keys the service answers only callers on its own machine, who ask for localhost or 127.0.0.1; "
        "python -m serving.keys makes a key"
    )
    return Refusal(ProblemError(HTTPStatus.FORBIDDEN, "forbidden", detail))


def _unfit(given: dict[bytes, str], rules: Rules) -> Refusal | None:
    """A body that is too large by its own word, or no JSON by its own word."""
    length = given.get(b"content-length", "")
    if length.isdecimal() and int(length[:20]) > rules.body_bytes:
        return Refusal(rules.too_large)
    kind, _, more = given.get(b"content-type", "").lower().partition(";")
    charset = more.partition("charset=")[2].partition(";")[0].strip().strip('"')
    if (kind.strip() and kind.strip() != "application/json") or charset not in ("", "utf-8", "utf8"):
        detail = f"content-type is '{given[b'content-type'][:100]}'; send application/json, in UTF-8"
        return Refusal(ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail))
    return None


async def _answer(refusal: Refusal, send: Send) -> None:
    body = refusal.problem.body()
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    if refusal.header is not None:
        headers.append(refusal.header)
    await send({"type": "http.response.start", "status": int(refusal.problem.status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
