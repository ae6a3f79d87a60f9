"""Lists for people: the customers for whom a condition is true, those with most at stake first, in plain words.

The condition is written in the policy language. It reads the columns of the score rows (instants as local time, so
that `next_order_at < DATE '2026-01-01'` means the local midnight), `value_at_stake`, signal_<name> for each signal, and
the features that a policy's conditions may read, which the score rows lack; what is missing is not true.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lifestage.errors import InputError
from lifestage.expressions import referenced, to_sql
from lifestage.lifecycle.checking.bounds import contradictions
from lifestage.lifecycle.columns import PUBLISHED, Published, signal_column
from lifestage.lifecycle.conditions import condition
from lifestage.lifecycle.policy import Policy
from lifestage.lifecycle.segments import GROUPINGS
from lifestage.lifecycle.selection import holds
from lifestage.lifecycle.vetting import labels_of
from lifestage.lists.wording import NESTED, STAKE, TITLES, signal_on
from lifestage.localtime import to_local
from lifestage.ragged import Bools, Floats
from lifestage.schemas import INSTANT, SCORE

LOCAL = pa.timestamp("us")
"""Wall-clock time of the shop."""
SHOWN = (
    *("customer_id", STAKE, "clv", "churn_probability", "tier", "segment", "risk", "stage", "stage_since"),
    *("next_stage", "next_stage_at", "next_order_at", "action", "reasons"),
)
"""Columns of a list where none are asked for."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A checked condition."""

    sql: str
    reads: frozenset[str]
    features: Mapping[str, pa.DataType]
    """Those of `reads` that no score row holds and the history gives, with their types."""


def columns_of(policy: Policy) -> dict[str, Published]:
    """Every column of the scores that a condition on the list may read."""
    plain = {
        field.name: _published(field.name, _type(field.type))
        for field in SCORE
        if not pa.types.is_nested(field.type)
    }
    signals = {
        signal_column(signal.name): Published("", signal.labels.en, signal.labels.zh, pa.bool_())
        for signal in policy.signals
    }
    return {**plain, STAKE: _published(STAKE, pa.float64()), **signals}


def _published(name: str, type_: pa.DataType) -> Published:
    en, zh = TITLES.get(name, (name, name))
    unit = PUBLISHED[name].unit if name in PUBLISHED else ""
    return Published(unit, en, zh, type_)


def _type(type_: pa.DataType) -> pa.DataType:
    return LOCAL if type_ == INSTANT else type_


def checked(where: str, policy: Policy) -> Condition:
    """The condition of --where.

    Raises InputError with the place of a mistake and the nearest right name, and where no customer can satisfy it.
    """
    values = {
        "stage": tuple(stage.name for stage in policy.stages),
        "tier": tuple(tier.name for tier in policy.tiers),
        "risk": tuple(level.name for level in policy.risk),
        "segment": tuple(group.name for group in policy.segments) or tuple(GROUPINGS[policy.grouping]),
        "action": tuple(action.name for stage in policy.stages for action in stage.actions),
    }
    scores = columns_of(policy)
    columns = {**policy.base, **scores}
    tree = condition(where, columns, "--where", values, labels_of(policy))
    reads = referenced(tree)
    features = {name: columns[name].type for name in sorted(reads - scores.keys())}
    for name in features.keys() - policy.given.keys():
        raise InputError(
            f"--where: '{name}' is worked out while staging and not kept; put it into a signal of the policy, and ask "
            "for signal_<name> after the next scoring run"
        )
    for found in contradictions(tree, columns):
        if found.whole:
            raise InputError(
                f"--where: asks for {found.asked}, but {found.why}; so nobody can match. Correct the numbers or the "
                "signs; where one of both is enough, write OR"
            )
    return Condition(to_sql(tree), reads, features)


def chosen_columns(names: Sequence[str], policy: Policy) -> tuple[str, ...]:
    """The columns of a list, those of SHOWN for none. Raises InputError for an unknown one, or one named twice."""
    known = (*columns_of(policy), *(name for name in SCORE.names if name in NESTED))
    if not names:
        return tuple(name for name in SHOWN if name in known)
    for i, name in enumerate(names):
        if name not in known:
            close = get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean '{close[0]}'?" if close else f"known are: {', '.join(sorted(known))}"
            raise InputError(f"--columns: unknown column '{name}'; {hint}")
        if name in names[:i]:
            raise InputError(f"--columns: '{name}' stands twice; name it once")
    return tuple(names)


def stored(names: Sequence[str] | frozenset[str]) -> list[str]:
    """The columns of the score rows that `names` need."""
    signals = ["signals"] if any(name not in SCORE.names and name != STAKE for name in names) else []
    return list(dict.fromkeys([*(name for name in names if name in SCORE.names), *signals]))


def matches(
    condition: Condition, batch: pa.RecordBatch, stake: Floats, zone: str, features: pa.Table | None = None
) -> Bools:
    """bool[n]: the rows of a batch for which the condition is true; `stake` (NaN = unknown) and `features` are of the
    same rows.

    Raises InputError where the condition fails on a value.
    """
    block = {"customer_id": batch["customer_id"]}
    for name in condition.reads:
        if name == STAKE:
            block[name] = pa.array(stake, mask=np.isnan(stake))
        elif name in condition.features and features is not None:
            block[name] = features[name]
        elif name not in SCORE.names:
            block[name] = pa.array(signal_on(batch["signals"], name))
        elif SCORE.field(name).type == INSTANT:
            block[name] = _local(batch[name], zone)
        else:
            block[name] = batch[name]
    return holds(condition.sql, pa.table(block), "--where")


def _local(column: pa.Array, zone: str) -> pa.Array:
    """Instants as wall-clock time."""
    missing = pc.is_null(column).to_numpy(zero_copy_only=False)
    times = pc.fill_null(column.cast(pa.int64()), 0).to_numpy()
    return pa.array(to_local(times, zone), mask=missing).cast(LOCAL)


def best_first(
    rows: npt.NDArray[np.int64], stake: Floats, scores: pa.Table, top: int | None
) -> npt.NDArray[np.int64]:
    """The numbers in `rows` (of `scores`, ordered by customer_id), those with most at stake first, at most `top`.

    Equal ones by customer_id. Whose value at stake is unknown (they never bought, or the shop has no CLV model)
    comes after, by CLV and then by churn probability; where one amount is at stake with everybody, the likeliest to
    leave is first.
    """
    known = ~np.isnan(stake[rows])
    value = np.where(known, stake[rows], -np.inf)
    clv = np.nan_to_num(scores["clv"].to_numpy()[rows], nan=-np.inf)
    leaving = np.nan_to_num(scores["churn_probability"].to_numpy()[rows], nan=-np.inf)
    same = bool(known.any()) and bool((value[known] == value[known][0]).all())
    keys = (
        rows,
        -np.where(known & (not same), 0.0, leaving),
        -np.where(known, 0.0, clv),
        -value,
    )
    order: npt.NDArray[np.int64] = rows[np.lexsort(keys)]
    return order[:top]
