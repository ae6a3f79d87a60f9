"""A limit on what comes before a body: neither uvicorn nor httptools has one, and keeps headers without end."""

import uvicorn.protocols.http.auto as chosen
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
"""Of the request line and all headers; a body's first bytes, which may come in one packet with them, left out."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which hangs up on a caller whose headers are too large."""

    head = False
    """Whether headers are being read."""
    head_bytes = 0

    def on_message_begin(self) -> None:
        self.head, self.head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self.head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.head and not self.transport.is_closing():
            self.head_bytes += len(data)
            if self.head_bytes > MAX_HEAD_BYTES:
                self.send_400_response(f"The headers are larger than {MAX_HEAD_BYTES // 1024} KiB.")


def bound() -> None:
    """Let uvicorn take it, for BentoML names no protocol: before the server starts."""
    chosen.AutoHTTPProtocol = BoundedProtocol  # type: ignore[misc]
