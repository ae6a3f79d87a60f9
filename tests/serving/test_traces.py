"""Spans carry request id and pattern, and nothing that a caller wrote into path or query."""

import asyncio
from typing import Any

import pytest
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from serving.observed import Observed
from serving.paths import Patterns
from serving.traces import Traced, Untraced, wanted


def finished(*, untraced: bool) -> list[ReadableSpan]:
    """The spans of one request."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    seen: list[bytes] = []

    async def endpoint(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["query_string"])
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    traced = OpenTelemetryMiddleware(Traced(endpoint), tracer_provider=provider)  # where BentoML puts it
    path = "/v1/customers/SECRET-17"
    scope = {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", 3000),
        "client": ("127.0.0.1", 5000),
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"who=SECRET-17",
        "headers": [(b"host", b"x"), (b"x-request-id", b"r-1"), (b"x-api-key", b"SECRET-17")],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"SECRET-17", "more_body": False}

    async def send(_: dict[str, Any]) -> None:
        return None

    asyncio.run(Patterns(Observed(Untraced(traced) if untraced else traced))(scope, receive, send))
    assert seen == [b"who=SECRET-17"]
    return list(exporter.get_finished_spans())


def test_spans_name_the_request_and_no_customer() -> None:
    spans = finished(untraced=False)
    (server,) = [span for span in spans if span.kind.name == "SERVER"]
    about = dict(server.attributes or {})
    assert about["lifestage.request_id"] == "r-1"
    assert about["http.route"] == "/v1/customers/{customer_id}"
    assert "SECRET" not in "".join(span.to_json() for span in spans)


def test_no_span_is_made_where_nobody_asked_for_traces() -> None:
    assert not finished(untraced=True)


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        ({}, False),
        ({"BENTOML_CONFIG_OPTIONS": "services.lifestage.workers=2"}, False),
        ({"BENTOML_CONFIG_OPTIONS": "services.lifestage.tracing.sample_rate=1.0"}, True),
        ({"BENTOML_CONFIG": "bentoml.yaml"}, True),
    ],
)
def test_bentoml_is_asked_for_traces(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], asked: bool
) -> None:
    for name in ("BENTOML_CONFIG", "BENTOML_CONFIG_OPTIONS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wanted() is asked
