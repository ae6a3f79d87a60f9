"""One request of each kind before the first caller's: what is made lazily is made then."""

from lifestage.errors import InputError
from serving.computing import COMPUTING
from serving.explain import explanations_of
from serving.models import StageRequest
from serving.problems import ProblemError
from serving.routes import clock
from serving.rows import to_json
from serving.score import scores_of
from serving.stage import stage
from serving.state import State

PURCHASES = [{"ordered_at": f"2020-0{month}-01", "amount": 10.0 * month} for month in range(1, 4)]
MANY = 100


def check(state: State) -> None:
    """Raises InputError where the release cannot score: it is not served then."""
    now, limits = clock(), state.shop.serving
    bought = PURCHASES[: limits.max_rows]
    columns = {"order_count": 3.0, "days_since_last_order": 10.0}
    given = {"customers": [{"customer_id": "warm-up", "columns": columns}]}
    try:
        for count in (
            1,
            min(MANY, limits.max_customers),
        ):  # few and many take different ways through some of the work
            asked = [{"customer_id": f"warm-up {i}", "purchases": bought} for i in range(count)]
            body = to_json({"as_of": "2020-04-01", "customers": asked})
            for found in scores_of(state, [body], now, counted=False) + explanations_of(
                state, [body], now, counted=False
            ):
                if isinstance(found, Exception):
                    raise found
        to_json(stage(state, StageRequest.model_validate(given), now))
    except (InputError, ProblemError) as error:
        raise InputError(
            f"release {state.release.name} cannot score: {error}; publish another with training.promote"
        ) from None


def warm_up(state: State) -> None:
    """`check` in the thread that will compute, where DuckDB's connection is its own."""
    COMPUTING.submit(check, state).result()
