"""Intake where the rows lie on a cluster: what a worker process does with its partition.

A row is read as ours by the same SQL as on one machine, in an embedded engine of the worker's own; so it is the
same to the bit, whatever moves, groups and counts the rows between. What computes with several rows of a customer
(`Lines`, `Customers`) is given whole customers.
"""

import json
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from lifestage.errors import InputError
from lifestage.intake.blocks import block_schema, stream_blocks
from lifestage.intake.checks import MALFORMED
from lifestage.intake.engine import DuckDB
from lifestage.intake.history import writer_of
from lifestage.intake.identities import HIDDEN, HIDDEN_FROM
from lifestage.intake.numbering import attributes_of, number
from lifestage.intake.orders import sum_lines
from lifestage.intake.sources import Raw
from lifestage.intake.staging import judged
from lifestage.privacy import hasher
from lifestage.schemas import CANONICAL
from lifestage.settings import Source

MALFORMED_LINE = "_lifestage_malformed"
"""Column of a line that does not read as a row, null elsewhere."""
ROWS = 200_000
"""Rows read at once: small batches would cost more planning than reading."""
TABLE = "_table"
"""Column that names the canonical table of a row, where rows of all tables travel together."""
Worker = tuple[str, str]
"""The shop's timezone, and what a worker process may hold in memory."""


def _engine(worker: Worker) -> DuckDB:
    zone, memory = worker
    return DuckDB(zone, Path(tempfile.gettempdir()), memory=memory, threads=1)


@dataclass(frozen=True)
class RowReader:
    """Raw batches of one table -> canonical rows, each with its fate."""

    table: str
    source: Source
    origin: str
    raw: pa.Schema
    """The raw table's columns as they arrive."""
    worker: Worker
    extracted_at: int
    with_row: bool
    """With `row`, the raw row as JSON text."""

    def schema(self) -> pa.Schema:
        """Of what is given back. Raises InputError where the mapping does not fit the raw columns."""
        return next(self._read(iter([self.raw.empty_table()]))).schema

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for rows in self._read(_joined(batches)):
            yield from rows.to_batches()

    def _read(self, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        with _engine(self.worker) as engine:
            query: ir.Table | None = None
            for table in tables:
                lines = None
                rows = table
                if MALFORMED_LINE in table.column_names:
                    bad = table.column(MALFORMED_LINE).is_valid()
                    lines = table.column(MALFORMED_LINE).filter(bad)
                    rows = table.filter(pc.invert(bad)).drop_columns([MALFORMED_LINE])
                engine.borrow(f"raw_{self.table}", rows)
                try:
                    if query is None:
                        query = self._query(engine)
                    read = engine.read(query)
                except duckdb.Error as error:
                    reason = str(error).splitlines()[0]
                    raise InputError(f"{self.table}: {self.origin} cannot be read: {reason}") from None
                if lines is not None and len(lines):
                    read = pa.concat_tables([read, _malformed(lines, read.schema)])
                yield read

    def _query(self, engine: DuckDB) -> ir.Table:
        relation = f"raw_{self.table}"
        raw = Raw(relation, self.origin, engine.types(f"SELECT * FROM {relation}"))
        ours, _ = judged(engine, CANONICAL[self.table], self.source, raw, self.extracted_at)
        return ours if self.with_row else ours.drop("row")


def _malformed(lines: pa.ChunkedArray, schema: pa.Schema) -> pa.Table:
    columns = [pa.nulls(len(lines), field.type) for field in schema]
    columns[schema.get_field_index("fate")] = pa.repeat(MALFORMED, len(lines))
    if "row" in schema.names:
        spelt = [
            json.dumps({"line": line.strip("\r\n"), "problem": MALFORMED}, ensure_ascii=False)
            for line in lines.to_pylist()
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
class Lines:
    """Order lines of whole customers -> their orders."""

    lines: pa.Schema
    mapped: tuple[str, ...]
    """The columns that the shop has."""
    worker: Worker

    def schema(self) -> pa.Schema:
        """Of the orders."""
        with _engine(self.worker) as engine:
            return self._sum(engine, []).schema

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with _engine(self.worker) as engine:
            yield from self._sum(engine, batches)

    def _sum(self, engine: DuckDB, batches: Iterable[pa.RecordBatch]) -> pa.RecordBatchReader:
        engine.copy("lines", pa.RecordBatchReader.from_batches(self.lines, batches))
        return engine.stream(sum_lines(engine.table("lines"), self.mapped))


@dataclass(frozen=True)
class HashedIds:
    """Rows of one table -> the same rows, customer_id hashed."""

    key: str = field(repr=False)
    """Sent to the workers with the task; never written into the plan."""

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        hashed = hasher(self.key)
        for batch in batches:
            coded = batch.column("customer_id").dictionary_encode()
            ids = pa.array(hashed(coded.dictionary.to_pylist()), pa.string()).take(coded.indices)
            names = batch.schema.names
            columns = dict(zip(names, batch.columns, strict=True)) | {"customer_id": ids}
            for name in HIDDEN:
                if name in columns:
                    columns[name] = _hidden(columns[name], batch.column("customer_id"), ids)
            yield pa.RecordBatch.from_arrays([columns[name] for name in names], schema=batch.schema)


def _hidden(texts: pa.Array, own: pa.Array, hashed: pa.Array) -> pa.Array:
    """As `identities.hide_ids`."""
    rows = zip(texts.to_pylist(), own.to_pylist(), hashed.to_pylist(), strict=True)
    hidden = [t.replace(c, h) if t and len(c) >= HIDDEN_FROM and c in t else t for t, c, h in rows]
    return pa.array(hidden, texts.type)


@dataclass(frozen=True)
class Customers:
    """Usable rows of whole customers, all tables in one stream (`TABLE` says which) -> a part of the history."""

    columns: dict[str, tuple[str, ...]]
    """Of each table's rows."""
    schema: pa.Schema
    """Of the stream."""
    worker: Worker
    as_of: int
    block_customers: int
    folder: str

    def write_part(self, batches: Iterable[pa.RecordBatch], index: int) -> dict[str, int]:
        """One file of the history, a row group a block; how many customers, purchases ... it holds.

        The file appears whole or not at all, and a second run of the same partition writes the same one.
        """
        path = Path(self.folder) / f"part-{index:06d}.parquet"
        draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        with _engine(self.worker) as engine:
            engine.copy("partition", pa.RecordBatchReader.from_batches(self.schema, batches))
            rows = {name: self._rows(engine, name) for name in self.columns}
            numbered, figures = number(engine, rows, self.as_of)
            attributes = attributes_of(numbered.profile)
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

    def _rows(self, engine: DuckDB, name: str) -> ir.Table:
        every: Any = engine.table("partition")
        return every.filter(every[TABLE] == ibis.literal(name)).select(*self.columns[name])
