"""How a request's bytes reach an endpoint: read with a limit, computed in their turn, answered as bytes.

The endpoints' signatures are what FastAPI documents. It does not parse for them: its own way, through Python's
json and one object a row, takes several times as long and lets NaN pass.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from serving.bodies import whole
from serving.computing import COMPUTING
from serving.limits import body_bytes, too_large
from serving.observed import note
from serving.problems import ProblemError
from serving.rows import to_json
from serving.state import State

BODY_SECONDS = 20.0
"""Within which a body must have arrived."""

# They read the store: a look-up waits neither for a large request, nor the event loop for a slow disk.
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

        def work(state: State, body: bytes, scope: Scope) -> bytes:
            asked = whole(model, body)
            note(scope, customers=len(asked.customers))
            return to_json(endpoint(asked, state))

        async def handle(request: Request) -> Response:
            body = await read(request)
            job = COMPUTING.submit(work, request.app.state.serving, body, request.scope)
            return Response(await asyncio.wrap_future(job), media_type="application/json")

        return handle


class Answer(NamedTuple):
    content: bytes
    customers: int


Answers = Callable[[State, Sequence[bytes], int], Sequence[Answer | Exception]]
"""State, bodies, now -> one answer each."""


def together(answers: Answers) -> type[APIRoute]:
    """The route of an endpoint whose signature is documentation alone: `answers` answers the bodies that wait."""

    def work(asked: Sequence[tuple[State, bytes, Scope]]) -> Sequence[bytes | Exception]:
        # Of one state, the newest: a request may wait across a reload.
        found = answers(asked[-1][0], [body for _, body, _ in asked], clock())
        for (_, _, scope), answer in zip(asked, found, strict=True):
            note(scope, batch_requests=len(asked))
            if isinstance(answer, Answer):
                note(scope, customers=answer.customers)
        return [answer.content if isinstance(answer, Answer) else answer for answer in found]

    class TogetherRoute(APIRoute):
        def get_route_handler(self) -> Handler:
            async def handle(request: Request) -> Response:
                body = await read(request)
                content = await COMPUTING.together(
                    work, (request.app.state.serving, body, request.scope), len(body)
                )
                return Response(content, media_type="application/json")

            return handle

    return TogetherRoute


async def read(request: Request) -> bytes:
    """The body. Raises ProblemError where it is too large or slow, or breaks off."""
    serving = request.app.state.serving.shop.serving
    limit = body_bytes(serving)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise too_large(serving)  # of no stated length: `guard` has refused the others
                parts.append(part)
    except TimeoutError:
        raise ProblemError(
            HTTPStatus.REQUEST_TIMEOUT, "too-slow", f"the body did not arrive within {BODY_SECONDS:.0f} s"
        ) from None
    except ClientDisconnect:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "invalid-request", "the body breaks off") from None
    return b"".join(parts)
