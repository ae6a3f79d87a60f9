"""The routes that read the store: signatures and models document them, the answers are bytes as they come."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.routing import APIRoute

from serving import answers, models
from serving.customers import stored, stored_many
from serving.paths import BATCH_GET, CUSTOMER, CUSTOMER_PATTERN, STAGES, asked_path
from serving.routes import READING, Handler, read
from serving.stages import stages
from serving.state import State

AWAY: dict[int | str, dict[str, Any]] = {
    503: {"description": "No scores are stored yet, or the store is away.", "model": answers.Problem}
}
ONE: dict[int | str, dict[str, Any]] = {
    404: {"description": "The customer is not in the stored scores.", "model": answers.Problem},
    **AWAY,
}
MANY: dict[int | str, dict[str, Any]] = {
    400: {"description": "The request must be mended; `detail` says how.", "model": answers.Problem},
    413: {"description": "The body is too large.", "model": answers.Problem},
    **AWAY,
}
Loaded = Callable[[Request], State]


def look_ups(loaded: Loaded) -> APIRouter:
    """The routes; `loaded` gives the State or raises ProblemError."""
    router = APIRouter()

    def route(
        work: Callable[..., bytes], *given: Callable[[Request], Any], small: bool = False
    ) -> type[APIRoute]:
        """Of an endpoint whose signature is documentation alone: `work` gets the State and what `given` read.

        `small` work on a local file is done at once: waking a thread would take longer.
        """

        class ReadingRoute(APIRoute):
            def get_route_handler(self) -> Handler:
                async def handle(request: Request) -> Response:
                    state = loaded(request)
                    values = [await value(request) for value in given]
                    if small and state.store.local:
                        content = work(state, *values)
                    else:
                        loop = asyncio.get_running_loop()
                        content = await loop.run_in_executor(READING, work, state, *values)
                    return Response(content, media_type="application/json")

                return handle

        return ReadingRoute

    one, many, every = route(stored, asked_id, small=True), route(stored_many, read), route(stages)
    for path, endpoint, method, answer, faults, name, kind in (
        (CUSTOMER_PATTERN, get_customer, "GET", answers.CustomerResponse, ONE, "Look a stored score up", one),
        (BATCH_GET, batch_get, "POST", answers.BatchGetResponse, MANY, "Look many stored scores up", many),
        (STAGES, get_stages, "GET", answers.StagesResponse, AWAY, "Customers and value by stage", every),
    ):
        router.add_api_route(
            path,
            endpoint,
            methods=[method],
            response_model=answer,
            responses=faults,
            summary=name,
            route_class_override=kind,
        )
    return router


async def asked_id(request: Request) -> str:
    return asked_path(request).removeprefix(CUSTOMER)


def get_customer(
    customer_id: Annotated[str, Path(min_length=1, examples=["C-17"])],
) -> None:
    """The customer's score in the current run with its reasons and the next order's date, and every change of stage."""


def batch_get(body: models.BatchGetRequest) -> None:
    """Scores and changes of stage of 1 to 1,000 customers, in the order asked, each once.

    Who is not in the stored scores is named in `unknown`.
    """


def get_stages() -> None:
    """Customers, share, CLV and mean churn probability of every stage of the current run, by tier too."""
