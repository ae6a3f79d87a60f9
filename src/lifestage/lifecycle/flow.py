"""Counts of customers by stage and of their moves between stages: what a summary draws."""

from collections.abc import Mapping
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from lifestage.lifecycle.policy import NEW


def transitions(before: pa.Table, after: pa.Table) -> pa.Table:
    """One row per pair (from_stage, to_stage) that occurs: `customers`, those who went that way or stayed.

    Both tables hold customer_id and stage, one row a customer. A customer of `after` whom `before` does not
    hold, or holds without a stage, comes from "new". Customers of `before` only are left out: a
    customer once known stays known, so there are none unless the tables are of different shops.
    Ordered by from_stage and to_stage.
    """
    at = pc.index_in(after["customer_id"], value_set=_column(before, "customer_id"))
    origin = pc.fill_null(_column(before, "stage").take(at), NEW)
    pairs = pa.table({"from_stage": origin, "to_stage": _column(after, "stage")})
    counted = pairs.group_by(["from_stage", "to_stage"]).aggregate([([], "count_all")])
    return _counts(counted, ["from_stage", "to_stage"])


def flow(frames: Mapping[date, pa.Table]) -> pa.Table:
    """One row per date and stage that occurs: `customers`. Ordered by date and stage.

    Each frame holds a column stage, one row a customer.
    """
    parts = []
    for day in sorted(frames):
        stage = _column(frames[day], "stage")
        days = pa.array([day] * len(stage), pa.date32())
        counted = pa.table({"date": days, "stage": stage}).group_by(["date", "stage"])
        parts.append(_counts(counted.aggregate([([], "count_all")]), ["date", "stage"]))
    if not parts:
        return pa.schema(
            [("date", pa.date32()), ("stage", pa.string()), ("customers", pa.int64())]
        ).empty_table()
    return pa.concat_tables(parts)


def _column(table: pa.Table, name: str) -> pa.Array:
    """A column as one plain text array, whatever chunks or dictionary it came in."""
    return table[name].cast(pa.string()).combine_chunks()


def _counts(counted: pa.Table, keys: list[str]) -> pa.Table:
    table = counted.rename_columns([*keys, "customers"])
    return table.sort_by([(key, "ascending") for key in keys])
