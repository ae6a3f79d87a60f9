"""Two policies on the same customers: who would be elsewhere, what they are worth, what else would change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from lifestage.lifecycle import staging
from lifestage.lifecycle.blocks import Block
from lifestage.lifecycle.policy import Policy

COMPARED = ("stage", "tier", "segment", "risk", "action")
TOLD = ("clv", "churn_probability")
EXAMPLES = 3
BOTH = pa.schema(
    [
        pa.field("customer_id", pa.string(), nullable=False),
        ("clv", pa.float64()),  # currency
        ("churn_probability", pa.float64()),
        ("stored_stage", pa.string()),  # stored before both; null at first sight
        *((f"{side}_{name}", pa.string()) for name in COMPARED for side in ("old", "new")),
        ("reasons", pa.list_(pa.string())),  # of the new policy
    ]
)
"""One row per customer: the same columns and the same stored stage under the old and under the new policy."""


@dataclass(frozen=True, slots=True)
class Move:
    """Customers who are at `old` under the old policy and at `new` under the new one."""

    old: str | None
    new: str | None
    customers: int
    clv: float | None
    """Sum, currency; None where none of them has one."""
    churn: float | None
    """Mean probability of those who have one."""
    examples: tuple[str, ...]
    """The most valuable of them."""


@dataclass(frozen=True)
class Comparison:
    """What would change."""

    customers: int
    moved: int
    moved_clv: float | None
    total_clv: float | None
    stages: tuple[Move, ...]
    """Everybody by (old stage, new stage), movers first, the most valuable moves first."""
    others: Mapping[str, tuple[Move, ...]]
    """The same of tier, segment, risk and action: changes only."""
    unknown: Mapping[str, int]
    """Stored stages that the new policy lacks: their customers count as seen for the first time."""


def stage_both(
    policies: tuple[Policy, Policy],
    columns: Sequence[Block],
    as_of: int,
    previous: pa.Table | None,
) -> pa.Table:
    """One row per customer: BOTH. `policies` are old and new, `columns` what each reads, with TOLD, of the same ones.

    Raises InputError as staging.assign does.
    """
    sides = {
        side: staging.assign(policy, table, as_of, previous)
        for side, policy, table in zip(("old", "new"), policies, columns, strict=True)
    }
    found = {
        "customer_id": columns[0].column("customer_id"),
        **{name: columns[0].column(name) for name in TOLD},
        "stored_stage": sides["old"]["previous_stage"],
        "reasons": sides["new"]["reasons"],
        **{f"{side}_{name}": table[name] for side, table in sides.items() for name in COMPARED},
    }
    return pa.table({field.name: found[field.name].cast(field.type) for field in BOTH}, schema=BOTH)


def compare(both: pa.Table, new: Policy) -> Comparison:
    """What a table of BOTH comes to."""
    moves = _moves(both, "stage")
    movers = movers_of(both)
    known = {stage.name for stage in new.stages}
    stored = pc.value_counts(both["stored_stage"].combine_chunks()).to_pylist()
    unknown = {
        v["values"]: v["counts"] for v in stored if v["values"] is not None and v["values"] not in known
    }
    return Comparison(
        customers=len(both),
        moved=len(movers),
        moved_clv=pc.sum(movers["clv"]).as_py(),
        total_clv=pc.sum(both["clv"]).as_py(),
        stages=tuple(sorted(moves, key=lambda m: (m.old == m.new, -(m.clv or 0), -m.customers))),
        others={
            name: tuple(m for m in _moves(both, name) if m.old != m.new)
            for name in COMPARED
            if name != "stage"
        },
        unknown=dict(sorted(unknown.items())),
    )


def movers_of(both: pa.Table) -> pa.Table:
    """The rows whose stage differs, the most valuable first."""
    movers = both.filter(pc.not_equal(both["old_stage"], both["new_stage"]))
    return movers.sort_by([("clv", "descending"), ("customer_id", "ascending")])


def _moves(both: pa.Table, name: str) -> list[Move]:
    keys = [f"old_{name}", f"new_{name}"]
    ordered = both.select([*keys, "clv", "churn_probability", "customer_id"]).sort_by(
        [("clv", "descending"), ("customer_id", "ascending")]
    )
    grouped = ordered.group_by(keys, use_threads=False).aggregate(
        [("clv", "sum"), ("churn_probability", "mean"), ([], "count_all")]
    )
    found = []
    for row in grouped.to_pylist():
        old, new = (row[key] for key in keys)
        here = pc.and_(_same(ordered[keys[0]], old), _same(ordered[keys[1]], new))
        found.append(
            Move(
                old=old,
                new=new,
                customers=row["count_all"],
                clv=row["clv_sum"],
                churn=row["churn_probability_mean"],
                examples=_first(ordered["customer_id"].filter(here)),
            )
        )
    return sorted(found, key=lambda move: -move.customers)


def _same(column: pa.ChunkedArray, value: str | None) -> pa.ChunkedArray:
    return pc.is_null(column) if value is None else pc.fill_null(pc.equal(column, value), False)


def _first(ids: pa.ChunkedArray) -> tuple[str, ...]:
    return tuple(ids.slice(0, EXAMPLES).to_pylist())


def flows(comparison: Comparison) -> dict[tuple[str, str], int]:
    """(old stage, new stage) -> customers."""
    return {(str(move.old), str(move.new)): move.customers for move in comparison.stages}


def staying(moves: Sequence[Move]) -> int:
    """Customers whom nothing moves."""
    return sum(move.customers for move in moves if move.old == move.new)
