"""Which conditions of a policy are true for whom, beside the stage that follows from them: what a check looks at."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import sqlglot

from lifestage.errors import InputError
from lifestage.lifecycle import engine, staging
from lifestage.lifecycle.columns import signal_column
from lifestage.lifecycle.conditions import first_line
from lifestage.lifecycle.plan import plan
from lifestage.lifecycle.policy import Policy
from lifestage.lifecycle.segments import segments
from lifestage.localtime import DAY
from lifestage.schemas import PREVIOUS

Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Matches:
    """One row per customer; stages are columns, in the policy's order."""

    ids: pa.Array
    block: pa.Table
    """What the conditions read: published columns, signals (true or false) and the risk level."""
    enter: Bools
    """[n, stages]"""
    exit: Bools
    """[n, stages]; where a stage has no `exit`: its `enter` is not true."""
    staged: pa.Table
    """staging.RESULT."""
    stage: Integers
    """[n] position of the stage that was decided."""
    fresh: Integers
    """[n] position of the stage that a customer without a previous one would be given by the same conditions."""
    nobody: Bools
    """[n] no `enter` is true, so that only the default is left."""

    def __len__(self) -> int:
        return len(self.ids)


def over_moves(policy: Policy, selected: Sequence[str]) -> str:
    """The policy's query with other answers: SQL expressions over its last step, where every condition stands."""
    tree = sqlglot.parse_one(plan(policy).sql, dialect="duckdb")
    tree = tree.select(*selected, append=False, dialect="duckdb").from_("moves", dialect="duckdb")
    return str(tree.sql(dialect="duckdb", identify=True))


def block_of(policy: Policy, columns: staging.Block, as_of: int, previous: pa.Table | None) -> pa.Table:
    """The table that the policy's query reads, of the same customers in the same order."""
    was, since = staging._previous(previous, columns, columns.num_rows)
    days = pc.subtract(as_of, since.cast(pa.int64())).cast(pa.float64(), safe=False)
    derived = {
        "tier": staging._tiers(policy, columns),
        "segment": segments(*(staging._floats(columns, name) for name in staging.RFM)),
        "previous_stage": was,
        "days_in_stage": pc.divide(days, float(DAY)),
    }
    given = {n: staging._given(columns, n, policy) for n in plan(policy).inputs if n not in derived}
    return pa.table({**given, **derived})


def answers(policy: Policy, block: pa.Table, selected: Sequence[str]) -> dict[str, npt.NDArray[np.generic]]:
    """Answers to SQL expressions over the policy's last step. Raises InputError where a condition fails."""
    try:
        return engine.query(over_moves(policy, selected), block)
    except duckdb.Error as error:
        raise failing(policy, error) from None


def failing(policy: Policy, error: duckdb.Error) -> InputError:
    """The error of a condition that cannot be computed for some customer."""
    return InputError(
        f"policy {policy.name}: a condition fails for these customers: {first_line(error)}; "
        "guard it, e.g. with CASE, NULLIF or TRY_CAST"
    )


def matches(policy: Policy, columns: staging.Block, as_of: int, previous: pa.Table | None = None) -> Matches:
    """Every condition of every customer; arguments and errors as of staging.assign."""
    staged = staging.assign(policy, columns, as_of, previous)
    block = block_of(policy, columns, as_of, previous)
    names = [stage.name for stage in policy.stages]
    selected = [f'"enter:{name}"' for name in names]
    selected += [f'"exit:{stage.name}"' for stage in policy.stages if stage.exit is not None]
    signals = [signal_column(signal.name) for signal in policy.signals]
    found = answers(policy, block, [*selected, *(f'"{name}"' for name in signals)])
    enter = np.stack([np.asarray(found[f"enter:{name}"], bool) for name in names], axis=1)
    leave = np.stack(
        [
            ~enter[:, i] if stage.exit is None else np.asarray(found[f"exit:{stage.name}"], bool)
            for i, stage in enumerate(policy.stages)
        ],
        axis=1,
    )
    for name in signals:
        block = block.append_column(name, pa.array(np.asarray(found[name], bool)))
    block = block.append_column("risk", staged["risk"])
    stage = pc.index_in(staged["stage"].combine_chunks(), value_set=pa.array(names)).to_numpy()
    return Matches(
        ids=staging._array(columns.column("customer_id")).cast(pa.string()),
        block=block,
        enter=enter,
        exit=leave,
        staged=staged,
        stage=stage.astype(np.int64),
        fresh=first_sight(policy, enter),
        nobody=np.logical_not(enter.any(axis=1)),
    )


def first_sight(policy: Policy, enter: Bools) -> Integers:
    """[n] position of the stage by rules 1, 3 and 4 alone."""
    names = [stage.name for stage in policy.stages]
    found = np.full(len(enter), names.index(policy.default), np.int64)
    order = [i for i, stage in enumerate(policy.stages) if stage.preempts]
    order += [i for i, stage in enumerate(policy.stages) if not stage.preempts]
    for i in reversed(order):
        found[enter[:, i]] = i
    return found


def again(policy: Policy, columns: staging.Block, as_of: int, before: Matches) -> Matches:
    """The same customers, unchanged, staged once more after `before` was stored."""
    table = pa.table(
        [before.ids, before.staged["stage"], before.staged["stage_since"]],
        schema=PREVIOUS,
    )
    return matches(policy, columns, as_of, table)
