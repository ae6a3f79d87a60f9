"""One policy, one block of customers -> stage, tier, segment, risk, signals, reasons and action of each.

A stage is decided in four steps: (1) the first stage in order that preempts and whose `enter` is true; else
(2) the previous stage, if it is in this policy and its `exit` is not true; else (3) the first stage in order
whose `enter` is true; else (4) the policy's default. NULL is not true; an omitted `exit` means "`enter` is
not true". Every row is decided by itself, so a block of one equals a block of many.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lifestage.errors import InputError
from lifestage.lifecycle import engine
from lifestage.lifecycle.alerts import answer_of
from lifestage.lifecycle.conditions import first_line
from lifestage.lifecycle.plan import RISK, STAGE, level_of, plan
from lifestage.lifecycle.policy import LEVELS, Policy
from lifestage.lifecycle.segments import segments
from lifestage.lifecycle.sentences import Speakers, offsets, reasons
from lifestage.localtime import DAY
from lifestage.schemas import INSTANT, SIGNAL

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Block: TypeAlias = pa.RecordBatch | pa.Table
RFM = ("recency_percentile", "frequency_percentile", "monetary_percentile")

RESULT = pa.schema(
    [
        ("stage", pa.string()),
        ("stage_since", INSTANT),
        ("previous_stage", pa.string()),
        ("tier", pa.string()),
        ("segment", pa.string()),
        ("risk", pa.string()),
        ("signals", pa.list_(SIGNAL)),
        ("action", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("alerts", pa.list_(pa.string())),
    ]
)
"""One row per customer, in the order of the input."""


def assign(
    policy: Policy, columns: Block, as_of: int, previous: pa.Table | None, more: Speakers = ()
) -> pa.Table:
    """One row per customer, in the order of `columns`: RESULT.

    `columns` holds customer_id and what the policy reads of its `given` columns, floats NULL where
    undefined. `previous` holds schemas.PREVIOUS for the same customers in the same order, its stage NULL at
    first sight. `as_of` is in UTC microseconds. A customer who stays keeps `stage_since`, one who moves gets
    `as_of`; `previous_stage` is what `previous` says, even if this policy has no such stage. `more`: further
    sentences for `reasons`, after the policy's own.

    Raises InputError if a column that the policy reads is missing, or a condition fails on a value.
    """
    ready = plan(policy)
    n = columns.num_rows
    was, since = _previous(previous, columns, n)
    derived: dict[str, pa.Array] = {
        "tier": _tiers(policy, columns),
        "segment": segments(*(_floats(columns, name) for name in RFM)),
        "previous_stage": was,
        "days_in_stage": pc.divide(
            pc.subtract(as_of, since.cast(pa.int64())).cast(pa.float64(), safe=False), float(DAY)
        ),
    }
    given = {name: _given(columns, name, policy) for name in ready.inputs if name not in derived}
    block = {**given, **derived}
    try:
        answers = engine.query(ready.sql, pa.table(block))
    except duckdb.Error as error:
        raise InputError(
            f"policy {policy.name}: a condition fails for these customers: {first_line(error)}; "
            "guard it, e.g. with CASE, NULLIF or TRY_CAST"
        ) from None
    stages = answers[STAGE].astype(np.int64)
    levels = [answers[level_of(signal.name)].astype(np.int64) for signal in policy.signals]
    stage = _named([s.name for s in policy.stages], stages)
    stays = pc.fill_null(pc.equal(stage, was), False)
    now = pa.scalar(as_of, pa.int64()).cast(INSTANT)
    speakers = [
        *((sentence, stages == i) for i, sentence in enumerate(ready.stage_sentences)),
        *zip(ready.signal_sentences, (level >= 0 for level in levels), strict=True),
        *more,
    ]
    block |= {name: _array(columns.column(name)) for told, _ in more if told for name in told.columns}
    result = {
        "stage": stage,
        "stage_since": pc.if_else(stays, pc.fill_null(since, now), now),
        **{name: derived[name] for name in ("previous_stage", "tier", "segment")},
        "risk": _named([r.name for r in policy.risk], answers[RISK].astype(np.int64)),
        "signals": _signals(policy, levels, n),
        "action": _named([s.actions[0].name if s.actions else None for s in policy.stages], stages),
        "reasons": reasons(speakers, block, n),
        "alerts": _alerts(policy, answers, n),
    }
    return pa.table([result[field.name] for field in RESULT], schema=RESULT)


def columns_read(policy: Policy) -> tuple[str, ...]:
    """The given columns that decide something under this policy, sorted."""
    ranks = {*RFM, *(("clv_percentile",) if policy.tiers else ())}
    return tuple(sorted((set(plan(policy).inputs) | ranks) & set(policy.given)))


def _array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _given(columns: Block, name: str, policy: Policy) -> pa.Array:
    """A published column in its published type."""
    if name not in columns.schema.names:
        raise InputError(
            f"policy {policy.name}: the column '{name}' is missing, but a condition reads it; supply it"
        )
    return _array(columns.column(name)).cast(policy.given[name].type)


def _floats(columns: Block, name: str) -> Floats:
    """A float column with NaN for NULL; all NaN where there is none."""
    if name not in columns.schema.names:
        return np.full(columns.num_rows, np.nan)
    values: Floats = _array(columns.column(name)).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values


def _previous(previous: pa.Table | None, columns: Block, n: int) -> tuple[pa.Array, pa.Array]:
    """Previous stage and its beginning, row by row with `columns`."""
    if previous is None:
        return pa.nulls(n, pa.string()), pa.nulls(n, INSTANT)
    ids = _array(previous["customer_id"]).cast(pa.string())
    if not ids.equals(_array(columns.column("customer_id")).cast(pa.string())):
        raise ValueError("previous stages must be of the same customers in the same order as the columns")
    return _array(previous["stage"]).cast(pa.string()), _array(previous["stage_since"]).cast(INSTANT)


def _named(names: Sequence[str | None], codes: Integers) -> pa.Array:
    """The names at positions `codes`, NULL at -1."""
    return pa.array(names, pa.string()).take(pa.array(codes, mask=codes < 0))


def _tiers(policy: Policy, columns: Block) -> pa.Array:
    """Value tier by CLV percentile: the first whose bound is reached, NULL without a percentile."""
    percentile = _floats(columns, "clv_percentile")
    codes = np.full(len(percentile), -1, np.int64)
    for i in reversed(range(len(policy.tiers))):
        codes[percentile >= policy.tiers[i].min_percentile] = i
    return _named([tier.name for tier in policy.tiers], codes)


def _signals(policy: Policy, levels: list[Integers], n: int) -> pa.Array:
    """list<name, level>[n] of the signals that are on, in the policy's order."""
    grid = np.stack(levels, axis=1) if levels else np.empty((n, 0), np.int64)
    rows, which = np.nonzero(grid >= 0)
    names = _named([signal.name for signal in policy.signals], which)
    words = _named(LEVELS, grid[rows, which])
    entries = pa.StructArray.from_arrays([names, words], fields=list(SIGNAL))
    return pa.ListArray.from_arrays(offsets(rows, n), entries)


def _alerts(policy: Policy, answers: Mapping[str, npt.NDArray[Any]], n: int) -> pa.Array:
    """list<text>[n] of the alert rules that hold, in the policy's order."""
    holds = [answers[answer_of(alert.name)].astype(bool) for alert in policy.alerts]
    rows, which = np.nonzero(np.stack(holds, axis=1) if holds else np.empty((n, 0), bool))
    names = _named([alert.name for alert in policy.alerts], which)
    return pa.ListArray.from_arrays(offsets(rows, n), names)
