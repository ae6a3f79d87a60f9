"""A service that answers what a test tells it to, and remembers what it was asked."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class Stub:
    """`answers`: (status, body, headers) in their order, the last one again and again; status 0 hangs up."""

    answers: list[tuple[int, Any, dict[str, str]]] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    hold: threading.Event | None = None


def handler(stub: Stub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None: ...

        def answer(self) -> None:
            size = int(self.headers.get("content-length", 0))
            content = self.rfile.read(size)
            with stub.lock:
                headers = {name.lower(): value for name, value in self.headers.items()}
                stub.asked.append(
                    (self.command, self.path, headers, json.loads(content) if content else None)
                )
                stub.connections.add(self.client_address)
                status, body, more = stub.answers[0] if len(stub.answers) == 1 else stub.answers.pop(0)
            if stub.hold is not None:
                stub.hold.wait(10)
            if status == 0:
                self.close_connection = True
                return
            sent = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"content-length": str(len(sent)), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = answer  # noqa: N815

    return Handler


@pytest.fixture
def stub() -> Iterator[Stub]:
    made = Stub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(made))
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a caller that gives up is what some tests want
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
