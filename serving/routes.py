"""How a request's bytes reach an endpoint: read with a limit, checked by pydantic-core, answered as bytes.

The endpoints' signatures are what FastAPI documents. It does not parse for them: its own way, through Python's
json and one object a row, takes several times as long and lets NaN pass.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from serving.limits import body_bytes, too_large
from serving.problems import ProblemError, invalid
from serving.rows import to_json
from serving.state import State

# One thread computes: the work is NumPy's and Python's, side by side it would only take turns. The other one
# reads the store, so that a look-up does not wait for a large request, nor the event loop for a slow disk.
COMPUTING = ThreadPoolExecutor(1, "computing")
READING = ThreadPoolExecutor(2, "reading")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def clock() -> int:
    """Now, UTC microseconds: the service reads the clock, nothing in src does."""
    return time.time_ns() // 1_000


class PostRoute(APIRoute):
    """POST of an endpoint `(body, serving) -> answer`, `body` being of the model that it is annotated with."""

    def get_route_handler(self) -> Handler:
        endpoint = self.endpoint
        model: type[BaseModel] = endpoint.__annotations__["body"]

        def work(state: State, body: bytes) -> bytes:
            try:
                request = model.model_validate_json(body)
            except ValidationError as error:
                raise invalid(error) from None
            return to_json(endpoint(request, state))

        async def handle(request: Request) -> Response:
            body = await read(request)
            content = await asyncio.get_running_loop().run_in_executor(
                COMPUTING, work, request.app.state.serving, body
            )
            return Response(content, media_type="application/json")

        return handle


async def read(request: Request) -> bytes:
    """The body. Raises ProblemError where it is too large or breaks off."""
    serving = request.app.state.serving.shop.serving
    limit = body_bytes(serving)
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise too_large(serving)  # of no stated length: `guard` has refused the others
            parts.append(part)
    except ClientDisconnect:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "invalid-request", "the body breaks off") from None
    return b"".join(parts)
