"""One request of each kind before the first caller's: what is made lazily is made then."""

from serving.models import ScoreRequest, StageRequest
from serving.routes import COMPUTING, clock
from serving.rows import to_json
from serving.score import score
from serving.stage import stage
from serving.state import State

PURCHASES = [{"ordered_at": f"2020-0{month}-01", "amount": 10.0 * month} for month in range(1, 4)]
HISTORY = {"as_of": "2020-04-01", "customers": [{"customer_id": "warm-up", "purchases": PURCHASES}]}


def warm_up(state: State) -> None:
    """Raises whatever the release cannot do: a release that cannot score is not served."""

    def work() -> None:
        now = clock()
        to_json(score(state, ScoreRequest.model_validate(HISTORY), now))
        columns = {"order_count": 3.0, "days_since_last_order": 10.0}
        given = {"customers": [{"customer_id": "warm-up", "columns": columns}]}
        to_json(stage(state, StageRequest.model_validate(given), now))

    COMPUTING.submit(work).result()  # in the thread that will compute: DuckDB's connection is its own
