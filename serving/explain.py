"""Raw histories -> why each customer is scored and staged so: the reasons for everybody, as many as asked for."""

from collections.abc import Sequence

from lifestage.settings import Reasons
from serving.answers import Explanation
from serving.bodies import by_customer
from serving.models import ExplainRequest
from serving.problems import ProblemError
from serving.score import answer, asked_of, instant_of, score
from serving.state import State

SHOWN = tuple(Explanation.model_fields)


def explanations_of(state: State, bodies: Sequence[bytes], now: int) -> list[bytes | Exception]:
    """The answers to requests that came together, one each."""
    return [_explained(state, body, now) for body in bodies]


def _explained(state: State, body: bytes, now: int) -> bytes | Exception:
    try:
        request, places, failures = by_customer(ExplainRequest, body)
        as_of = instant_of(request.as_of, now, state.release.timezone)
    except ProblemError as problem:
        return problem
    everybody = Reasons(top=request.top, highest_risk_share=1, highest_value_share=1)
    asked = asked_of(request.customers, places, failures, as_of, everybody)
    score(state, [asked])
    asked.rows = [{name: row[name] for name in SHOWN} for row in asked.rows]
    return answer(state, asked, "explanations")
