"""The tables that a call of lifecycle_metrics gives: columns, units, grain."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import pyarrow as pa

from lifestage.schemas import INSTANT

_GROUP = ("group", pa.string())
_PERIOD = [("start", INSTANT), ("end", INSTANT)]

STAGES = pa.schema(
    [
        ("as_of", INSTANT),
        _GROUP,
        ("stage", pa.string()),
        ("customers", pa.int64()),
        ("share", pa.float64()),  # of the group's customers at that instant
        ("clv_total", pa.float64()),  # currency; null where nobody has one
        ("clv_mean", pa.float64()),
        ("clv_customers", pa.int64()),  # who have one
        ("churn_probability_mean", pa.float64()),
        ("churn_customers", pa.int64()),
    ]
)
"""One row per frame, group (null: everybody) and stage; every stage of the policy, also an empty one."""
FIGURES = pa.schema(
    [
        *_PERIOD,  # start null: as of `end`, from rows before it
        _GROUP,
        ("stage", pa.string()),  # at `start`, or at `end` where there is no start; null: all stages
        ("metric", pa.string()),  # catalogue.METRICS
        ("numerator", pa.float64()),
        ("denominator", pa.float64()),
        ("customers", pa.int64()),  # who stand behind it
        ("value", pa.float64()),  # null where they are fewer than the minimum, or the denominator is 0
    ]
)
"""One row per period or instant, group, stage and metric to which somebody belongs."""
TRANSITIONS = pa.schema(
    [
        *_PERIOD,
        _GROUP,
        ("from_stage", pa.string()),  # "new": not there before
        ("to_stage", pa.string()),  # "gone": not there any more
        ("customers", pa.int64()),
        ("from_customers", pa.int64()),
        ("share", pa.float64()),  # customers / from_customers
    ]
)
"""One row per period, group and pair of stages that occurs; the stayers included."""
FLOW = pa.schema(
    [
        *_PERIOD,
        _GROUP,
        *(
            (name, pa.int64())
            for name in (
                "start_customers",
                "new",
                "kept",
                "returned",
                "lost",
                "still_lost",
                "gone",
                "new_lost",
                "end_customers",
            )
        ),
    ]
)
"""One row per period and group. new: first seen in it (new_lost: at once in a stage of role lost); kept: not lost at
either end; returned: lost at the start only; lost: at the end only; gone: not in the later frame.
start = kept + lost + returned + still_lost + gone; end = new + kept + lost + returned + still_lost."""
STAYS = pa.schema(
    [
        _GROUP,
        ("stage", pa.string()),
        ("stays", pa.int64()),
        ("completed", pa.int64()),
        ("running", pa.int64()),
        ("unknown_start", pa.int64()),  # running at the first frame since nobody knows when: left out
        ("quarter_days", pa.float64()),
        ("median_days", pa.float64()),
        ("three_quarter_days", pa.float64()),
    ]
)
"""One row per group and stage: Kaplan-Meier quantiles of the time in stage, null where not reached or too few."""
COHORTS = pa.schema(
    [
        _GROUP,
        ("cohort", pa.string()),  # "2025-03", local month of the first order
        ("month", pa.int64()),  # months since
        ("customers", pa.int64()),
        ("active", pa.int64()),
        ("share", pa.float64()),
    ]
)
"""One row per group, cohort and month since; active and share null where the month is not over yet."""
CHANNELS = pa.schema(
    [
        _GROUP,
        ("channel", pa.string()),  # null: all of them
        ("metric", pa.string()),
        ("numerator", pa.float64()),
        ("denominator", pa.float64()),
        ("customers", pa.int64()),
        ("value", pa.float64()),
    ]
)
"""One row per group, acquisition channel and metric (channels.METRICS), of the newest frame's customers."""


@dataclass(frozen=True)
class LifecycleMetrics:
    """All figures of one call; each table's grain stands with its schema."""

    stages: pa.Table
    figures: pa.Table
    transitions: pa.Table
    flow: pa.Table
    stays: pa.Table
    cohorts: pa.Table
    channels: pa.Table
    group: str | None
    minimum: int
    """Customers below which a rate is not shown."""
    instants: tuple[int, ...]
    """Of the frames, ascending."""
    orders: bool
    """Whether any customer of the frames ever ordered before the newest instant."""

    def tables(self) -> dict[str, pa.Table]:
        """By name, for writing."""
        found = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {name: value for name, value in found if isinstance(value, pa.Table)}


def table(rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows as a table; instants are given as UTC microseconds."""
    columns = []
    for field in schema:
        values = [row.get(field.name) for row in rows]
        if field.type == INSTANT:
            columns.append(pa.array(values, pa.int64()).cast(INSTANT))
        else:
            columns.append(pa.array(values, field.type))
    return pa.table(columns, schema=schema)
