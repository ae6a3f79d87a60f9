"""A receiver of webhooks as a customer would write one, on loopback, that also misbehaves when told to."""

import base64
import hashlib
import hmac
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Receiver(ThreadingHTTPServer):
    """Answers requests as `plan` says, one entry a request, 204 beyond it; keeps what it accepted, by id."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *plan: object) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.plan = list(plan)
        self.requests: list[dict[str, Any]] = []
        self.accepted: dict[str, dict[str, Any]] = {}
        self.repeated = 0
        self.lock = threading.Lock()
        self.release = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hooks/tok-in-path?k=v"

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """What the receiver works with: each alert once, in the order it came."""
        once: dict[str, dict[str, Any]] = {}
        for body in self.accepted.values():
            for alert in body["data"]["alerts"]:
                once.setdefault(alert["id"], alert)
        return list(once.values())

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a sender that hung up is part of the tests


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        identity, stamp = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        signed = base64.b64encode(
            hmac.new(KEY, f"{identity}.{stamp}.".encode() + body, hashlib.sha256).digest()
        ).decode()
        genuine = (
            any(
                hmac.compare_digest(f"v1,{signed}", word)
                for word in (self.headers["webhook-signature"] or "").split()
            )
            and abs(time.time() - int(stamp)) < 300
        )
        with self.server.lock:
            step = self.server.plan.pop(0) if self.server.plan else 204
            self.server.requests.append(
                {"id": identity, "method": self.command, "path": self.path, "genuine": genuine, "body": body}
            )
        if step == "hang":
            self.server.release.wait(20)
            return
        if step == "slow":
            self.server.release.wait(0.5)
            step = 200
        if step == "drip":  # a byte now and then: no single read ever times out
            for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 200:
                try:
                    self.wfile.write(bytes([byte]))
                except OSError:
                    return
                if self.server.release.wait(0.1):
                    return
            return
        if step == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return
        if step == "nonsense":
            self.wfile.write(b"I am no web server\r\n\r\n")
            return
        kept = step == "keep and break"  # worked on, but the sender never hears of it
        status, headers = (step if isinstance(step, tuple) else (step, {})) if not kept else (0, {})
        if kept or (200 <= status < 300 and genuine):
            with self.server.lock:
                self.server.repeated += identity in self.server.accepted
                self.server.accepted.setdefault(identity, json.loads(body))
        if kept:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(status if genuine else 401)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def receiver(*plan: object) -> Iterator[Receiver]:
    """A running Receiver; closed at the end."""
    server = Receiver(*plan)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.release.set()
        server.shutdown()
        server.server_close()
        thread.join()
