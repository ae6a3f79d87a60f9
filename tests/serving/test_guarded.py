"""The running service where keys are needed: called from outside, rotated under it, and read for what it must not say."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from serving import keyfile

ROOT = Path(__file__).parents[2]
MARK = "Zq7Xmarker"
"""In every customer id that is sent."""
BODY_MEGABYTES = 2


@dataclass(frozen=True)
class Guarded:
    """A service that asks for keys: its address, the file of its keys, all that it has written."""

    port: int
    keys: Path
    log: Path
    reads: str
    scores: str
    client: httpx.Client

    def call(self, method: str, path: str, key: str | None = None, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        headers |= more.pop("headers", {})
        return self.client.request(method, path, headers=headers, **more)

    def raw(self, data: bytes, wait: float = 10) -> bytes:
        """What the service answers to these bytes until it closes, or `wait` seconds."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as line:
            said = b""
            with contextlib.suppress(OSError):
                line.sendall(data)
            with contextlib.suppress(OSError):
                while part := line.recv(65_536):
                    said += part
            return said


@pytest.fixture(scope="module")
def guarded(made: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    from tests.serving.conftest import free_port

    folder = tmp_path_factory.mktemp("guarded")
    document = yaml.safe_load(made.config.read_text())
    limits = {"max_body_megabytes": BODY_MEGABYTES, "max_customers": 20, "max_rows": 30}
    document["serving"] = {**limits, "requests_per_minute": 100_000}
    config = folder / "tiny.yaml"
    config.write_text(yaml.safe_dump(document))
    keys, port = folder / "keys.json", free_port()
    reads, scores = (keyfile.add(keys, name, [name], date(2026, 1, 1), None) for name in ("read", "score"))
    environment = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", keyfile.KEYS_FILE: str(keys)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "serving",
                "--config",
                str(config),
                "--host",
                "0.0.0.0",
                "--port",
                str(port),
            ],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)
    service = Guarded(port, keys, folder / "log", reads, scores, client)
    try:
        end = time.monotonic() + 90
        while True:
            assert process.poll() is None, service.log.read_text()
            assert time.monotonic() < end, "the service did not become ready"
            with contextlib.suppress(httpx.TransportError):
                if service.call("GET", "/readyz").status_code == 200:
                    break
            time.sleep(0.2)
        yield service
    finally:
        client.close()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)


def detail(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["detail"])


ONE = {"customers": [{"customer_id": "a"}]}


def test_keys_and_scopes_from_outside(guarded: Guarded, made: Any) -> None:
    known = next(iter(made.scores))
    assert guarded.call("GET", f"/v1/customers/{known}", guarded.reads).status_code == 200
    assert guarded.call("POST", "/v1/score", guarded.scores, json=ONE).status_code == 200
    assert "needs the scope 'score'" in detail(
        guarded.call("POST", "/v1/score", guarded.reads, json=ONE), 403
    )
    assert "'Authorization: Bearer KEY'" in detail(guarded.call("GET", f"/v1/customers/{known}"), 401)
    assert "is not valid" in detail(guarded.call("GET", "/metrics", "lsk_wrong"), 401)
    assert "is not valid" in detail(guarded.call("GET", "/metrics", headers={"x-api-key": "x"}), 401)
    assert guarded.call("GET", "/metrics", headers={"x-api-key": guarded.reads}).status_code == 200
    assert guarded.call("GET", "/nothing", guarded.reads).status_code == 404
    assert guarded.call("DELETE", "/v1/score", guarded.scores).status_code == 405
    for path in ("/livez", "/readyz", "/healthz", "/", "/openapi.json", "/static_content/swagger-ui.css"):
        answer = guarded.call("GET", path)
        assert answer.status_code == 200
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers
        assert not any(name.startswith("access-control") for name in answer.headers)


def test_keys_change_without_a_restart(guarded: Guarded) -> None:
    """A second key comes in beside the first, the first goes; a broken file changes nothing; no file, no entry."""
    first = keyfile.add(guarded.keys, "first", ["read"], date(2026, 1, 1), None)

    def until(key: str, status: int) -> None:
        end = time.monotonic() + 10
        while guarded.call("GET", "/metrics", key).status_code != status:
            assert time.monotonic() < end
            time.sleep(0.1)

    until(first, 200)
    second = keyfile.add(guarded.keys, "second", ["read"], date(2026, 1, 1), None)
    until(second, 200)
    assert guarded.call("GET", "/metrics", first).status_code == 200
    keyfile.remove(guarded.keys, "first")
    until(first, 401)
    whole = guarded.keys.read_bytes()
    guarded.keys.write_bytes(whole[:-20])
    end = time.monotonic() + 20
    while "the 3 keys read before stay valid" not in guarded.log.read_text():
        assert guarded.call("GET", "/metrics", second).status_code == 200
        assert time.monotonic() < end
        time.sleep(0.1)
    assert guarded.call("GET", "/metrics").status_code == 401
    guarded.keys.unlink()
    until(second, 401)
    guarded.keys.write_bytes(whole)
    until(second, 200)


def test_a_large_body_is_refused_with_and_without_a_stated_length(guarded: Guarded) -> None:
    large = b" " * (BODY_MEGABYTES * 2**20 + 1)
    said = f"the body is larger than {BODY_MEGABYTES} MiB; send the customers in several requests"
    kind = {"content-type": "application/json"}
    assert detail(guarded.call("POST", "/v1/score", guarded.scores, content=large, headers=kind), 413) == said

    def parts() -> Iterator[bytes]:
        for i in range(0, len(large), 100_000):
            yield large[i : i + 100_000]

    assert (
        detail(guarded.call("POST", "/v1/score", guarded.scores, content=parts(), headers=kind), 413) == said
    )
    assert guarded.call("POST", "/v1/score", guarded.scores, json=ONE).status_code == 200
    assert "send application/json" in detail(
        guarded.call(
            "POST", "/v1/score", guarded.scores, content=b"{}", headers={"content-type": "text/csv"}
        ),
        415,
    )


def test_the_shops_own_limits_of_a_request(guarded: Guarded) -> None:
    """Too many customers are refused; too many rows take one customer out, where the others are answered."""
    many = {"customers": [{"customer_id": str(i)} for i in range(21)]}
    rows = [{"ordered_at": "2023-01-01", "amount": 1.0}] * 31
    two = {
        "customers": [{"customer_id": "a", "purchases": rows}, {"customer_id": "b", "purchases": rows[:30]}]
    }
    for path, name in (("/v1/score", "scores"), ("/v1/explain", "explanations")):
        said = detail(guarded.call("POST", path, guarded.scores, json=many), 400)
        assert said.startswith("customers: 21 in one request; this service takes at most 20")
        answer = guarded.call("POST", path, guarded.scores, json=two).json()
        assert [entry["customer_id"] for entry in answer[name]] == ["b"]
        assert [(entry["index"], entry["path"]) for entry in answer["errors"]] == [
            (0, "customers[0].purchases")
        ]
        assert "31 rows; this service takes at most 30" in answer["errors"][0]["message"]
    staged = {"customers": [{"customer_id": str(i), "columns": {}} for i in range(21)]}
    assert "takes at most 20" in detail(guarded.call("POST", "/v1/stage", guarded.scores, json=staged), 400)


def test_a_large_head_is_refused(guarded: Guarded) -> None:
    said = guarded.raw(b"GET /readyz HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 3_000_000)
    assert said.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert b"the request line and headers are larger than 64 KiB" in said
    assert b"x-content-type-options: nosniff" in said
    fits = guarded.raw(b"GET /readyz HTTP/1.0\r\nHost: a\r\nX-A: " + b"a" * 60_000 + b"\r\n\r\n")
    assert fits.startswith(b"HTTP/1.1 200 OK")


def test_what_is_no_http_is_told_so(guarded: Guarded) -> None:
    said = guarded.raw(b"\x16\x03\x01 hello\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"application/problem+json" in said


def test_customer_ids_are_in_no_log_and_no_metric(guarded: Guarded) -> None:
    """Ids of every kind through every operation, rightly and wrongly, with and without a key."""
    name = f"{MARK}-c1"
    rows = [{"ordered_at": "2023-01-01", "amount": 5.0, "order_id": f"{MARK}-o"}]
    good = {"as_of": "2023-06-01", "customers": [{"customer_id": name, "purchases": rows}]}
    staged = {"customers": [{"customer_id": name, "columns": {"order_count": 1}}]}
    bodies: list[Any] = [
        good,
        staged,
        {"customer_ids": [name]},
        {"customers": [{"customer_id": name}, {"customer_id": name}]},
        {"customers": [{"customer_id": name, MARK: 1}]},
        {"customers": [{"customer_id": name * 100}]},
        {"customers": [{"customer_id": name, "purchases": [{"ordered_at": MARK, "amount": MARK}]}]},
        {"customers": [{"customer_id": name, "previous": {"stage": MARK, "stage_since": MARK}}]},
        {"customers": [{"customer_id": name, "attributes": {MARK: MARK}}]},
        {"customers": [{"customer_id": name, "columns": {MARK: MARK}}]},
        {"as_of": MARK, "customers": [{"customer_id": name}]},
        {"customers": [{"customer_id": f"../../{MARK}'; DROP TABLE scores; --\x00\n{MARK}"}]},
    ]
    texts = [
        f'{{"customers": [{{"customer_id": "{name}"',
        f'{{"customers": [{{"customer_id": "{name}", "customer_id": "{name}"}}]}}',
        f'"{MARK}"',
        f'{{"customers": [{{"customer_id": "{name}", "purchases": [{{"ordered_at": "2023-01-01", "amount": NaN}}]}}]}}',
        "[" * 5_000 + f'"{MARK}"',
        f'{{"customers": [{{"customer_id": "{name}{"x" * BODY_MEGABYTES * 2**20}"}}]}}',
    ]
    json_kind = {"content-type": "application/json"}
    statuses = set()
    for path in (
        "/v1/score",
        "/v1/explain",
        "/v1/stage",
        "/v1/customers:batchGet",
        f"/v1/{MARK}",
        f"/{MARK}",
    ):
        for key in (guarded.scores, guarded.reads, None):
            more = f"{path}?customer_id={MARK}"
            for body in bodies:
                statuses.add(guarded.call("POST", more, key, json=body).status_code)
            for text in texts if key else ():
                statuses.add(guarded.call("POST", path, key, content=text, headers=json_kind).status_code)
                statuses.add(
                    guarded.call("POST", path, key, content=text, headers={"content-type": MARK}).status_code
                )
    asked = [
        MARK,
        name,
        f"{MARK}%2F..%2F..%2Fetc",
        f"{MARK}%00",
        f"{MARK}%27%20OR%201=1",
        MARK * 100,
        f"a/{MARK}",
    ]
    for key in (guarded.reads, guarded.scores, None):
        for part in asked:
            for path in (
                f"/v1/customers/{part}",
                f"/v1/stages/{part}",
                f"/metrics/{part}",
                f"/static_content/{part}",
            ):
                for method in ("GET", "DELETE", "PUT"):
                    statuses.add(guarded.call(method, path, key, params={"id": MARK}).status_code)
    statuses.add(guarded.call("GET", "/metrics", MARK, headers={"x-request-id": f"{MARK}!"}).status_code)
    guarded.raw(f"GET /{MARK} HTTP/1.1\r\nHost: {MARK}\r\nBroken {MARK}\r\n\r\n".encode())
    guarded.raw(f"{MARK}\r\n\r\n".encode())
    assert {200, 400, 403, 404, 405, 413, 415} <= statuses <= {200, 400, 401, 403, 404, 405, 413, 415, 429}
    metrics = guarded.call("GET", "/metrics", guarded.reads)
    assert metrics.status_code == 200
    assert "/v1/customers/{customer_id}" in metrics.text
    time.sleep(1)  # what is written in the background
    for said in (metrics.text, guarded.log.read_text()):
        assert MARK.lower() not in said.lower()
        assert "lsk_" not in said
    assert "Traceback" not in guarded.log.read_text()


def test_elsewhere_without_a_key_it_does_not_start(made: Any, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "serving",
        "--config",
        str(made.config),
        "--host",
        "0.0.0.0",
        "--port",
        "1",
    ]
    environment = {**os.environ, keyfile.KEYS_FILE: str(tmp_path / "none.json")}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: the service needs an API key here, and ")
    assert f"python -m serving.keys --config {made.config} add NAME --scopes read,score" in done.stderr
