"""Intake where the rows lie on a cluster: what a worker process does with its partition.

A row is read as ours by the same SQL as on one machine, in an embedded engine of the worker's own; so it is the
same to the bit, whatever moves, groups and counts the rows between. What looks at
several rows of a customer, `write_part`, is given whole customers.
"""

import json
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from lifestage.intake.blocks import block_schema, stream_blocks
from lifestage.intake.checks import FILTERED, KEPT, MALFORMED
from lifestage.intake.engine import Engine
from lifestage.intake.history import writer_of
from lifestage.intake.orders import exact
from lifestage.intake.sources import Raw
from lifestage.intake.staging import judged
from lifestage.intake.tables import attributes_of, counted, number
from lifestage.schemas import CANONICAL
from lifestage.settings import Source

MALFORMED_LINE = "_lifestage_malformed"
"""Column of a line that does not read as a row, null elsewhere."""
ROWS = 200_000
"""Rows read at once: small batches would cost more planning than reading."""
EXACT = "_exact"
"""Column of the amount of a line as a decimal: sums of it are exact wherever they are made."""
TABLE = "_table"
"""Column that names the canonical table of a row, where rows of all tables travel together."""


def _engine(zone: str, memory: str) -> Engine:
    return Engine(zone, Path(tempfile.gettempdir()), memory=memory, threads=1)


@dataclass(frozen=True)
class RowReader:
    """Raw batches of one table -> canonical rows, each with its fate."""

    table: str
    source: Source
    origin: str
    raw: pa.Schema
    """The raw table's columns as they arrive."""
    zone: str
    memory: str
    extracted_at: int
    take: Literal["all", "rejected", "kept"] = "all"
    """Other than all: with `row`, the raw row as JSON text."""

    def schema(self) -> pa.Schema:
        """Of what is given back. Raises InputError where the mapping does not fit the raw columns."""
        empty = pa.Table.from_batches([], self.raw)
        return next(self._read(iter([empty]))).schema

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for rows in self._read(_joined(batches)):
            yield from rows.to_batches()

    def _read(self, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        with _engine(self.zone, self.memory) as engine:
            query: ir.Table | None = None
            for table in tables:
                lines = None
                rows = table
                if MALFORMED_LINE in table.column_names:
                    bad = table.column(MALFORMED_LINE).is_valid()
                    lines = table.column(MALFORMED_LINE).filter(bad)
                    rows = table.filter(pc.invert(bad)).drop_columns([MALFORMED_LINE])
                engine.borrow(f"raw_{self.table}", rows)
                if query is None:
                    query = self._query(engine)
                read = engine.read(query)
                if lines is not None and len(lines):
                    read = pa.concat_tables([read, self._malformed(lines, read.schema)])
                yield read

    def _query(self, engine: Engine) -> ir.Table:
        relation = f"raw_{self.table}"
        raw = Raw(relation, self.origin, engine.types(f"SELECT * FROM {relation}"))
        ours, _ = judged(engine, CANONICAL[self.table], self.source, raw, self.extracted_at)
        if self.source.grain == "line":
            amount = ibis.ifelse(ours["fate"] == KEPT, ours["amount"], ibis.null("float64"))
            ours = ours.mutate(**{EXACT: exact(amount)})
        if self.take == "all":
            return ours.drop("row")
        if self.take == "kept":
            return ours.filter(ours["fate"] == KEPT)
        return ours.filter(~ours["fate"].isin([KEPT, FILTERED]))

    def _malformed(self, lines: pa.ChunkedArray, schema: pa.Schema) -> pa.Table:
        found = lines if self.take != "kept" else lines.slice(0, 0)
        columns = [pa.nulls(len(found), field.type) for field in schema]
        columns[schema.get_field_index("fate")] = pa.repeat(MALFORMED, len(found))
        if "row" in schema.names:
            spelt = [
                json.dumps({"line": line.strip("\r\n"), "problem": MALFORMED}, ensure_ascii=False)
                for line in found.to_pylist()
            ]
            columns[schema.get_field_index("row")] = pa.array(spelt, pa.string())
        return pa.table(columns, schema=schema)


def _joined(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(len(b) for b in waiting) >= ROWS:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


@dataclass(frozen=True)
class Customers:
    """Kept rows of whole customers, all tables in one stream (`TABLE` says which) -> a part of the history."""

    columns: dict[str, list[str]]
    """Of each table's rows."""
    schema: pa.Schema
    """Of the stream."""
    zone: str
    memory: str
    as_of: int
    block_customers: int
    folder: str

    def write_part(self, batches: Iterable[pa.RecordBatch], index: int) -> dict[str, int]:
        """One file of the history, a row group a block; how many customers, purchases ... it holds.

        The file appears whole or not at all, and a second run of the same partition writes the same one.
        """
        path = Path(self.folder) / f"part-{index:06d}.parquet"
        draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        with _engine(self.zone, self.memory) as engine:
            engine.copy("partition", pa.RecordBatchReader.from_batches(self.schema, batches))
            rows = {name: self._rows(engine, name) for name in self.columns}
            numbered = number(engine, rows, self.as_of)
            figures = counted(engine, numbered)
            attributes = attributes_of(numbered)
            customers, size = figures["customers"], self.block_customers
            if customers:
                try:
                    with writer_of(draft, block_schema(attributes)) as writer:
                        for block in stream_blocks(engine, numbered, attributes, customers, size):
                            writer.write_batch(block, row_group_size=block.num_rows)
                    draft.replace(path)
                finally:
                    draft.unlink(missing_ok=True)
        return figures

    def _rows(self, engine: Engine, name: str) -> ir.Table:
        every: Any = engine.ibis.table("partition")
        rows = every.filter(every[TABLE] == ibis.literal(name)).select(*self.columns[name])
        if EXACT in self.columns[name]:
            rows = rows.mutate(amount=ibis.coalesce(rows["amount"], rows[EXACT].cast("float64"))).drop(EXACT)
        return rows
