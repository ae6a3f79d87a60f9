"""OpenTelemetry: BentoML makes a span a request and exports it where its configuration says; this adds what is ours.

Its spans see the path's pattern (paths.py) and no query (observed.py), so none holds a customer's id. Switched on by
one variable of the environment, with the package opentelemetry-exporter-otlp-proto-http installed:

    BENTOML_CONFIG_OPTIONS="services.lifestage.tracing.exporter_type=otlp
        services.lifestage.tracing.sample_rate=1.0 services.lifestage.tracing.otlp.protocol=http
        services.lifestage.tracing.otlp.endpoint=http://collector:4318/v1/traces"
"""

from opentelemetry import trace
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.observed import ID, QUERY


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
