"""The intake on Spark: raw tables to a history in parts of whole customers, written by the workers.

The steps are those of `intake.tables`. Each row is read as ours in the partition where it lies
(`partitions.RowReader`); counts, repeated ids and the as_of are Spark SQL over those rows; then rows are moved
into ranges of customers, and each range becomes one part of the history (`partitions.Customers`). No row is
collected: the driver sees counts.
"""

import json
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lifestage.engines.spark import Spark, spoken
from lifestage.engines.spark_quarantine import write_quarantine
from lifestage.engines.spark_rows import RAW_ROW, Judged, before, column, disk, mapped
from lifestage.engines.spark_sources import open_frame
from lifestage.history_file import FACTS
from lifestage.intake import scope
from lifestage.intake.blocks import block_schema
from lifestage.intake.checks import KEPT
from lifestage.intake.engine import Engine
from lifestage.intake.history import Fingerprint
from lifestage.intake.mapping import attributes, columns_read
from lifestage.intake.partitions import EXACT, MALFORMED_LINE, TABLE, Customers, RowReader
from lifestage.intake.quarantine import check_share
from lifestage.intake.scope import Scope
from lifestage.intake.sources import Raw
from lifestage.intake.staging import no_rows
from lifestage.intake.tables import spelt
from lifestage.schemas import CANONICAL
from lifestage.settings import Shop, Source


def write_history(shop: Shop, extracted_at: int, as_of: int | None, path: Path) -> None:
    """Read, check and link a shop's tables; write the history to the folder `path` and the quarantine.

    Raises InputError as `intake.open_tables` does.
    """
    spark = Spark(shop.engine_options)
    known_as_of = scope.asked_as_of(shop, extracted_at, as_of)
    asked = as_of is not None or shop.as_of not in ("data_end", "now")
    shop.output.mkdir(parents=True, exist_ok=True)
    session = spark.session
    try:
        with spoken():
            tables = {
                name: _judge(session, shop, name, source, extracted_at)
                for name, source in shop.sources.given.items()
            }
            tables["transactions"] = _unique_orders(shop, tables["transactions"])
            orders = _orders(shop, tables["transactions"], known_as_of)
            span = _span(shop, orders, known_as_of, asked=asked)
            bound = span.as_of if span else known_as_of
            if "customers" in tables:
                tables["customers"] = _one_profile_each(tables["customers"], bound)
            quarantine = shop.output / "quarantine.parquet"
            accounts = write_quarantine(list(tables.values()), bound, asked=asked, path=quarantine)
            check_share(accounts, shop.intake.max_reject_share, quarantine)
            if span is None:
                raise scope.no_purchase(tables["transactions"].origin, known_as_of, shop.timezone)
            _write(shop, spark, tables=tables, orders=orders, span=span, accounts=accounts, path=path)
    finally:
        session.catalog.clearCache()


def _judge(session: Any, shop: Shop, name: str, source: Source, extracted_at: int) -> Judged:
    frame, origin = open_frame(session, name, source)
    schema = frame.limit(0).toArrow().schema
    table = CANONICAL[name]
    with Engine(shop.timezone, shop.output) as engine:  # of the driver: judges the mapping, reads nothing
        lines = [n for n in schema.names if n == MALFORMED_LINE]
        engine.borrow("raw", pa.Table.from_batches([], pa.schema([f for f in schema if f.name not in lines])))
        raw = Raw("raw", origin, engine.types("SELECT * FROM raw"))
        extra = attributes(table, source) if name == "customers" else []
        read = [*columns_read(table, source, raw), *lines]
    reader = RowReader(
        name,
        source,
        origin,
        pa.schema([schema.field(n) for n in read]),
        shop.timezone,
        shop.engine_options.worker_memory,
        extracted_at,
    )
    rows = mapped(frame.select(*(column(n) for n in read)), reader, reader.schema())
    rows = rows.persist(disk())
    if not rows.take(1):
        raise no_rows(name, origin)
    return Judged(name, origin, frame, schema, reader, rows, extra)


def _ranked(rows: Any, key: str, order: list[str]) -> Any:
    from pyspark.sql import Window
    from pyspark.sql import functions as sql

    window = Window.partitionBy(key).orderBy(*(sql.asc_nulls_last(column(c)) for c in (*order, RAW_ROW)))
    return rows.withColumn("rank", sql.row_number().over(window)).persist(disk())


def _unique_orders(shop: Shop, table: Judged) -> Judged:
    """Of purchases that repeat an order_id the first stays; refunds may carry the id of their purchase."""
    source = shop.sources.transactions
    if source.grain == "line" or "order_id" not in source.columns:
        return table

    def named(rows: Any) -> Any:
        return rows.filter((rows["fate"] == KEPT) & (rows["amount"] >= 0) & rows["order_id"].isNotNull())

    return _without(table, named, "order_id", ["t", "amount", "customer_id"])


def _one_profile_each(table: Judged, as_of: int | None) -> Judged:
    def known(rows: Any) -> Any:
        return before(rows.filter(rows["fate"] == KEPT), as_of, timeless=True)

    order = ["t", "acquisition_channel", "acquisition_cost", *table.extra]
    return _without(table, known, "customer_id", order)


def _without(table: Judged, among: Any, key: str, order: list[str]) -> Judged:
    twice = among(table.rows).groupBy(key).count().filter("count > 1").select(key).persist(disk())
    if not twice.take(1):
        return table
    again = among(table.with_raw("kept")).join(twice, key, "left_semi")
    return replace(table, repeats=_ranked(again, key, order), repeats_reason=f"repeated {key}")


def _kept_once(table: Judged, key: str) -> Any:
    """Kept rows, of repeated ids only the one to keep."""
    kept = table.kept
    if table.repeats is None:
        return kept
    stays = table.repeats.filter("rank = 1").select(*map(column, kept.columns))
    if key == "order_id":
        named = (kept["amount"] >= 0) & kept["order_id"].isNotNull()
        others = kept.filter(~named)
        return others.unionByName(_not_in(kept.filter(named), table.repeats, key)).unionByName(stays)
    return _not_in(kept, table.repeats, key).unionByName(stays)


def _not_in(rows: Any, ranked: Any, key: str) -> Any:
    return rows.join(ranked.select(key).distinct(), key, "left_anti")


def _orders(shop: Shop, table: Judged, as_of: int | None) -> Any:
    """One row per order: customer_id, t, order_id, and `amount`, or for several lines their exact sum."""
    from pyspark.sql import functions as sql

    if shop.sources.transactions.grain == "order":
        return _kept_once(table, "order_id")
    several = sql.count("*") > 1
    return (
        before(table.kept, as_of)
        .groupBy("customer_id", "order_id", "local_day")
        .agg(
            sql.min("t").alias("t"),
            sql.when(~several, sql.min("amount")).alias("amount"),
            sql.when(several, sql.sum(EXACT)).alias(EXACT),
        )
        .drop("local_day")
        .persist(disk())
    )


def _span(shop: Shop, orders: Any, as_of: int | None, *, asked: bool) -> Scope | None:
    bought = before(orders, as_of).filter(
        f"coalesce(amount, {EXACT}) >= 0" if EXACT in orders.columns else "amount >= 0"
    )
    (ends,) = bought.agg({"t": "min"}).crossJoin(bought.agg({"t": "max"})).collect()
    return scope.of_purchases(shop, ends[0], ends[1], as_of, asked=asked)


def _write(
    shop: Shop,
    spark: Spark,
    *,
    tables: dict[str, Judged],
    orders: Any,
    span: Scope,
    accounts: dict[str, Any],
    path: Path,
) -> None:
    """Rows into ranges of customers, each range into one part; then the folder takes its name."""
    from pyspark.sql import functions as sql

    frames = {"transactions": before(orders, span.as_of)}
    for name in ("events", "feedback"):
        if name in tables:
            frames[name] = before(tables[name].kept, span.as_of)
    if "customers" in tables:
        profiles = _kept_once(tables["customers"], "customer_id")
        frames["customers"] = before(profiles, span.as_of, timeless=True)
    together = None
    for name, frame in frames.items():
        tagged = frame.withColumn(TABLE, sql.lit(name))
        together = tagged if together is None else together.unionByName(tagged, allowMissingColumns=True)
    assert together is not None
    ranges = together.repartitionByRange(spark.partitions, "customer_id")
    draft = path.resolve().with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    draft.mkdir()
    try:
        customers = Customers(
            {name: frame.columns for name, frame in frames.items()},
            ranges.limit(0).toArrow().schema,
            shop.timezone,
            shop.engine_options.worker_memory,
            span.as_of,
            shop.scoring.block_customers,
            str(draft),
        )
        figures: Counter[str] = Counter()
        for row in ranges.mapInArrow(_Part(customers), "figures string").collect():
            figures.update(json.loads(row["figures"]))
        attributes = {
            field.name: field.type
            for table in tables.values()
            for field in table.reader.schema()
            if field.name in table.extra
        }
        (found,) = spark.map(partial(_fingerprint, attributes), [str(draft)])
        facts = {
            "as_of": span.as_of,
            "observed_until": span.observed_until,
            "first_purchase": span.first_purchase,
            "timezone": shop.timezone,
            "currency": shop.currency,
            "customers": figures["customers"],
            "report": {"tables": accounts, **figures, **spelt(span, shop.timezone)},
            "fingerprint": found.column("fingerprint")[0].as_py(),
        }
        (draft / FACTS).write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")
        remove(path)
        draft.rename(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def remove(path: Path) -> None:
    """A file or folder of an earlier run, of whatever engine."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


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
