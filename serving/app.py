"""The HTTP side: routes, their documentation, errors. Mounted into the BentoML service."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from serving import answers, models
from serving.explain import explanations_of
from serving.look_ups import look_ups
from serving.model import model
from serving.model_answers import ModelResponse
from serving.observed import fault, note
from serving.openapi import guarded
from serving.page import PAGE
from serving.paths import UNKNOWN, asked_path
from serving.problems import MEDIA_TYPE, ProblemError
from serving.routes import READING, PostRoute, clock, together
from serving.rows import to_json
from serving.score import scores_of
from serving.stage import stage
from serving.state import State
from serving.traces import Traced

DESCRIPTION = """Churn probability, customer lifetime value and lifecycle stage of every customer.

* **POST /v1/score** scores raw purchase histories, with the same numbers as the batch.
* **POST /v1/explain** says why.
* **GET /v1/customers/{customer_id}** looks a stored score up, with the history of stages.
* **POST /v1/customers:batchGet** looks up to 1,000 of them up.
* **GET /v1/stages** tells how many customers are in each stage, and what they are worth.
* **POST /v1/stage** stages given features and scores under the policy of the release.
* **GET /v1/model** says what is being served: release, models, grade, policy, stored run.

Beside these: /livez, /healthz, /readyz, /metrics."""
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    400: {"description": "The request must be mended; `detail` says how.", "model": answers.Problem},
    413: {"description": "The body is too large.", "model": answers.Problem},
    503: {"description": "No release is loaded yet.", "model": answers.Problem},
}

app = FastAPI(
    title="Lifestage",
    version="1",
    description=DESCRIPTION,
    docs_url=None,
    redoc_url=None,
    redirect_slashes=False,
)
app.add_middleware(Traced)


METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


def loaded(request: Request) -> State:
    """The State of this worker."""
    state: State | None = getattr(request.app.state, "serving", None)
    if state is None:
        raise ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE, "no-release", "no release is loaded yet; try again shortly"
        )
    return state


Loaded = Annotated[State, Depends(loaded)]


def post_score(body: models.ScoreRequest) -> None:
    """Score and stage 1 to 1,000 customers from their raw histories.

    Rows at or after `as_of` are ignored, so the same request gives the same answer as the batch run of that day.
    Customers whose history cannot be read are told in `errors`, the others are scored.
    """


def post_explain(body: models.ExplainRequest) -> None:
    """Why 1 to 1,000 customers are scored and staged so, from their raw histories.

    Reasons with value, direction and a sentence in English and Chinese, for everybody who has a churn probability.
    """


def post_stage(body: models.StageRequest, serving: Loaded) -> dict[str, Any]:
    """Stage 1 to 1,000 customers whose features and scores are given."""
    return stage(serving, body, clock())


POSTS: tuple[tuple[str, Callable[..., Any], type[BaseModel], str, type[APIRoute]], ...] = (
    ("/v1/score", post_score, answers.ScoreResponse, "Score raw histories", together(scores_of)),
    (
        "/v1/explain",
        post_explain,
        answers.ExplainResponse,
        "Explain raw histories",
        together(explanations_of),
    ),
    ("/v1/stage", post_stage, answers.StageResponse, "Stage given scores", PostRoute),
)
for path, endpoint, answer, name, route in POSTS:
    app.router.add_api_route(
        path,
        endpoint,
        methods=["POST"],
        response_model=answer,
        responses=DOCUMENTED,
        summary=name,
        route_class_override=route,
    )


app.include_router(look_ups(loaded))


def described() -> dict[str, Any]:
    """The OpenAPI description, with what the guard around the service asks for and answers."""
    return app.openapi_schema or guarded(FastAPI.openapi(app))


app.openapi = described  # type: ignore[method-assign]


@app.get(
    "/v1/model",
    response_model=ModelResponse,
    responses={503: DOCUMENTED[503]},
    summary="What is being served",
)
async def get_model(request: Request, serving: Loaded) -> Response:
    """Release, models with their grade and metrics, policy, stored run, and whether a newer release was refused."""
    reloader = getattr(request.app.state, "reloader", None)
    status = reloader and reloader.status
    answer = await asyncio.get_running_loop().run_in_executor(READING, model, serving, status, clock())
    return Response(to_json(answer), media_type="application/json")


@app.get("/", include_in_schema=False)
def index() -> HTMLResponse:
    """The OpenAPI page, from this host alone."""
    return HTMLResponse(PAGE)


@app.api_route(UNKNOWN, methods=METHODS, include_in_schema=False)
def unknown() -> None:
    """Where `paths` sends whatever it does not know."""
    raise HTTPException(HTTPStatus.NOT_FOUND)


@app.exception_handler(ProblemError)
async def on_problem(request: Request, error: ProblemError) -> Response:
    note(request.scope, error=error.kind)
    return Response(error.body(), error.status, media_type=MEDIA_TYPE)


@app.exception_handler(HTTPException)
async def on_http(request: Request, error: HTTPException) -> Response:
    """404 and 405 of the router."""
    status = HTTPStatus(error.status_code)
    note(request.scope, error="no-such-operation")
    what = f"{request.method} {asked_path(request)[:256]}"
    problem = ProblemError(status, "no-such-operation", f"{what} does not exist; / describes what does")
    return Response(problem.body(), status, media_type=MEDIA_TYPE, headers=error.headers)


@app.exception_handler(Exception)
async def on_fault(_: Request, __: Exception) -> Response:
    """A fault of ours: logged with its traceback by `Observed`, which the caller never sees."""
    problem = fault()
    return Response(problem.body(), problem.status, media_type=MEDIA_TYPE)
