"""OpenTelemetry: BentoML makes a span a request and exports it where its configuration says; this adds what is ours.

Its spans see the path's pattern (paths.py) and no query (observed.py), so none holds a customer's id. Switched on by
one variable of the environment, with the package opentelemetry-exporter-otlp-proto-http installed:

    BENTOML_CONFIG_OPTIONS="services.lifestage.tracing.exporter_type=otlp
        services.lifestage.tracing.sample_rate=1.0 services.lifestage.tracing.otlp.protocol=http
        services.lifestage.tracing.otlp.endpoint=http://collector:4318/v1/traces"
"""

import os

from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_http_instrumentation
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.observed import ID, QUERY


def wanted() -> bool:
    """Whether BentoML's configuration may ask for traces."""
    return "BENTOML_CONFIG" in os.environ or "tracing" in os.environ.get("BENTOML_CONFIG_OPTIONS", "")


class Untraced:
    """ASGI layer around BentoML's where nobody asked for traces: it would fill spans all the same and throw them away,
    which takes 40 % of a look-up's time. And it keeps what a request's context holds for a minute, until its timer for
    slow answers runs out: at 800 requests/s these spans would be 100 MB."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress_http_instrumentation():
            await self.app(scope, receive, send)


class Traced:
    """ASGI layer within BentoML's: request id and pattern onto the span, the query back to the endpoint."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and ID in scope:
            span = trace.get_current_span()
            if span.is_recording():
                span.set_attribute("lifestage.request_id", scope[ID])
                span.set_attribute("http.route", scope["path"])
            if scope[QUERY]:
                scope = {**scope, "query_string": scope[QUERY]}
        await self.app(scope, receive, send)
