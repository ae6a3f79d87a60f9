"""The intake on Spark: raw tables to a history in parts of whole customers, written by the workers.

Each row is read as ours in the partition where it lies (`partitions.RowReader`); the steps that look at several
customers are those of `intake.cleaning`, as Spark SQL; then rows are moved into ranges of customers, and each range
becomes one part of the history (`partitions.Customers`). The driver sees counts, aliases and rejected rows.
"""

import json
import shutil
import uuid
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from lifestage.engines.spark import Spark, spoken
from lifestage.engines.spark_engine import SparkEngine, column, mapped
from lifestage.engines.spark_sources import open_frame
from lifestage.history_file import FACTS
from lifestage.intake.blocks import block_schema
from lifestage.intake.cleaning import Cleaned, clean
from lifestage.intake.engine import DuckDB
from lifestage.intake.history import Fingerprint
from lifestage.intake.mapping import attributes, columns_read
from lifestage.intake.numbering import attributes_of
from lifestage.intake.partitions import MALFORMED_LINE, TABLE, Customers, HashedIds, Lines, RowReader
from lifestage.intake.sources import Raw
from lifestage.intake.staging import Staged, filled
from lifestage.schemas import Table
from lifestage.settings import Shop, Source


def write_history(shop: Shop, extracted_at: int, as_of: int | None, path: Path) -> None:
    """Read, check and link a shop's tables; write the history to the folder `path` and the quarantine.

    Raises InputError as `intake.open_tables` does.
    """
    spark = Spark(shop.engine_options)
    shop.output.mkdir(parents=True, exist_ok=True)
    session = spark.session
    with spoken(), SparkEngine(session, shop.output) as engine:

        def staged(table: Table, source: Source) -> Staged:
            return _stage(engine, shop, table, source, extracted_at)

        def sum_lines(lines: ir.Table, columns: Collection[str]) -> ir.Table:
            frame = engine.frame(lines)
            work = Lines(lines.schema().to_pyarrow(), tuple(columns), _worker(shop))
            whole = frame.repartition(spark.partitions, "customer_id")
            named = engine.name("summed", mapped(whole, work, work.schema()))
            return engine.keep("orders", named)

        cleaned = clean(engine, shop, extracted_at, as_of, stage=staged, sum_lines=sum_lines)
        _write(engine, shop, spark, cleaned, path)


def _worker(shop: Shop) -> tuple[str, str]:
    return shop.timezone, shop.engine_options.worker_memory


def _stage(engine: SparkEngine, shop: Shop, table: Table, source: Source, extracted_at: int) -> Staged:
    """As `staging.stage`, each row read in the partition where it lies."""
    frame, origin = open_frame(engine.session, table.name, source)
    schema = frame.limit(0).toArrow().schema
    lines = [n for n in schema.names if n == MALFORMED_LINE]
    with DuckDB(shop.timezone, shop.output) as local:  # judges the mapping, reads nothing
        local.borrow("raw", pa.Table.from_batches([], pa.schema([f for f in schema if f.name not in lines])))
        raw = Raw("raw", origin, local.types("SELECT * FROM raw"))
        extra = attributes(table, source) if table.name == "customers" else []
        needed = [*columns_read(table, source, raw), *lines]

    def read(name: str, columns: list[str], *, with_row: bool) -> ir.Table:
        given = pa.schema([schema.field(n) for n in columns])
        reader = RowReader(table.name, source, origin, given, _worker(shop), extracted_at, with_row)
        picked = frame.select(*map(column, columns))
        return engine.name(f"{name}_{table.name}", mapped(picked, reader, reader.schema()))

    rows = engine.keep(f"rows_{table.name}", read("judged", needed, with_row=False))
    return filled(engine, Staged(table, raw, rows, read("read", schema.names, with_row=True), extra))


def _write(engine: SparkEngine, shop: Shop, spark: Spark, cleaned: Cleaned, path: Path) -> None:
    """Rows into ranges of customers, each range into one part; then the folder takes its name."""
    from pyspark.sql import functions as sql

    together = None
    for name, table in cleaned.rows.items():
        rows = engine.frame(table)
        if cleaned.privacy.key is not None:
            rows = mapped(rows, HashedIds(cleaned.privacy.key), table.schema().to_pyarrow())
        tagged = rows.withColumn(TABLE, sql.lit(name))
        together = tagged if together is None else together.unionByName(tagged, allowMissingColumns=True)
    assert together is not None
    ranges = together.repartitionByRange(spark.partitions, "customer_id")
    draft = path.resolve().with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    draft.mkdir()
    try:
        customers = Customers(
            {name: table.columns for name, table in cleaned.rows.items()},
            ranges.limit(0).toArrow().schema,
            _worker(shop),
            cleaned.span.as_of,
            shop.scoring.block_customers,
            str(draft),
        )
        figures: Counter[str] = Counter()
        for row in ranges.mapInArrow(_Part(customers), "figures string").collect():
            figures.update(json.loads(row["figures"]))
        own: dict[str, pa.DataType] = {}
        if "customers" in cleaned.rows:
            own = attributes_of(cleaned.rows["customers"].select(cleaned.staged["customers"].extra))
        (found,) = spark.map(partial(_fingerprint, own), [str(draft)])
        facts = {
            **cleaned.facts(shop, figures),
            "fingerprint": found.column("fingerprint")[0].as_py(),
        }
        (draft / FACTS).write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)  # of another engine
        draft.rename(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@dataclass(frozen=True)
class _Part:
    customers: Customers

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext

        context: Any = TaskContext.get()
        figures = self.customers.write_part(batches, context.partitionId())
        yield pa.RecordBatch.from_pydict({"figures": [json.dumps(figures)]})


def _fingerprint(attributes: dict[str, pa.DataType], folder: str) -> pa.Table:
    """That of the whole history, in one stream: it is the same as of a history made on one machine."""
    fingerprint = Fingerprint(block_schema(attributes))
    for file in sorted(Path(folder).glob("part-*.parquet")):
        with pq.ParquetFile(file) as part:
            for group in range(part.num_row_groups):
                for batch in part.read_row_group(group).to_batches():
                    fingerprint.add(batch)
    return pa.table({"fingerprint": [fingerprint.hexdigest()]})
