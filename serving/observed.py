"""The layer that sees every request from outside: its id, one log line, its time. Paths as patterns, never as asked.

Whoever answers adds to the line by `note`.
"""

import os
import time
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import logs
from serving.metrics import instruments, observe_request
from serving.problems import MEDIA_TYPE, ProblemError

HEADER = b"x-request-id"
ID = "lifestage.request_id"
QUERY = "lifestage.query"
FACTS = "lifestage.facts"
KEY = "lifestage.key"
QUIET = frozenset({"/livez", "/healthz", "/readyz", "/metrics"})
"""Asked every few seconds by machines: told of only where they fail."""
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
ALLOWED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
LONGEST = 128
FAULT = (
    "the service failed on this request; quote the x-request-id of this answer, under which its log says why"
)


def note(scope: Scope, **facts: Any) -> None:
    """Add to the request's log line: customers, batch_customers, batch_requests, error (a kind, no caller's text)."""
    known = scope.get(FACTS)
    if known is not None:
        known.update(facts)


def request_id(headers: list[tuple[bytes, bytes]]) -> str:
    """The caller's if it is 1 to 128 characters of [A-Za-z0-9._-], else a new one."""
    for name, value in headers:
        if name == HEADER:
            if 1 <= len(value) <= LONGEST and ALLOWED.issuperset(value):
                return value.decode("ascii")
            break
    return os.urandom(16).hex()


def fault() -> ProblemError:
    """What a caller hears of a fault of ours."""
    return ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", FAULT)


class Observed:
    """ASGI layer around everything but Patterns."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await _Request(self.app, scope, receive, send).run()
        else:
            await self.app(scope, receive, send)


class _Request:
    """One request under way."""

    __slots__ = ("_app", "_facts", "_id", "_receive", "_scope", "_send", "came", "sent", "status")

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        self._app, self._receive, self._send = app, receive, send
        self._id = request_id(scope["headers"])
        self._facts: dict[str, Any] = {}
        # The query is kept from traces, which would quote it; traces.py gives it back to the endpoint.
        self._scope = {
            **scope, ID: self._id, FACTS: self._facts, QUERY: scope["query_string"], "query_string": b""
        }  # fmt: skip
        self.came = self.sent = self.status = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self.came += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", ()), (HEADER, self._id.encode())]}
        else:
            self.sent += len(message.get("body", b""))
        await self._send(message)

    async def run(self) -> None:
        path = self._scope["path"]
        quiet = path in QUIET
        if quiet:
            await self._answer()
        else:
            gauge = instruments().in_flight
            gauge.inc()
            started = time.perf_counter()
            try:
                await self._answer()
            finally:
                gauge.dec()
                seconds = time.perf_counter() - started
                observe_request(path, self.status, seconds)
                self._facts["duration_ms"] = round(seconds * 1e3, 3)
        if not quiet or self.status >= 400:
            self._say(path)

    async def _answer(self) -> None:
        try:
            await self._app(self._scope, self.receive, self.send)
        except Exception as error:
            self._facts.update(error=type(error).__name__, traceback=logs.frames(error))
            if not self.status:
                headers = [(b"content-type", MEDIA_TYPE.encode())]
                problem = fault()
                await self.send({"type": "http.response.start", "status": problem.status, "headers": headers})
                await self.send({"type": "http.response.body", "body": problem.body()})

    def _say(self, path: str) -> None:
        method = self._scope["method"]
        logs.say(
            "error" if self.status >= 500 else "info",
            "request",
            request_id=self._id,
            method=method if method in METHODS else "other",
            path=path,
            status=int(self.status),
            **{"duration_ms": self._facts.pop("duration_ms", None)},
            bytes_in=self.came,
            bytes_out=self.sent,
            key=self._scope.get(KEY),
            **self._facts,
        )
