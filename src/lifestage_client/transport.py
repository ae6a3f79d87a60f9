"""HTTP over connections that are kept, with retries. Safe to share between threads."""

import http.client
import json
import random
import ssl
import threading
import time
import uuid
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from lifestage_client.errors import LifestageError

RETRIED = (429, 503)
IDLE = 32
"""Connections kept while nobody uses them."""
FIRST_WAIT_SECONDS = 0.1


class Transport:
    """Every request may be repeated: none of the service's operations changes anything.

    Repeated are 429, 503 and connections that fail, after waits that double, or as long as Retry-After says. A
    timeout is not: whoever set one cannot wait twice as long.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None,
        timeout: float,
        retries: int,
        longest_wait: float,
        tls: ssl.SSLContext | None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url '{url}' is no address; expected something like http://127.0.0.1:3000")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._prefix = parts.path.rstrip("/")
        self._headers = {"accept": "application/json", "user-agent": "lifestage-client"}
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        self._timeout, self._retries, self._longest_wait = timeout, retries, longest_wait
        self._tls = (tls or ssl.create_default_context()) if self._secure else None
        self._lock = threading.Lock()
        self._idle: list[http.client.HTTPConnection] = []

    def request(self, method: str, path: str, body: object = None, *, retry: bool = True) -> Any:
        """The decoded JSON of a 2xx answer. Raises LifestageError."""
        content = None if body is None else encode(body)
        request_id = uuid.uuid4().hex
        headers = self._headers | {"x-request-id": request_id}
        if content is not None:
            headers["content-type"] = "application/json"
        left = self._retries if retry else 0
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                return self._answer(method, self._prefix + path, content, headers)
            except LifestageError as error:
                error.request_id = error.request_id or request_id
                asked = error.retry_after or 0.0
                if left <= 0 or not _passing(error) or asked > self._longest_wait:
                    raise
            time.sleep(max(asked, random.uniform(wait / 2, wait)))
            left, wait = left - 1, min(2 * wait, self._longest_wait)

    def close(self) -> None:
        """Close what nobody uses; the next request opens anew."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _answer(self, method: str, path: str, content: bytes | None, headers: Mapping[str, str]) -> Any:
        try:
            status, got, said = self._exchange(method, path, content, headers)
        except TimeoutError as error:
            raise LifestageError(f"no answer from {self._place} within {self._timeout:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise LifestageError(f"no connection to {self._place} ({reason})") from error
        try:
            answer = json.loads(got)
        except ValueError:
            answer = None
        if 200 <= status < 300 and answer is not None:
            return answer
        raise problem(status, answer, said)

    def _exchange(
        self, method: str, path: str, content: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        """One request and its answer, read to the end."""
        with self._lock:
            kept = self._idle.pop() if self._idle else None
        if kept is not None:
            try:
                return self._over(kept, method, path, content, headers)
            except TimeoutError:
                raise
            except (ConnectionError, http.client.HTTPException):
                pass  # the server closed it while it was idle; that tells nothing about the server
        return self._over(self._connection(), method, path, content, headers)

    def _over(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        content: bytes | None,
        headers: Mapping[str, str],
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        try:
            connection.request(method, path, content, dict(headers))
            response = connection.getresponse()
            got = response.read()
        except BaseException:
            connection.close()
            raise
        with self._lock:
            keep = not response.will_close and len(self._idle) < IDLE
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()
        return response.status, got, response.headers

    def _connection(self) -> http.client.HTTPConnection:
        if self._secure:
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout, context=self._tls
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)

    @property
    def _place(self) -> str:
        return self._host if self._port is None else f"{self._host}:{self._port}"


def _passing(error: LifestageError) -> bool:
    """Whether the same request may fare better soon."""
    if error.status == 0:
        return not isinstance(error.__cause__, TimeoutError | ssl.SSLCertVerificationError)
    return error.status in RETRIED


def problem(status: int, answer: object, headers: http.client.HTTPMessage) -> LifestageError:
    """Problem details (RFC 9457), or whatever else something on the way has sent."""
    about: Mapping[str, Any] = answer if isinstance(answer, dict) else {}
    after = headers.get("retry-after", "")
    return LifestageError(
        str(about.get("detail", "the answer is not one of Lifestage's; check the address")),
        status=status,
        type=str(about.get("type", "")),
        path=about.get("path"),
        errors=about.get("errors"),
        request_id=headers.get("x-request-id", ""),
        retry_after=float(after) if after.isdigit() else None,
    )


def encode(body: object) -> bytes:
    """JSON. Raises ValueError for NaN, which JSON does not have."""
    return json.dumps(body, allow_nan=False, ensure_ascii=False, default=_plain).encode()


def _plain(value: object) -> Any:
    """Times, decimals and NumPy's numbers."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    item = getattr(value, "item", None)
    if callable(item):
        return item()
    raise TypeError(f"{type(value).__name__} {value!r:.64} has no place in a request")
