"""One policy, one block of customers -> stage, tier, segment, risk, signals, reasons and action of each.

A stage is decided in four steps: (1) the first stage in order that preempts and whose `enter` is true; else
(2) the previous stage, if it is in this policy and its `exit` is not true; else (3) the first stage in order
whose `enter` is true; else (4) the policy's default. NULL is not true; an omitted `exit` means "`enter` is
not true". Every row is decided by itself, so a block of one equals a block of many; a few rows are decided in plain
Python (`few`), more by DuckDB (`engine`), with the same results.
"""

from collections.abc import Sequence

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lifestage.errors import InputError
from lifestage.lifecycle import engine, few
from lifestage.lifecycle.alerts import answer_of
from lifestage.lifecycle.blocks import RFM, Block, before, inputs, segments_of
from lifestage.lifecycle.columns import RFM_SCORES
from lifestage.lifecycle.conditions import first_line
from lifestage.lifecycle.elements import LEVELS
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
    Speaker,
    level_of,
    part_of,
    plan,
    stage_plan,
)
from lifestage.lifecycle.policy import Policy
from lifestage.schemas import HEALTH_PART, INSTANT, SIGNAL

Integers = npt.NDArray[np.int64]
RESULT = pa.schema(
    [
        ("stage", pa.string()),
        ("stage_since", INSTANT),
        ("previous_stage", pa.string()),
        ("rule", pa.string()),
        ("tier", pa.string()),
        ("segment", pa.string()),
        ("risk", pa.string()),
        ("signals", pa.list_(SIGNAL)),
        ("health", pa.float64()),
        ("health_parts", pa.list_(HEALTH_PART)),
        ("action", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("alerts", pa.list_(pa.string())),
        ("policy", pa.string()),
    ]
)
"""One row per customer, in the order of the input."""


def assign(
    policy: Policy, columns: Block, as_of: int, previous: pa.Table | None, more: tuple[Speaker, ...] = ()
) -> pa.Table:
    """One row per customer, in the order of `columns`: RESULT.

    `columns` holds customer_id and what the policy reads of its `given` columns, floats NULL or NaN where undefined;
    those of columns.OPTIONAL may be left out. `previous` holds schemas.PREVIOUS for the same customers in the same
    order, its stage NULL at first sight. `as_of` is in UTC microseconds. A customer who stays keeps `stage_since`, one
    who moves gets `as_of`; `previous_stage` is what `previous` says, even if this policy has no such stage. `rule` is
    <stage>.<rule> that brings or keeps them in, <stage>.stays where only `exit` not being true does, <stage>.default
    where nothing does. `more`: further sentences for `reasons`, after the policy's own.

    Raises InputError if a column that the policy reads is missing, or a condition fails on a value.
    """
    ready = plan(policy, more)
    n = columns.num_rows
    was, since = before(previous, columns, n)
    if (rows := few.answers(policy, ready, columns, as_of, (was, since))) is not None:
        found = few.result(policy, ready, rows, as_of)
        return pa.table([pa.array(found[field.name], field.type) for field in RESULT], schema=RESULT)
    block = inputs(policy, ready, columns, as_of, (was, since))
    answers = _asked(policy, ready, block)
    if policy.segments:
        block["segment"] = _named([group.name for group in policy.segments], answers[SEGMENT])
    elif "segment" not in block:  # no condition reads it
        block["segment"] = segments_of(policy, columns)
    stage = _named([s.name for s in policy.stages], answers[STAGE])
    stays = pc.fill_null(pc.equal(stage, was), False)
    now = pa.scalar(as_of, pa.int64()).cast(INSTANT)
    result = {
        "stage": stage,
        "stage_since": pc.if_else(stays, pc.fill_null(since, now), now),
        "previous_stage": was,
        "rule": _named(ready.rules, answers[RULE]),
        "tier": _named([tier.name for tier in policy.tiers], answers[TIER]),
        "segment": block["segment"],
        "risk": _named([level.name for level in policy.risk], answers[RISK]),
        "signals": _signals(policy, answers, n),
        "health": answers[HEALTH] if policy.health else pa.nulls(n, pa.float64()),
        "health_parts": _health_parts(policy, answers, n),
        "action": _named(ready.actions, answers[ACTION]),
        "reasons": answers[REASONS],
        "alerts": _alerts(policy, answers, n),
        "policy": pa.array([policy.label], pa.string()).take(pa.array(np.zeros(n, np.int64))),
    }
    return pa.table([result[field.name] for field in RESULT], schema=RESULT)


def stage_codes(policy: Policy, columns: Block, as_of: int, previous: pa.Table | None) -> Integers:
    """The stage of each customer alone, as its place in the policy, int64[n]; see `assign`."""
    ready = stage_plan(policy)
    held = before(previous, columns, columns.num_rows)
    if (rows := few.answers(policy, ready, columns, as_of, held)) is not None:
        return np.array([row[STAGE] for row in rows], np.int64)
    answers = _asked(policy, ready, inputs(policy, ready, columns, as_of, held))
    return np.asarray(answers[STAGE], np.int64)


def block_of(policy: Policy, columns: Block, as_of: int, previous: pa.Table | None) -> pa.Table:
    """The table that the policy's query reads; arguments as of `assign`."""
    held = before(previous, columns, columns.num_rows)
    return pa.table(inputs(policy, plan(policy), columns, as_of, held))


def _asked(policy: Policy, ready: Plan, block: dict[str, pa.Array]) -> engine.Answers:
    try:
        return engine.query(ready.sql, pa.table(block))
    except duckdb.Error as error:
        raise InputError(
            f"policy {policy.name}: a condition fails for these customers: {first_line(error)}; "
            "guard it, e.g. with CASE, NULLIF or TRY_CAST"
        ) from None


def columns_read(policy: Policy) -> tuple[str, ...]:
    """The given columns that decide something under this policy, sorted."""
    inputs = set(plan(policy).inputs)
    ranks = () if policy.segments and not inputs & RFM_SCORES.keys() else RFM
    return tuple(sorted((inputs | {*ranks}) & set(policy.given)))


def _named(names: Sequence[str], codes: Integers) -> pa.Array:
    """The names at positions `codes`, NULL at -1."""
    if len(codes) <= engine.FEW:
        return pa.array([names[code] if code >= 0 else None for code in codes.tolist()], pa.string())
    return pa.array(names, pa.string()).take(pa.array(codes, mask=codes < 0))


def _signals(policy: Policy, answers: engine.Answers, n: int) -> pa.Array:
    """list<name, level>[n] of the signals that are on, in the policy's order."""
    levels = [answers[level_of(signal.name)] for signal in policy.signals]
    grid = np.stack(levels, axis=1) if levels else np.empty((n, 0), np.int64)
    rows, which = np.nonzero(grid >= 0)
    names = pa.array([signal.name for signal in policy.signals], pa.string()).take(pa.array(which))
    words = pa.array(LEVELS, pa.string()).take(pa.array(grid[rows, which]))
    return _lists(rows, pa.StructArray.from_arrays([names, words], fields=list(SIGNAL)), n)


def _alerts(policy: Policy, answers: engine.Answers, n: int) -> pa.Array:
    """list<text>[n] of the alert rules that hold, in the policy's order."""
    held = [np.asarray(answers[answer_of(alert.name)]) for alert in policy.alerts]
    rows, which = np.nonzero(np.stack(held, axis=1) if held else np.empty((n, 0), bool))
    names = pa.array([alert.name for alert in policy.alerts], pa.string()).take(pa.array(which))
    return _lists(rows, names, n)


def _lists(rows: Integers, entries: pa.Array, n: int) -> pa.Array:
    """list[n] of the entries that belong to `rows`, ascending row numbers."""
    return pa.ListArray.from_arrays(pa.array(np.searchsorted(rows, np.arange(n + 1)), pa.int32()), entries)


def _health_parts(policy: Policy, answers: engine.Answers, n: int) -> pa.Array:
    """list<name, points>[n]: every part of the health score in the policy's order; NULL without a health score."""
    parts = len(policy.health)
    if not parts:
        return pa.nulls(n, pa.list_(HEALTH_PART))
    columns = [answers[part_of(part.name)] for part in policy.health]
    points = pa.concat_arrays(columns).take(pa.array(np.arange(n * parts).reshape(parts, n).T.ravel()))
    which = pa.array(np.tile(np.arange(parts), n))
    names = pa.array([part.name for part in policy.health], pa.string()).take(which)
    entries = pa.StructArray.from_arrays([names, points], fields=list(HEALTH_PART))
    return pa.ListArray.from_arrays(pa.array(np.arange(n + 1) * parts, pa.int32()), entries)
