"""Raw histories -> why each customer is scored and staged so: the reasons for everybody, as many as asked for."""

from collections.abc import Sequence

from lifestage.settings import Reasons
from serving.answers import Explanation
from serving.bodies import by_customer
from serving.models import ExplainRequest
from serving.problems import ProblemError
from serving.routes import Answer
from serving.score import Asked, answer, instant_of, score, take_out
from serving.state import State

SHOWN = tuple(Explanation.model_fields)


def explanations_of(
    state: State, bodies: Sequence[bytes], now: int, *, counted: bool = True
) -> list[Answer | Exception]:
    """The answers to requests that came together, one each; `counted` in the metrics."""
    return [_explained(state, body, now, counted) for body in bodies]


def _explained(state: State, body: bytes, now: int, counted: bool) -> Answer | Exception:
    try:
        request, places, failures = by_customer(ExplainRequest, body)
        as_of = instant_of(request.as_of, now, state.release.timezone)
        everybody = Reasons(top=request.top, highest_risk_share=1, highest_value_share=1)
        asked = Asked(as_of, everybody, (), request.customers, places, failures)
        take_out(asked, state.shop.serving)
    except ProblemError as problem:
        return problem
    score(state, [asked], counted=counted)
    asked.rows = [{name: row[name] for name in SHOWN} for row in asked.rows]
    return answer(state, asked, "explanations")
