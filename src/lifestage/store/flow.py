"""Who moved where between the stored runs."""

from collections.abc import Iterable

import pyarrow as pa

from lifestage.schemas import INSTANT
from lifestage.store.values import table

FLOW = pa.schema(
    [
        pa.field("as_of", INSTANT, nullable=False),
        ("previous_stage", pa.string()),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("customers", pa.int64(), nullable=False),
    ]
)
"""One row per stored as_of, stage at the as_of before (null: first seen) and stage; stayers included."""

MOVES = (
    "SELECT as_of, previous_stage, stage, count(*) FROM"
    " (SELECT as_of, stage, lag(stage) OVER (PARTITION BY customer_id ORDER BY as_of) AS previous_stage"
    " FROM stage_history) AS moves"
    " GROUP BY as_of, previous_stage, stage ORDER BY as_of"
)
"""One row per as_of, stage before and stage: the customers who changed then."""


def flow_of(changes: Iterable[tuple[int, str | None, str, int]], days: Iterable[int]) -> pa.Table:
    """A table of FLOW from the rows of MOVES and every as_of stored, in the order of as_of."""
    moves: dict[int, list[tuple[str | None, str, int]]] = {}
    for as_of, before, stage, customers in changes:
        moves.setdefault(as_of, []).append((before, stage, customers))
    held: dict[str, int] = {}
    rows: list[tuple[int, str | None, str, int]] = []
    for as_of in sorted({*days, *moves}):
        flows: dict[tuple[str | None, str], int] = {(stage, stage): n for stage, n in held.items()}
        for before, stage, customers in moves.get(as_of, ()):
            if before is not None:
                flows[before, before] -= customers
            flows[before, stage] = flows.get((before, stage), 0) + customers
        held = {}
        for (before, stage), customers in sorted(flows.items(), key=lambda f: (f[0][0] or "", f[0][1])):
            if customers:
                held[stage] = held.get(stage, 0) + customers
                rows.append((as_of, before, stage, customers))
    return table(rows, FLOW)
