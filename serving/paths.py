"""What the metrics get to see of a path: a known one as it stands, any other by its pattern.

BentoML labels its metrics with the path as asked. With ids in it, every customer would become a label: memory
without bound, and ids in the monitoring. The path as asked stays in the scope, for the endpoint alone.
"""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

KNOWN = frozenset(
    {"/", "/v1/score", "/v1/explain", "/v1/stage", "/openapi.json", "/docs.json", "/schema.json"}
    | {"/livez", "/healthz", "/readyz", "/metrics"}
    | {"/v1/customers:batchGet", "/v1/stages", "/v1/model"}
    | {"/static_content/swagger-ui.css", "/static_content/swagger-ui-bundle.js"}  # what the page asks for
)
CUSTOMER = "/v1/customers/"
CUSTOMER_PATTERN = "/v1/customers/{customer_id}"
BATCH_GET = "/v1/customers:batchGet"
STAGES = "/v1/stages"
STATIC = "/static_content/"
UNKNOWN = "/unknown"
ASKED = "lifestage.path"


def pattern(path: str) -> str:
    """The path under which a request is routed and counted."""
    if path in KNOWN:
        return path
    if path.startswith(CUSTOMER) and len(path) > len(CUSTOMER):
        return CUSTOMER_PATTERN
    return UNKNOWN


def asked_path(request: Request) -> str:
    """The path as the caller wrote it."""
    return str(request.scope.get(ASKED, request.scope["path"]))


class Patterns:
    """ASGI middleware around the whole service, metrics included."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            routed = pattern(path)
            scope = {**scope, "path": routed, "raw_path": routed.encode(), ASKED: path}
        await self.app(scope, receive, send)
