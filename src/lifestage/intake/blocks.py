"""Blocks of whole customers, streamed: memory holds a block, however many customers there are.

Each kind of row is one stream ordered by customer number and time; a block takes from every stream the rows of
its customers. Numbers, not texts, are sorted and cut at: that is several times faster.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from lifestage.intake.engine import Engine
from lifestage.schemas import HISTORY, INSTANT, PROFILE, RAGGED

TIES: dict[str, list[str]] = {
    "purchases": ["order_id", "amount", "category", "channel", "discount"],
    "refunds": ["order_id", "amount", "order_at"],
    "events": ["event_type", "session_id"],
    "feedback": ["kind", "score", "resolved_at"],
    "subscriptions": ["ended_at", "plan", "monthly_price"],
    "labels": ["churned"],
}
"""What orders rows of one customer and instant; empty values last."""


@dataclass(frozen=True)
class Numbered:
    """Customers (customer_id, k = 0, 1, ... in the order of the ids, profile columns), rows of each kind by k."""

    profile: ir.Table
    kinds: Mapping[str, ir.Table]


def stream_blocks(
    engine: Engine, numbered: Numbered, attributes: Mapping[str, pa.DataType], customers: int, size: int
) -> Iterator[pa.RecordBatch]:
    """`size` customers a block, the last one fewer, in the order of customer_id."""
    schema = block_schema(attributes)
    streams = {
        kind: _Stream(engine.stream(_ordered(engine, rows, kind).select("k", *_children(kind))))
        for kind, rows in numbered.kinds.items()
    }
    profile = numbered.profile
    present = [name for name in ("customer_id", *PROFILE, *attributes) if name in profile.columns]
    people = _Stream(engine.stream(profile.select("k", *present).order_by("k")))
    for low in range(0, customers, size):
        high = min(low + size, customers)
        described = people.take(high)
        columns: dict[str, pa.Array] = {name: described.column(name) for name in present}
        for kind, stream in streams.items():
            columns[kind] = _lists(stream.take(high), kind, low, high)
        yield pa.RecordBatch.from_arrays(
            [_column(columns, field, high - low) for field in schema],
            schema=schema,
        )


def block_schema(attributes: Mapping[str, pa.DataType]) -> pa.Schema:
    """HISTORY, then the shop's own attributes."""
    return pa.schema([*HISTORY, *(pa.field(name, kind) for name, kind in attributes.items())])


def _children(kind: str) -> list[str]:
    return [field.name for field in RAGGED[kind]]


def _ordered(engine: Engine, rows: ir.Table, kind: str) -> ir.Table:
    """Rows by customer, time and what breaks ties. Ties are rare, so only they are sorted by text."""
    tied = engine.keep(f"tied_{kind}", rows.group_by(["k", "t"]).having(rows.count() > 1).agg())
    if not engine.count(tied):
        return rows.order_by(["k", "t"])
    among = rows.semi_join(tied, ["k", "t"])
    keys = [among[column].asc(nulls_first=False) for column in TIES[kind]]
    ranked = among.mutate(rank=ibis.row_number().over(group_by=["k", "t"], order_by=keys))
    alone = rows.anti_join(tied, ["k", "t"]).mutate(rank=ibis.literal(0, "int64"))
    return alone.union(ranked).order_by(["k", "t", "rank"])


class _Stream:
    """A stream of batches ordered by `k`, taken customer by customer."""

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self._reader = reader
        self._rest: pa.RecordBatch | None = None

    def take(self, high: int) -> pa.RecordBatch:
        """The rows with k < high that were not taken yet."""
        parts: list[pa.RecordBatch] = []
        while (batch := self._rest or next(self._reader, None)) is not None:
            self._rest = None
            cut = int(np.searchsorted(batch.column("k").to_numpy(), high))
            parts.append(batch.slice(0, cut))
            if cut < batch.num_rows:
                self._rest = batch.slice(cut)
                break
        if not parts:
            return pa.RecordBatch.from_pylist([], schema=self._reader.schema)
        return pa.concat_batches(parts)


def _lists(rows: pa.RecordBatch, kind: str, low: int, high: int) -> pa.Array:
    """One list per customer low, low + 1, ... high - 1."""
    counts = np.bincount(rows.column("k").to_numpy() - low, minlength=high - low)
    offsets = np.zeros(high - low + 1, np.int32)
    np.cumsum(counts, out=offsets[1:])
    fields = list(RAGGED[kind])
    children = [_as(rows.column(field.name), field.type) for field in fields]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(children, fields=fields))


def _column(columns: Mapping[str, pa.Array], field: pa.Field, rows: int) -> pa.Array:
    if field.name in columns:
        return _as(columns[field.name], field.type)
    if field.name in RAGGED:
        empty = pa.array([], field.type.value_type)
        return pa.ListArray.from_arrays(pa.array(np.zeros(rows + 1, np.int32)), empty, type=field.type)
    return pa.nulls(rows, field.type)


def _as(column: pa.Array, type_: pa.DataType) -> pa.Array:
    return column.view(type_) if type_ == INSTANT and column.type == pa.int64() else column.cast(type_)
