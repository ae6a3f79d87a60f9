"""The HTTP side: routes, their documentation, errors. Mounted into the BentoML service."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Request, Response
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from serving import answers, models
from serving.customers import stored
from serving.openapi import guarded
from serving.page import PAGE
from serving.paths import UNKNOWN, asked_path
from serving.problems import MEDIA_TYPE, ProblemError
from serving.routes import READING, PostRoute, clock
from serving.rows import to_json
from serving.score import score
from serving.stage import stage
from serving.state import State

DESCRIPTION = """Churn probability, customer lifetime value and lifecycle stage of every customer.

* **POST /v1/score** scores raw purchase histories, with the same numbers as the batch.
* **GET /v1/customers/{customer_id}** looks a stored score up, with the history of stages.
* **POST /v1/stage** stages given features and scores under the policy of the release.

Beside these: /livez, /healthz, /readyz, /metrics."""
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    400: {"description": "The request must be mended; `detail` says how.", "model": answers.Problem},
    413: {"description": "The body is too large.", "model": answers.Problem},
    503: {"description": "No release is loaded yet.", "model": answers.Problem},
}
LOOK_UP: dict[int | str, dict[str, Any]] = {
    400: DOCUMENTED[400],
    404: {"description": "The customer is not in the stored scores.", "model": answers.Problem},
    503: {"description": "No scores are stored yet.", "model": answers.Problem},
}

app = FastAPI(
    title="Lifestage",
    version="1",
    description=DESCRIPTION,
    docs_url=None,
    redoc_url=None,
    redirect_slashes=False,
)


def loaded(request: Request) -> State:
    """The State of this worker."""
    state: State | None = getattr(request.app.state, "serving", None)
    if state is None:
        raise ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE, "no-release", "no release is loaded yet; try again shortly"
        )
    return state


Loaded = Annotated[State, Depends(loaded)]


def post_score(body: models.ScoreRequest, serving: Loaded) -> dict[str, Any]:
    """Score and stage 1 to 1,000 customers from their raw histories.

    Rows at or after `as_of` are ignored, so the same request gives the same answer as the batch run of that day.
    """
    return score(serving, body, clock())


def post_stage(body: models.StageRequest, serving: Loaded) -> dict[str, Any]:
    """Stage 1 to 1,000 customers whose features and scores are given."""
    return stage(serving, body, clock())


for path, endpoint, answer, name in (
    ("/v1/score", post_score, answers.ScoreResponse, "Score raw histories"),
    ("/v1/stage", post_stage, answers.StageResponse, "Stage given scores"),
):
    app.router.add_api_route(
        path,
        endpoint,
        methods=["POST"],
        response_model=answer,
        responses=DOCUMENTED,
        summary=name,
        route_class_override=PostRoute,
    )


@app.get(
    "/v1/customers/{customer_id}",
    response_model=answers.CustomerResponse,
    responses=LOOK_UP,
    summary="Look a stored score up",
)
async def get_customer(
    customer_id: Annotated[str, Path(min_length=1, max_length=256, examples=["C-17"])],  # noqa: ARG001
    request: Request,
    serving: Loaded,
) -> Response:
    """The customer's score in the current run, and every change of stage."""
    wanted = asked_path(request).removeprefix("/v1/customers/")
    answer = await asyncio.get_running_loop().run_in_executor(READING, stored, serving, wanted)
    return Response(to_json(answer), media_type="application/json")


def described() -> dict[str, Any]:
    """The OpenAPI description, with what the guard around the service asks for and answers."""
    return app.openapi_schema or guarded(FastAPI.openapi(app))


app.openapi = described  # type: ignore[method-assign]


@app.get("/", include_in_schema=False)
def index() -> HTMLResponse:
    """The OpenAPI page, from this host alone."""
    return HTMLResponse(PAGE)


@app.api_route(UNKNOWN, methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
def unknown() -> None:
    """Where `paths` sends whatever it does not know."""
    raise HTTPException(HTTPStatus.NOT_FOUND)


@app.exception_handler(ProblemError)
async def on_problem(_: Request, error: ProblemError) -> Response:
    return Response(error.body(), error.status, media_type=MEDIA_TYPE)


@app.exception_handler(HTTPException)
async def on_http(request: Request, error: HTTPException) -> Response:
    """404 and 405 of the router."""
    status = HTTPStatus(error.status_code)
    what = f"{request.method} {asked_path(request)[:256]}"
    problem = ProblemError(status, "no-such-operation", f"{what} does not exist; / describes what does")
    return Response(problem.body(), status, media_type=MEDIA_TYPE, headers=error.headers)


@app.exception_handler(Exception)
async def on_fault(_: Request, __: Exception) -> Response:
    """A fault of ours: logged with its traceback by the server, which the caller never sees."""
    detail = "the service failed on this request; its log says why"
    problem = ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", detail)
    return Response(problem.body(), problem.status, media_type=MEDIA_TYPE)
