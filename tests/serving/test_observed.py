"""Request ids, the log line of a request, and what must not be in it."""

import asyncio
import json
import os
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from serving import logs
from serving.observed import KEY, QUERY, Observed, note
from serving.paths import Patterns

NEW = re.compile(r"[0-9a-f]{32}")


@pytest.fixture(autouse=True)
def _no_lines() -> Iterator[None]:
    logs._waiting.clear()
    logs._dropped[0] = 0
    yield
    logs._waiting.clear()


async def fine(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    note(scope, customers=3)
    scope[KEY] = "crm"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": b"12", "more_body": True})
    await send({"type": "http.response.body", "body": b"345"})


async def failing(_: Any, receive: Any, __: Any) -> None:
    await receive()
    try:
        raise KeyError("SECRET-17")
    except KeyError as error:
        raise ValueError("customer 'SECRET-17'") from error


async def failing_late(scope: Any, receive: Any, send: Any) -> None:
    await fine(scope, receive, send)
    raise RuntimeError("SECRET-17")


def call(
    app: Any,
    path: str = "/v1/score",
    headers: list[tuple[bytes, bytes]] | None = None,
    method: str = "POST",
    query: bytes = b"",
) -> list[dict[str, Any]]:
    """What the layers send for one request."""
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "headers": headers or [],
        "query_string": query,
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"SECRET-17", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(Patterns(Observed(app))(scope, receive, send))
    return sent


def answered_id(sent: list[dict[str, Any]]) -> str:
    (value,) = [value for name, value in sent[0]["headers"] if name == b"x-request-id"]
    return str(value.decode())


def line() -> dict[str, Any]:
    """The one line that was said, as it is written."""
    ((at, level, event, fields),) = logs._waiting
    found: dict[str, Any] = json.loads(logs.as_json(at, level, event, fields))
    return found


@pytest.mark.parametrize("given", ["a", "Az0._-", "x" * 128])
def test_the_callers_request_id_is_kept(given: str) -> None:
    sent = call(fine, headers=[(b"x-request-id", given.encode())])
    assert answered_id(sent) == given
    assert (b"a", b"b") in sent[0]["headers"]
    assert line()["request_id"] == given


@pytest.mark.parametrize("given", [b"", b"x" * 129, b"a b", "é".encode(), b"a\nb", b'"', b"a/b"])
def test_any_other_request_id_is_replaced(given: bytes) -> None:
    found = answered_id(call(fine, headers=[(b"x-request-id", given)]))
    assert NEW.fullmatch(found)


def test_new_request_ids_differ() -> None:
    assert answered_id(call(fine)) != answered_id(call(fine))


def test_a_line_says_what_is_known_and_no_more() -> None:
    call(
        fine,
        "/v1/customers/SECRET-17",
        method="GET",
        query=b"id=SECRET-17",
        headers=[(b"x-api-key", b"SECRET-17")],
    )
    found = line()
    assert "SECRET" not in json.dumps(found)
    assert {k: v for k, v in found.items() if k not in ("time", "request_id", "duration_ms")} == {
        "level": "info",
        "event": "request",
        "method": "GET",
        "path": "/v1/customers/{customer_id}",
        "status": 200,
        "bytes_in": 9,
        "bytes_out": 5,
        "customers": 3,
        "key": "crm",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["time"])
    assert found["duration_ms"] >= 0


def test_an_unknown_method_is_no_text_of_the_callers() -> None:
    call(fine, method="SECRET-17")
    assert line()["method"] == "other"


def test_a_fault_is_one_line_and_an_answer_that_names_the_request() -> None:
    sent = call(failing)
    assert sent[0]["status"] == 500
    assert (b"content-type", b"application/problem+json") in sent[0]["headers"]
    body = json.loads(sent[1]["body"])
    assert body["status"] == 500
    assert "quote the x-request-id of this answer" in body["detail"]
    assert answered_id(sent) == line()["request_id"]
    found = line()
    assert found["level"] == "error"
    assert found["error"] == "ValueError"
    assert "KeyError" in found["traceback"]
    assert any("in failing: raise KeyError" in frame for frame in found["traceback"])
    assert "customer 'SECRET" not in found["traceback"][0]
    assert "SECRET" not in json.dumps([f for f in found["traceback"] if "raise" not in f])


def test_a_fault_after_the_answer_is_told_too() -> None:
    sent = call(failing_late)
    assert [message.get("status") for message in sent] == [200, None, None]
    assert line()["error"] == "RuntimeError"


@pytest.mark.parametrize("path", ["/livez", "/healthz", "/readyz", "/metrics"])
def test_health_checks_are_told_of_only_where_they_fail(path: str) -> None:
    call(fine, path)
    assert not logs._waiting
    call(failing, path)
    assert line()["path"] == path


def test_the_query_is_kept_from_what_stands_between() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["query_string"], scope[QUERY]))
        await fine(scope, receive, send)

    call(app, query=b"a=SECRET-17")
    assert seen == [(b"", b"a=SECRET-17")]


def test_requests_are_timed_by_pattern_and_status() -> None:
    def count(path: str, status: str) -> float:
        labels = {"endpoint": path, "status": status}
        return REGISTRY.get_sample_value("lifestage_request_duration_seconds_count", labels) or 0.0

    pattern = "/v1/customers/{customer_id}"
    before = count(pattern, "200"), count("/unknown", "500")
    call(fine, "/v1/customers/SECRET-17")
    call(failing, "/SECRET-17")
    assert count(pattern, "200") == before[0] + 1
    assert count("/unknown", "500") == before[1] + 1
    assert REGISTRY.get_sample_value("lifestage_requests_in_flight") == 0


# --- writing the lines -----------------------------------------------------------------------------------------


def test_json_lines_hold_any_text_in_one_line() -> None:
    text = logs.as_json(0.0, "info", "log", {"message": 'a\n"b" 书', "left_out": None})
    assert "\n" not in text
    assert json.loads(text) == {
        "time": "1970-01-01T00:00:00.000Z",
        "level": "info",
        "event": "log",
        "message": 'a\n"b" 书',
    }


def test_text_lines_are_for_people() -> None:
    fields = {"method": "GET", "path": "/v1/model", "status": 200, "duration_ms": 1.5, "request_id": "r1"}
    assert logs.as_text(0.0, "info", "request", fields) == (
        "00:00:00.000 info  GET /v1/model 200 1.5 ms  request_id=r1"
    )


def test_all_waiting_lines_are_written_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(logs.MODE, "json")
    out, into = os.pipe()
    for i in range(200):
        logs.say("info", "log", message=str(i))
    logs.flush(into)
    os.close(into)
    with os.fdopen(out) as file:
        assert [json.loads(text)["message"] for text in file] == [str(i) for i in range(200)]


def test_off_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(logs.MODE, "off")
    out, into = os.pipe()
    logs.say("info", "log", message="x")
    logs.flush(into)
    os.close(into)
    with os.fdopen(out) as file:
        assert file.read() == ""
    assert not logs._waiting


def test_a_closed_output_is_survived() -> None:
    out, into = os.pipe()
    os.close(out)
    logs.say("info", "log", message="x")
    logs.flush(into)  # nobody reads
    os.close(into)
    logs.say("info", "log", message="x")
    logs.flush(into)  # no such file
    assert not logs._waiting


def test_a_full_pipe_holds_up_nobody_and_lost_lines_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(logs.MODE, "json")
    monkeypatch.setattr(logs, "KEPT", 3_000)
    out, into = os.pipe()
    for _ in range(3_000):
        logs.say("info", "log", message="x" * 50)
    writer = threading.Thread(target=logs.flush, args=(into,), daemon=True)
    writer.start()
    writer.join(0.3)
    assert writer.is_alive()  # it waits for a reader, ...
    for _ in range(3_500):
        logs.say("info", "log", message="y")  # ... and nobody waits for it
    assert logs._dropped[0] > 0
    parts: list[bytes] = []

    def read() -> None:
        while part := os.read(out, 65_536):
            parts.append(part)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    writer.join(20)
    os.close(into)
    reader.join(20)
    os.close(out)
    text = b"".join(parts)
    lines = [json.loads(part) for part in text.splitlines()]
    assert re.fullmatch(r"\d+ log lines were dropped", lines[-1]["message"])


def test_other_loggers_say_it_in_the_same_form() -> None:
    import logging

    try:
        raise ValueError("SECRET-17")
    except ValueError:
        logger = logging.Logger("bentoml.x")
        logger.addHandler(logs.Bridge())
        logger.exception("it failed")
    found = line()
    assert (found["level"], found["event"], found["message"]) == ("error", "log", "it failed")
    assert found["traceback"][-1] == "ValueError"
