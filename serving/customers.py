"""One customer's stored score and history of stages."""

from http import HTTPStatus
from typing import Any

from lifestage.errors import InputError
from lifestage.store import Store
from serving.ids import known_as
from serving.problems import ProblemError
from serving.state import State


def stored(state: State, customer_id: str) -> dict[str, Any]:
    """The score of the current run. Raises ProblemError: 404 unknown, 503 no scores yet."""
    try:
        known = known_as(state.shop, customer_id)
        score = state.store.customer(known)
        run = state.store.current()
        history = state.store.stage_history(known) if score else []
    except InputError as error:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "no-scores", str(error)) from None
    name = run["run"] if run else ""
    if score is None:
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            "unknown-customer",
            f"customer '{customer_id[:256]}' is not in the stored scores (run {name}); "
            "check the id, or score the customer's history by POST /v1/score",
        )
    facts = state.facts
    if score["release"] != facts["release"]:  # stored by another release: its horizons are not at hand
        facts |= {"release": score["release"], "churn_horizon_days": None, "clv_horizon_days": None}
    score["customer_id"] = customer_id  # the caller's own, where the store knows its hash
    return {"as_of": score["as_of"], **facts, "run": name, "score": score, "stage_history": history}


def example(store: Store) -> str:
    """The id of the most valuable customer. Raises InputError where no scores are stored."""
    found = store.most_valuable()
    if found is None:
        raise InputError("no scores yet; run python -m training.score")
    return found
