"""What a policy's query reads of a block of customers, put together from what the caller of staging hands over."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lifestage.errors import InputError
from lifestage.lifecycle.columns import OPTIONAL, RFM_SCORES
from lifestage.lifecycle.plan import Plan
from lifestage.lifecycle.policy import Policy
from lifestage.lifecycle.segments import bought, scores, segments
from lifestage.localtime import DAY
from lifestage.schemas import INSTANT

Floats = npt.NDArray[np.float64]
Block: TypeAlias = pa.RecordBatch | pa.Table
RFM = ("recency_percentile", "frequency_percentile", "monetary_percentile")


def segments_of(policy: Policy, columns: Block) -> pa.Array:
    """The segment of RFM."""
    r, f, m = (_floats(columns, name) for name in RFM)
    return segments(r, f, m, policy.grouping)


def inputs(
    policy: Policy, ready: Plan, columns: Block, as_of: int, held: tuple[pa.Array, pa.Array]
) -> dict[str, pa.Array]:
    """What a plan's query reads, by name; `held` are the previous stage and its beginning."""
    was, since = held
    block = {"previous_stage": was}
    wanted = set(ready.inputs)
    if "days_in_stage" in wanted:
        stayed = pc.subtract(as_of, since.cast(pa.int64())).cast(pa.float64(), safe=False)
        block["days_in_stage"] = pc.divide(stayed, float(DAY))
    if "segment" in wanted:
        block["segment"] = segments_of(policy, columns)
    if not wanted.isdisjoint(RFM_SCORES):
        r, f, m = (_floats(columns, name) for name in RFM)
        known = bought(r, f, m)
        for name, score in zip(RFM_SCORES, scores(r, f, m), strict=True):
            block[name] = pa.array(score.astype(np.float64), pa.float64(), mask=~known)
    present = set(columns.schema.names)
    for name in ready.inputs:
        if name not in block:
            column = given(columns, name, policy, present)
            missing = pa.nulls(columns.num_rows, policy.given[name].type)
            block[name] = missing if column is None else _without_nan(column)
    return {name: block[name] for name in ready.inputs}


def one_array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def typed(column: pa.Array | pa.ChunkedArray, type_: pa.DataType) -> pa.Array:
    plain = one_array(column)
    return plain if plain.type == type_ else plain.cast(type_)


def given(columns: Block, name: str, policy: Policy, present: set[str]) -> pa.Array | None:
    """A published column in its published type; None where one is missing that may be.

    Raises InputError for another that is missing.
    """
    if name not in present:
        if name in OPTIONAL:
            return None
        raise InputError(
            f"policy {policy.name}: the column '{name}' is missing, but a condition reads it; supply it"
        )
    return typed(columns.column(name), policy.given[name].type)


def _without_nan(column: pa.Array) -> pa.Array:
    """NaN as NULL: what compares with a missing number must not take it for the greatest of all."""
    if not pa.types.is_floating(column.type) or column.null_count == len(column):
        return column
    values = np.frombuffer(column.buffers()[1], np.float64)[column.offset : column.offset + len(column)]
    return pc.if_else(pc.is_nan(column), None, column) if np.isnan(values).any() else column


def _floats(columns: Block, name: str) -> Floats:
    """A float column with NaN for NULL; all NaN where there is none."""
    if name not in columns.schema.names:
        return np.full(columns.num_rows, np.nan)
    values: Floats = typed(columns.column(name), pa.float64()).to_numpy(zero_copy_only=False)
    return values


def before(previous: pa.Table | None, columns: Block, n: int) -> tuple[pa.Array, pa.Array]:
    """Previous stage and its beginning, row by row with `columns`."""
    if previous is None:
        return pa.nulls(n, pa.string()), pa.nulls(n, INSTANT)
    ids = typed(previous["customer_id"], pa.string())
    if not ids.equals(typed(columns.column("customer_id"), pa.string())):
        raise ValueError("previous stages must be of the same customers in the same order as the columns")
    return typed(previous["stage"], pa.string()), typed(previous["stage_since"], INSTANT)
