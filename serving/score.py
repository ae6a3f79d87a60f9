"""Raw histories -> scores: the same `decide_block` as the batch, on a block made of the request."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from lifestage.decision import decide_block
from lifestage.errors import InputError
from lifestage.online import RecordError, history_from_records
from lifestage.record_values import identifier, parse_instant
from lifestage.schemas import PREVIOUS
from serving.metrics import observe_batch, observe_scores, observe_unknown
from serving.models import Customer, Scored, ScoreRequest
from serving.problems import bad
from serving.rows import instant_text, rows
from serving.state import State


def score(state: State, request: ScoreRequest, now: int, *, counted: bool = True) -> dict[str, Any]:
    """One score per customer, in the request's order; `counted` in the metrics."""
    zone = state.release.timezone
    as_of = instant_of(request.as_of, now, zone)
    try:
        history = history_from_records(request.customers, zone, state.release.attribute_types)
    except RecordError as error:
        raise bad(str(error), ("customers", *error.path)) from None
    scores = decide_block(history, as_of, state.release, previous_stages(request.customers, zone))
    if counted:
        observe_batch(len(history), 1)
        observe_scores(scores)
        observe_unknown(history, state.release.churn.spec)
    return {"as_of": instant_text(as_of), **state.facts, "scores": rows(scores)}


def instant_of(as_of: str | None, now: int, zone: str) -> int:
    """UTC microseconds of a request's as_of, `now` where it names none."""
    if as_of is None:
        return now
    try:
        return parse_instant(as_of, zone)
    except InputError as error:
        raise bad(f"as_of: {error}", ("as_of",)) from None


def previous_stages(customers: Sequence[Customer] | Sequence[Scored], zone: str) -> pa.Table:
    """Rows of schemas.PREVIOUS for the customers that the request gives a previous stage."""
    found: list[dict[str, Any]] = []
    for i, customer in enumerate(customers):
        given = customer.get("previous")
        if given is None:
            continue
        try:
            since = parse_instant(given["stage_since"], zone)
        except InputError as error:
            path = ("customers", i, "previous", "stage_since")
            raise bad(f"customer '{customer['customer_id']}': previous.stage_since: {error}", path) from None
        found.append(
            {
                "customer_id": identifier(customer["customer_id"]),
                "stage": given["stage"],
                "stage_since": since,
            }
        )
    columns = [[row[name] for row in found] for name in PREVIOUS.names]
    since = pa.array(columns[2], pa.int64()).cast(PREVIOUS.field("stage_since").type)
    return pa.table(
        [pa.array(columns[0], pa.string()), pa.array(columns[1], pa.string()), since], schema=PREVIOUS
    )
