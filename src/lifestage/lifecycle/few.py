"""Staging of few customers in plain Python: what staging answers by way of DuckDB, in a fraction of its time."""

from collections.abc import Iterator
from functools import lru_cache
from math import isnan
from typing import Any

import pyarrow as pa

from lifestage.lifecycle.alerts import answer_of
from lifestage.lifecycle.blocks import RFM, Block, given, typed
from lifestage.lifecycle.columns import RFM_SCORES
from lifestage.lifecycle.elements import LEVELS
from lifestage.lifecycle.kinds import Row, UncertainError
from lifestage.lifecycle.plan import (
    ACTION,
    HEALTH,
    REASONS,
    RISK,
    RULE,
    SEGMENT,
    STAGE,
    TIER,
    Plan,
    level_of,
    part_of,
)
from lifestage.lifecycle.policy import Policy
from lifestage.lifecycle.row_query import RowQuery, row_query
from lifestage.lifecycle.segments import scores_of_one, segment_of_one
from lifestage.localtime import DAY

FEW = 32
"""Up to so many rows this is the faster way."""


@lru_cache(maxsize=128)
def query_of(ready: Plan) -> RowQuery | None:
    """The plan for single rows; None where only DuckDB can tell."""
    return row_query(ready.sql, dict(zip(ready.inputs, ready.types, strict=True)))


def answers(
    policy: Policy, ready: Plan, columns: Block, as_of: int, held: tuple[pa.Array, pa.Array]
) -> list[Row] | None:
    """What the plan's query reads and answers, one row per customer; arguments as of blocks.inputs.

    Beside the query's own answers, a row holds what RESULT has of the input: previous_stage, stage_since, segment.
    None where there are none or too many rows, or where DuckDB must be asked.
    """
    if not 0 < columns.num_rows <= FEW or (query := query_of(ready)) is None:
        return None
    try:
        return [
            row | query.row({name: row[name] for name in ready.inputs})
            for row in _inputs(policy, ready, columns, as_of, held)
        ]
    except UncertainError:
        return None


def _values(column: pa.Array) -> list[Any]:
    """The values of a column, None where missing or NaN."""
    values: list[Any] = column.to_pylist()
    if pa.types.is_floating(column.type):
        return [None if value is None or isnan(value) else value for value in values]
    return values


def _inputs(
    policy: Policy, ready: Plan, columns: Block, as_of: int, held: tuple[pa.Array, pa.Array]
) -> Iterator[Row]:
    was, since = held
    n, present = columns.num_rows, set(columns.schema.names)
    values = {"previous_stage": was.to_pylist(), "stage_since": since.view(pa.int64()).to_pylist()}
    ranks = [
        _values(typed(columns.column(name), pa.float64())) if name in present else [None] * n for name in RFM
    ]
    made = {*values, "days_in_stage", "segment", *RFM_SCORES}
    for name in ready.inputs:
        if name not in made:
            column = given(columns, name, policy, present)
            values[name] = [None] * n if column is None else _values(column)
    for row, *ranked in zip(zip(*values.values(), strict=True), *ranks, strict=True):
        one: Row = dict(zip(values, row, strict=True))
        since_when = one["stage_since"]
        one["days_in_stage"] = None if since_when is None else _days(as_of - since_when)
        one["segment"] = segment_of_one(ranked[0], ranked[1], ranked[2], policy.grouping)
        one |= zip(RFM_SCORES, scores_of_one(ranked[0], ranked[1], ranked[2]), strict=True)
        yield one


def _days(microseconds: int) -> float:
    if not -(2**63) <= microseconds < 2**63:
        raise UncertainError("too long a time")
    return float(microseconds) / float(DAY)


def result(policy: Policy, ready: Plan, rows: list[Row], as_of: int) -> dict[str, list[Any]]:
    """The values of staging.RESULT by column."""
    stages = [stage.name for stage in policy.stages]
    found: dict[str, list[Any]] = {
        "stage": [stages[row[STAGE]] for row in rows],
        "previous_stage": [row["previous_stage"] for row in rows],
        "rule": _named(ready.rules, rows, RULE),
        "tier": _named([tier.name for tier in policy.tiers], rows, TIER),
        "segment": [row["segment"] for row in rows],
        "risk": _named([level.name for level in policy.risk], rows, RISK),
        "action": _named(ready.actions, rows, ACTION),
        "reasons": [row[REASONS] for row in rows],
        "alerts": [[a.name for a in policy.alerts if row[answer_of(a.name)]] for row in rows],
        "policy": [policy.label] * len(rows),
    }
    found["stage_since"] = [
        row["stage_since"] if stage == row["previous_stage"] and row["stage_since"] is not None else as_of
        for stage, row in zip(found["stage"], rows, strict=True)
    ]
    if policy.segments:  # of the policy's own
        found["segment"] = _named([group.name for group in policy.segments], rows, SEGMENT)
    signals = [(signal.name, level_of(signal.name)) for signal in policy.signals]
    found["signals"] = [
        [{"name": name, "level": LEVELS[row[level]]} for name, level in signals if row[level] >= 0]
        for row in rows
    ]
    parts = [(part.name, part_of(part.name)) for part in policy.health]
    found["health"] = [row[HEALTH] if parts else None for row in rows]
    found["health_parts"] = [
        [{"name": name, "points": row[part]} for name, part in parts] if parts else None for row in rows
    ]
    return found


def _named(names: tuple[str, ...] | list[str], rows: list[Row], answer: str) -> list[str | None]:
    """The names at the positions answered, None at -1."""
    return [names[row[answer]] if row[answer] >= 0 else None for row in rows]
