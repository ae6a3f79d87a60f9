"""How much of a request's head is taken in before anybody is asked who sends it, and for how long.

uvicorn reads a head of any size with httptools, in time that grows with its square (30 MB of one header: 1.2 s),
and waits for its end as long as the connection lasts. Here both have an end, and its refusals are problem details.
"""

from asyncio import TimerHandle, Transport
from http import HTTPStatus

from uvicorn.protocols.http import auto
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.headers import headers_of
from serving.problems import MEDIA_TYPE, ProblemError

HEAD_BYTES = 64 * 1024
"""Bytes of request line and headers; never more than these and two reads from the socket."""
HEAD_SECONDS = 20.0
"""From a connection's beginning, or a request's, to the end of its headers."""

LARGE = ProblemError(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "too-large",
    f"the request line and headers are larger than {HEAD_BYTES // 1024} KiB",
)
INVALID = ProblemError(HTTPStatus.BAD_REQUEST, "invalid-request", "this is no HTTP request")


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    _reading = False
    _head = 0
    _timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_SECONDS, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._reading, self._head = True, 0

    def on_headers_complete(self) -> None:
        self._reading = False
        self._in_time()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        before = self._reading
        super().data_received(data)
        if not self._reading or self.transport.is_closing():
            return
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)
        if before:  # a first part may hold the end of the request before it
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self._refuse(LARGE)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        self._refuse(INVALID)

    def _in_time(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, problem: ProblemError) -> None:
        """Answer and close: what follows is not read."""
        body = problem.body()
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            *headers_of(""),
        ]
        status = f"HTTP/1.1 {int(problem.status)} {problem.status.phrase}\r\n".encode()
        self.transport.write(status + b"".join(b"%s: %s\r\n" % header for header in headers) + b"\r\n" + body)
        self.transport.close()


def install() -> None:
    """For the server that this process is about to start: BentoML lets nobody choose its protocol."""
    auto.AutoHTTPProtocol = BoundedProtocol
