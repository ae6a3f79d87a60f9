"""Features of a simulated shop beside SQL and pandas: customers with text ids, their purchases in no order.

Every figure is of one process on the rows named; each size runs in a process of its own, so that its peak memory
is its own.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lifestage import features, settings
from lifestage.history import History
from lifestage.history_file import HistoryFile
from lifestage.intake import open_tables, write_history
from lifestage.localtime import DAY

DAYS = 730
FIRST = 1_704_067_200_000_000  # 2024-01-01
CUTOFF = FIRST + 700 * DAY
WINDOWS = (7, 14, 30, 60, 90, 180, 365)
CHUNK = 1_000_000
LATE = 4_000_000_000_000_000


def write_purchases(path: Path, customers: int, rows: int, seed: int = 1) -> None:
    """`rows` purchases of `customers`, shuffled: each customer has a rate of their own, and cents are whole."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(0.8, 1.0, customers)
    edges = np.cumsum(rate) / rate.sum()
    schema = pa.schema(
        [("customer", pa.string()), ("bought_at", pa.timestamp("us", tz="UTC")), ("net", pa.float64())]
    )
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1) as writer:
        for low in range(0, rows, CHUNK):
            n = min(CHUNK, rows - low)
            who = np.minimum(np.searchsorted(edges, rng.random(n)), customers - 1)
            ids = pa.array(np.char.add("C", np.char.zfill(who.astype("U9"), 9)))
            at = pa.array(FIRST + rng.integers(0, DAYS * DAY, n)).cast(schema.field("bought_at").type)
            net = pa.array(np.round(rng.gamma(2.0, 20.0, n) + 0.01, 2))
            writer.write_table(pa.table([ids, at, net], schema=schema))


def shop_of(folder: Path, path: Path) -> settings.Shop:
    columns = {"customer_id": "customer", "ordered_at": "bought_at", "amount": "net"}
    source = {"path": str(path), "columns": columns}
    document = {"shop": "bench", "timezone": "UTC", "currency": "EUR", "output_dir": str(folder / "out"),
                "sources": {"transactions": source}}  # fmt: skip
    return settings.parse(document, "bench")


def computed(history: HistoryFile, cutoff: int) -> Iterator[tuple[pa.Array, dict[str, np.ndarray]]]:
    """Ids and features, block by block."""
    for block in history:
        yield block.customer_id, features.compute(block.before(cutoff))


def sql(cutoff: int) -> str:
    """The purchase features at one cutoff as an analyst who knows DuckDB writes them: two aggregations, one join."""

    def since(days: int) -> str:
        return f"t >= {cutoff - days * DAY}"

    windows = [
        f"count(*) FILTER ({since(w)}) AS orders_{w}d, coalesce(sum(net) FILTER ({since(w)}), 0) AS spend_{w}d"
        for w in WINDOWS
    ]
    changes = [
        f"2 * count(*) FILTER ({since(w)}) - count(*) FILTER ({since(2 * w)}) AS orders_change_{w}d, "
        f"coalesce(sum(net) FILTER ({since(w)}), 0) - coalesce(sum(net) FILTER ({since(2 * w)} AND NOT {since(w)}), 0)"
        f" AS spend_change_{w}d"
        for w in (30, 90)
    ]
    year = cutoff - 365 * DAY
    return f"""
WITH seen AS (SELECT customer, t, net, t // {DAY} AS day FROM purchases WHERE t < {cutoff}),
sums AS (
    SELECT customer, {", ".join([*windows, *changes])},
        count(*) FILTER (t >= {year} AND t < {year + 90 * DAY}) AS orders_same_season,
        count(*) AS order_count, sum(net) AS spend_total, avg(net) AS mean_order_value,
        max(net) AS max_order_value, arg_max(net, t) AS last_order_value, arg_min(net, t) AS first_order_value,
        ({cutoff} - max(t)) / {DAY} AS days_since_last_order, ({cutoff} - min(t)) / {DAY} AS days_since_first_order,
        avg(CASE WHEN (day + 3) % 7 >= 5 THEN 1 ELSE 0 END) AS weekend_share,
        avg((t % {DAY}) / 3600000000) AS mean_order_hour
    FROM seen GROUP BY customer
),
days AS (SELECT DISTINCT customer, day FROM seen),
gaps AS (
    SELECT customer, day, day - lag(day) OVER (PARTITION BY customer ORDER BY day) AS gap FROM days
),
rhythm AS (
    SELECT customer, count(*) AS purchase_days, avg(gap) AS mean_gap_days, stddev_samp(gap) AS std_gap_days,
        min(gap) AS min_gap_days, max(gap) AS max_gap_days, arg_max(gap, day) FILTER (gap IS NOT NULL) AS last_gap_days
    FROM gaps GROUP BY customer
)
SELECT sums.*, rhythm.* EXCLUDE customer, days_since_last_order / mean_gap_days AS recency_over_mean_gap,
    days_since_last_order / max_gap_days AS recency_over_max_gap
FROM sums JOIN rhythm USING (customer)"""


def in_pandas(frame: pd.DataFrame, cutoff: int) -> pd.DataFrame:
    """The same, the obvious way."""
    seen = frame[frame["t"] < cutoff].sort_values(["customer", "t"])
    by = seen.groupby("customer")
    columns = (
        by["net"].agg(["count", "sum", "mean", "max", "first", "last"]).add_prefix("net_").to_dict("series")
    )
    columns |= {"since_last": (cutoff - by["t"].max()) / DAY, "since_first": (cutoff - by["t"].min()) / DAY}
    for days in (*WINDOWS,):
        recent = seen[seen["t"] >= cutoff - days * DAY].groupby("customer")["net"]
        columns |= {f"orders_{days}": recent.size(), f"spend_{days}": recent.sum()}
    for days in (30, 90):
        before = seen[seen["t"].between(cutoff - 2 * days * DAY, cutoff - days * DAY, inclusive="left")]
        earlier = before.groupby("customer")["net"]
        columns |= {f"orders_before_{days}": earlier.size(), f"spend_before_{days}": earlier.sum()}
    day = seen.assign(day=seen["t"] // DAY).drop_duplicates(["customer", "day"])
    gaps = day.groupby("customer")["day"].diff().groupby(day["customer"])
    columns |= gaps.agg(["count", "mean", "std", "min", "max", "last"]).add_prefix("gap_").to_dict("series")
    weekend = ((seen["t"] // DAY + 3) % 7 >= 5).groupby(seen["customer"]).mean()
    hour = ((seen["t"] % DAY) / 3_600_000_000).groupby(seen["customer"]).mean()
    return pd.DataFrame(columns | {"weekend": weekend, "hour": hour})


def timed(work: Callable[[], Any], repeats: int = 1) -> tuple[float, Any]:
    """Least wall time, and the last result."""
    best, result = float("inf"), None
    for _ in range(repeats):
        started = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - started)
    return best, result


def measure(folder: Path, rows: int) -> dict[str, float]:
    """Seconds of reading and sorting into the history, and of one cutoff; peak memory of this process."""
    path = folder / f"{rows}.parquet"
    shop = shop_of(folder, path)
    made = folder / f"{rows}.history"

    def read() -> HistoryFile:
        write_history(open_tables(shop, LATE, CUTOFF), made, shop.scoring.block_customers, None)
        return HistoryFile(made)

    seconds, history = timed(read)

    def one_cutoff() -> int:
        return sum(len(ids) for ids, _ in computed(history, CUTOFF))

    first, known = timed(one_cutoff)
    # Blocks held, as many cutoffs share them: what a further cutoff costs.
    further = 0.0
    for block in history:
        features.compute(block.before(CUTOFF))
        started = time.perf_counter()
        features.compute(block.before(CUTOFF - 30 * DAY))
        further += time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"history": seconds, "first": first, "further": further, "customers": known, "peak": peak}


def loaded(folder: Path, rows: int, customer: str) -> duckdb.DuckDBPyConnection:
    """The purchases as a table in memory."""
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    connection.execute(
        f"CREATE TABLE purchases AS SELECT {customer} AS customer, epoch_us(bought_at) AS t, net "
        f"FROM '{folder}/{rows}.parquet'"
    )
    return connection


def sql_seconds(folder: Path, rows: int, customer: str) -> float:
    """One cutoff in SQL, its result kept as a table."""
    connection = loaded(folder, rows, customer)
    query = f"CREATE OR REPLACE TABLE found AS {sql(CUTOFF)}"
    return timed(lambda: connection.execute(query).fetchall(), 2)[0]


def disagreement(folder: Path, rows: int) -> tuple[int, float]:
    """Features compared with the SQL's, and the largest relative difference of any value."""
    theirs = loaded(folder, rows, "customer").sql(f"{sql(CUTOFF)} ORDER BY customer").to_arrow_table()
    history = HistoryFile(folder / f"{rows}.history")
    parts = list(computed(history, CUTOFF))
    ids = pa.concat_arrays([part[0] for part in parts])
    assert ids.equals(theirs["customer"].combine_chunks().cast(pa.string()))
    worst, names = 0.0, [name for name in theirs.column_names if name != "customer"]
    for name in names:
        ours = np.concatenate([part[1][name] for part in parts])
        column = theirs[name].cast(pa.float64()).to_numpy()
        assert np.array_equal(np.isnan(ours), np.isnan(column)), name
        scale = np.maximum(np.abs(column), 1.0)
        worst = max(worst, float(np.nanmax(np.abs(ours - column) / scale)))
    return len(names), worst


def small(folder: Path, rows: int) -> dict[str, float]:
    """Seconds of one customer, of a thousand in a block."""
    table = pq.read_table(folder / f"{rows}.history")

    def requested(part: pa.Table) -> dict[str, np.ndarray]:
        return features.compute(History(part, "UTC").before(CUTOFF))

    return {str(n): timed(partial(requested, table.slice(0, n).combine_chunks()), 50)[0] for n in (1, 1_000)}


def main(folder: Path, sizes: tuple[int, ...]) -> None:
    """Print the figures of every size (millions of purchases, a tenth as many customers)."""
    for millions in sizes:
        rows = millions * 1_000_000
        customers = rows // 10
        write_purchases(folder / f"{rows}.parquet", customers, rows)
        command = [sys.executable, "-m", "tests.benchmarks.features", str(folder), str(rows)]
        found = json.loads(
            subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
        )
        peer = sql_seconds(folder, rows, "customer")
        numbered = sql_seconds(folder, rows, "substr(customer, 2)::INTEGER")
        first, further = found["first"], found["further"]
        print(
            f"features: {rows:,} purchases of {int(found['customers']):,} customers: read, check and sort "
            f"{found['history']:.1f} s; {len(features.names())} features at a first cutoff {first:.2f} s with "
            f"reading, {further:.2f} s at a further one; SQL {peer:.2f} s a cutoff, ratio {first / peer:.2f} and "
            f"{further / peer:.2f} (SQL over customers numbered before: {numbered:.2f} s); "
            f"peak memory {found['peak']:,.0f} MB",
            flush=True,
        )
    rows = sizes[0] * 1_000_000
    names, worst = disagreement(folder, rows)
    print(f"features: {names} of them against the SQL: largest relative difference {worst:.1e}", flush=True)
    frame = pq.read_table(folder / f"{rows}.parquet").to_pandas()
    frame["t"] = frame.pop("bought_at").astype("int64")
    peer, theirs = timed(lambda: in_pandas(frame, CUTOFF))
    blocks = list(HistoryFile(folder / f"{rows}.history"))
    seconds, _ = timed(lambda: [features.compute(b.before(CUTOFF)) for b in blocks])
    print(f"features: {rows:,} purchases: {seconds:.2f} s; pandas, {theirs.shape[1]} columns: {peer:.1f} s, "
          f"ratio {peer / seconds:.0f}", flush=True)  # fmt: skip
    few = small(folder, rows)
    print(
        f"features: one customer {1000 * few['1']:.2f} ms; 1,000 customers {1000 * few['1000']:.1f} ms",
        flush=True,
    )


def run(sizes: tuple[int, ...] = (1, 3, 10)) -> None:
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder), sizes)


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]))))
