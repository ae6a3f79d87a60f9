"""One signed request over the network, by the standard library: TLS verified, no redirect followed, an end in time."""

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from lifestage.alerting.delivery import Answer


class Poster:
    """Posts to one URL, each time over a connection of its own. Nothing it says shows the URL's path or the headers."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        parts = urlsplit(url)
        self.secure = parts.scheme == "https"
        self.host, self.port = str(parts.hostname), parts.port
        self.target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self.timeout = timeout_seconds
        self.context = ssl.create_default_context() if self.secure else None

    def __call__(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        connection = self._connection()
        late = threading.Event()

        def end() -> None:
            # A socket's own timeout begins anew with every byte, so a receiver that drips would hold us for ever.
            late.set()
            if (held := connection.sock) is not None:
                with suppress(OSError):
                    held.shutdown(socket.SHUT_RDWR)

        watch = threading.Timer(self.timeout, end)
        watch.daemon = True
        watch.start()
        try:
            sent = {
                "Content-Type": "application/json; charset=utf-8",
                "User-Agent": "lifestage",
                "Connection": "close",
            }
            connection.request("POST", self.target, body, {**sent, **headers})
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            if late.is_set() or isinstance(error, TimeoutError):
                return Answer(None, f"{self.host}: no answer within {self.timeout:g} seconds")
            return Answer(None, f"{self.host}: {_words(error)}")
        finally:
            watch.cancel()
            connection.close()
        moved = " (redirects are not followed; give the new address)" if 300 <= answer.status < 400 else ""
        return Answer(
            answer.status,
            f"{self.host}: HTTP {answer.status}{moved}",
            answer.getheader("Retry-After"),
        )

    def _connection(self) -> http.client.HTTPConnection:
        if self.context is None:
            return http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        return http.client.HTTPSConnection(self.host, self.port, timeout=self.timeout, context=self.context)


def _words(error: Exception) -> str:
    """What went wrong, in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, socket.gaierror):
        return "the host is not known"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(error, ConnectionError | http.client.RemoteDisconnected):
        return "the connection broke"
    return getattr(error, "strerror", None) or type(error).__name__
