"""All families of a simulated shop's features: customers with text ids, purchases, events, feedback, profile.

Measured in processes of their own, so that each peak memory is its own: `ours` (intake and features), `theirs`
(the same features in SQL over the same rows, see shop_sql), `few` (one request, a thousand customers).
"""

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lifestage import features, settings
from lifestage.datasets.simulated import World
from lifestage.datasets.simulated_files import simulate
from lifestage.features import FeatureSpec
from lifestage.features.behaviour import OWN, TOTALS
from lifestage.history import History
from lifestage.history_file import HistoryFile
from lifestage.intake import Intake, open_tables, write_history
from lifestage.localtime import DAY, HOUR
from lifestage.online import history_from_records
from tests.benchmarks.clock import LATE, peak_megabytes, purchases_sql, timed
from tests.benchmarks.shop_sql import FAMILIES, unfollowed
from tests.benchmarks.shop_sql import TABLES as HELD

WORLD = World(alpha=20.0, a=0.12)
"""Ten purchases and some thirty events a customer."""
CUTOFF = WORLD.end_t - 30 * DAY
TYPES = ("login", "view", "cart", "support")
TABLES = {
    "transactions": ("ordered_at", "amount", "order_id", "category", "channel", "discount"),
    "events": ("occurred_at", "event_type", "session_id", "channel"),
    "customers": ("signed_up_at", "acquisition_channel", "acquisition_cost", "region", "age_band", "device"),
    "feedback": ("submitted_at", "kind", "score", "resolved_at"),
}


def make(folder: Path, customers: int) -> dict[str, int]:
    """The tables as Parquet; rows of each."""
    return simulate(folder / "raw", customers, 7, WORLD)


def shop_of(folder: Path) -> settings.Shop:
    sources = {
        name: {"path": str(folder / "raw" / f"{name}.parquet"), "columns": {c: c for c in ("customer_id", *columns)}}
        for name, columns in TABLES.items()
    }  # fmt: skip
    document = {"shop": "bench", "timezone": WORLD.timezone, "currency": "CNY", "sources": sources,
                "output_dir": str(folder / "out"), "features": {"funnel": ["view", "cart"]}}  # fmt: skip
    return settings.parse(document, "bench")


def boundaries(intake: Intake) -> tuple[float, float]:
    """Seconds of sorting the events by customer and time, and of finding where each customer's rows end."""
    rows = intake.numbered.kinds["events"]
    started = time.perf_counter()
    batches = [b.column("k") for b in intake.engine.stream(rows.select("k", "t").order_by(["k", "t"]))]
    sort = time.perf_counter() - started
    started = time.perf_counter()
    counts = np.zeros(intake.customers, np.int64)
    for k in batches:
        first = int(k[0].as_py())
        found = np.bincount(k.to_numpy() - first)
        counts[first : first + len(found)] += found
    counts.cumsum()
    return sort, time.perf_counter() - started


def ours(folder: Path) -> dict[str, float]:
    """Seconds of intake, of a sort alone, of boundaries and of learning the features; peak memory in MB."""
    shop = shop_of(folder)
    opening, intake = timed(lambda: open_tables(shop, LATE, WORLD.end_t))
    writing, _ = timed(lambda: write_history(intake, folder / "history", shop.scoring.block_customers, None))
    peak_intake = peak_megabytes()
    sort, bounds = boundaries(intake)
    intake.close()
    learning, spec = timed(lambda: features.learn(HistoryFile(folder / "history"), CUTOFF, shop.features))
    (folder / "spec.json").write_bytes(spec.to_json())
    return {"read": opening, "write": writing, "sort": sort, "bounds": bounds, "learn": learning,
            "peak": peak_intake, "features": len(features.names(spec))}  # fmt: skip


def cutoffs(folder: Path) -> dict[str, float]:
    """Seconds of a first cutoff with reading and of a further one with the block held; peak memory in MB."""
    history, spec = HistoryFile(folder / "history"), spec_of(folder)
    first = further = 0.0
    started = time.perf_counter()
    for block in history:
        features.compute(block.before(CUTOFF), spec)
        first += time.perf_counter() - started
        started = time.perf_counter()
        features.compute(block.before(CUTOFF - 30 * DAY), spec)
        further += time.perf_counter() - started
        started = time.perf_counter()
    peak = peak_megabytes()
    return {"first": first, "further": further, "peak": peak}


def spec_of(folder: Path) -> FeatureSpec:
    return FeatureSpec.from_json((folder / "spec.json").read_bytes(), "bench")


def behaviour_sql(cutoff: int) -> str:
    """Counts by window and type, ages of the last events, active days, as an analyst writes them."""

    def since(days: int, t: str = "t") -> str:
        return f"{t} >= {cutoff - days * DAY}"

    counts = [f"count(*) FILTER ({since(w)}) AS events_{w}d" for w in TOTALS]
    for kind in TYPES:
        counts += [f"count(*) FILTER ({since(w)} AND kind = '{kind}') AS event_{kind}_{w}d" for w in OWN]
        counts.append(
            f"2 * count(*) FILTER ({since(30)} AND kind = '{kind}') - count(*) FILTER ({since(60)} AND "
            f"kind = '{kind}') AS event_{kind}_change_30d"
        )
        counts.append(f"({cutoff} - max(t) FILTER (kind = '{kind}')) / {DAY} AS days_since_event_{kind}")
    active = [f"count(*) FILTER ({since(w, 'last')}) AS active_days_{w}d" for w in TOTALS]
    return f"""
WITH seen AS (SELECT customer, t, kind, (t + {8 * HOUR}) // {DAY} AS day FROM events WHERE t < {cutoff}),
sums AS (
    SELECT customer, {", ".join(counts)}, count(*) AS event_count,
        ({cutoff} - max(t)) / {DAY} AS days_since_last_event, ({cutoff} - min(t)) / {DAY} AS days_since_first_event
    FROM seen GROUP BY customer
),
days AS (SELECT customer, day, max(t) AS last FROM seen GROUP BY customer, day),
activity AS (SELECT customer, count(*) AS active_days, {", ".join(active)} FROM days GROUP BY customer)
SELECT sums.*, activity.* EXCLUDE customer FROM sums JOIN activity USING (customer)"""


def theirs(folder: Path) -> dict[str, float]:
    """Seconds of each family in SQL over its table in memory, of loading these tables, and of the windows alone.

    DuckDB takes every core. `peak` is its memory in MB, before ours is read for the comparison.
    """
    connection, spec = duckdb.connect(), spec_of(folder)
    connection.execute("SET enable_progress_bar = false; SET TimeZone = 'UTC'")

    def make(name: str, query: str, repeats: int = 2) -> float:
        return timed(
            lambda: connection.execute(f"CREATE OR REPLACE TABLE {name} AS {query}").fetchall(), repeats
        )[0]

    seconds, made, loading, windows = dict.fromkeys(FAMILIES, 0.0), [], 0.0, 0.0
    for family, (table, statements) in FAMILIES.items():
        columns = f"customer_id AS customer, {HELD[table]}"
        loading += make(table, f"SELECT {columns} FROM '{folder}/raw/{table}.parquet'", 1)
        for name, query in statements(CUTOFF, spec).items():
            seconds[family] += make(name, query)
            made.append(name)
        if family == "purchases":
            make("others", unfollowed(CUTOFF), 1)
            connection.execute(
                "CREATE VIEW purchases AS SELECT customer, t, amount AS net FROM transactions WHERE amount >= 0"
            )
            windows += make("found", purchases_sql(CUTOFF))
        if family == "behaviour":
            windows += make("found", behaviour_sql(CUTOFF))
        connection.execute(f"DROP TABLE {table}; DROP TABLE IF EXISTS bought")
    peak = peak_megabytes()
    made.remove("bought")
    return {
        "sql": sum(seconds.values()),
        **seconds,
        "loading": loading,
        "windows": windows,
        "peak": peak,
        **compare(folder, connection, made),
    }


def compare(folder: Path, connection: duckdb.DuckDBPyConnection, tables: list[str]) -> dict[str, float]:
    """How many columns the SQL has, how many are ours for everybody, to the bit or nearly; raises where one is not.

    A customer whom a table of the SQL does not hold has no row of that kind: 0 or missing. Left out are the
    customers whose refunds the SQL does not follow.
    """
    spec, parts = spec_of(folder), []
    for block in HistoryFile(folder / "history"):
        parts.append((block.customer_id, features.compute(block.before(CUTOFF), spec)))
    ids = pa.concat_arrays([part[0] for part in parts])
    others = pc.is_in(ids, connection.sql("FROM others").to_arrow_table()["customer"].cast(pa.string()))
    followed = ~others.to_numpy(zero_copy_only=False)
    counted = {"columns": 0, "exact": 0, "near": 0, "others": len(ids) - int(followed.sum())}
    described = features.catalogue(spec)
    for table in tables:
        found = connection.sql(f"FROM {table}").to_arrow_table()
        row = pc.index_in(ids, found["customer"].cast(pa.string()))
        assert len(found) - found["customer"].null_count == len(ids) - row.null_count, table
        for name in set(found.column_names) & set(described):
            column = found[name].cast(pa.float64()).combine_chunks()
            other = column.take(row).to_numpy(zero_copy_only=False)[followed]
            mine = np.concatenate([part[1][name] for part in parts])[followed]
            held = row.is_valid().to_numpy(zero_copy_only=False)[followed]
            assert not np.nan_to_num(mine[~held]).any(), name
            mine, other = mine[held], other[held]
            same = np.array_equal(mine, other, equal_nan=True)
            rounded = name.startswith(("mean_", "std_")) or described[name].unit in ROUNDED
            assert same or (rounded and np.allclose(mine, other, 1e-9, 1e-9, equal_nan=True)), name
            counted["columns"] += 1
            counted["exact" if same else "near"] += 1
    return counted


ROUNDED = ("currency", "ratio", "nats", "hours", "score")
"""Units of sums and means: the order of a sum moves its last bits."""


def few(folder: Path) -> dict[str, float]:
    """Milliseconds of one customer and of a thousand: from the records of a request, and of the block alone."""
    spec, history = spec_of(folder), HistoryFile(folder / "history")
    with pq.ParquetFile(folder / "history") as file:
        table = file.read_row_group(0)
    middling = int(np.argsort([len(rows) for rows in table["events"][:1_000].to_pylist()])[500])
    found: dict[str, float] = {}
    for name, part in (("1", table.slice(middling, 1)), ("1000", table.slice(0, 1_000))):
        block, records = part.combine_chunks(), as_records(part, spec)
        repeats = 300 if name == "1" else 20
        found[f"block_{name}"] = 1000 * timed(partial(computed, block, history.zone, spec), repeats)[0]
        found[f"request_{name}"] = 1000 * timed(partial(requested, records, history.zone, spec), repeats)[0]
        found[f"rows_{name}"] = sum(len(r["events"]) + len(r["purchases"]) for r in records)
    return found


def computed(block: pa.Table, zone: str, spec: FeatureSpec) -> dict[str, np.ndarray]:
    return features.compute(History(block, zone).before(CUTOFF), spec)


def requested(records: list[dict[str, Any]], zone: str, spec: FeatureSpec) -> dict[str, np.ndarray]:
    return features.compute(history_from_records(records, zone, spec.attribute_types).before(CUTOFF), spec)


def as_records(part: pa.Table, spec: FeatureSpec) -> list[dict[str, Any]]:
    """What a request for these customers holds."""

    def rows(given: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
        plain = [
            {k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in row.items()} for row in given
        ]
        return [{name: row.pop("t"), **row} for row in plain]

    records = []
    for row in part.to_pylist():
        bought = rows(row["purchases"], "ordered_at")
        bought += [
            {"ordered_at": back["ordered_at"], "amount": -back["amount"]}
            for back in rows(row["refunds"], "ordered_at")
        ]
        records.append(
            {
                "customer_id": row["customer_id"],
                "purchases": bought,
                "events": rows(row["events"], "occurred_at"),
                "feedback": rows(row["feedback"], "submitted_at"),
                "signed_up_at": row["signed_up_at"] and row["signed_up_at"].isoformat(),
                "acquisition_channel": row["acquisition_channel"],
                "acquisition_cost": row["acquisition_cost"],
                "attributes": {name: row[name] for name in spec.attribute_types},
            }
        )
    return records


STEPS = {"ours": ours, "cutoffs": cutoffs, "theirs": theirs, "few": few}

if __name__ == "__main__":
    print(json.dumps(STEPS[sys.argv[1]](Path(sys.argv[2]))))
