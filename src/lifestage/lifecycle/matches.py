"""Which conditions of a policy are true for whom, beside the stage that follows from them: what a check looks at."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lifestage.lifecycle import engine, staging
from lifestage.lifecycle.blocks import Block, one_array
from lifestage.lifecycle.columns import signal_column
from lifestage.lifecycle.plan import Steps
from lifestage.lifecycle.policy import Policy
from lifestage.schemas import PREVIOUS

Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Matches:
    """One row per customer; stages are columns, in the policy's order."""

    ids: pa.Array
    block: pa.Table
    """What the conditions read: published columns, the policy's own ones, tier, signals, health, risk."""
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


@lru_cache(maxsize=16)
def _conditions(policy: Policy) -> Steps:
    """The policy's query as far as every condition stands: step `moves`."""
    return Steps(policy)


def answers(policy: Policy, block: pa.Table, selected: Sequence[str]) -> engine.Answers:
    """Answers to SQL expressions over what every condition of the policy gives. Raises duckdb.Error."""
    return engine.query(_conditions(policy).sql(", ".join(selected)), block)


def own_columns(policy: Policy) -> tuple[str, ...]:
    """What conditions read beside the block: the policy's named columns, its tier, segment, signals, health, risk."""
    return (
        *(item.name for item in policy.columns),
        "tier",
        *(("segment",) if policy.segments else ()),
        *(signal_column(signal.name) for signal in policy.signals),
        *(("health",) if policy.health else ()),
        "risk",
    )


def matches(policy: Policy, columns: Block, as_of: int, previous: pa.Table | None = None) -> Matches:
    """Every condition of every customer; arguments and errors as of staging.assign."""
    staged = staging.assign(policy, columns, as_of, previous)
    block = staging.block_of(policy, columns, as_of, previous)
    names = [stage.name for stage in policy.stages]
    selected = [f"enter:{name}" for name in names]
    selected += [f"exit:{stage.name}" for stage in policy.stages if stage.exit is not None]
    found = answers(policy, block, [f'"{name}"' for name in (*selected, *own_columns(policy))])
    enter = np.stack([_bools(found[f"enter:{name}"]) for name in names], axis=1)
    leave = np.stack(
        [
            ~enter[:, i] if stage.exit is None else _bools(found[f"exit:{stage.name}"])
            for i, stage in enumerate(policy.stages)
        ],
        axis=1,
    )
    for name in own_columns(policy):
        block = block.append_column(name, found[name])
    stage = pc.index_in(staged["stage"].combine_chunks(), value_set=pa.array(names)).to_numpy()
    return Matches(
        ids=one_array(columns.column("customer_id")).cast(pa.string()),
        block=block.combine_chunks(),
        enter=enter,
        exit=leave,
        staged=staged,
        stage=stage.astype(np.int64),
        fresh=first_sight(policy, enter),
        nobody=np.logical_not(enter.any(axis=1)),
    )


def _bools(column: pa.Array) -> Bools:
    found: Bools = column.to_numpy(zero_copy_only=False).astype(bool)
    return found


def first_sight(policy: Policy, enter: Bools) -> Integers:
    """[n] position of the stage by rules 1, 3 and 4 alone."""
    names = [stage.name for stage in policy.stages]
    found = np.full(len(enter), names.index(policy.default), np.int64)
    order = [i for i, stage in enumerate(policy.stages) if stage.preempts]
    order += [i for i, stage in enumerate(policy.stages) if not stage.preempts]
    for i in reversed(order):
        found[enter[:, i]] = i
    return found


def again(policy: Policy, columns: Block, as_of: int, before: Matches) -> Matches:
    """The same customers, unchanged, staged once more after `before` was stored."""
    table = pa.table([before.ids, before.staged["stage"], before.staged["stage_since"]], schema=PREVIOUS)
    return matches(policy, columns, as_of, table)
