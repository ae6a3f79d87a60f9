"""Purchase features beside SQL and pandas: customers with text ids, their purchases in no order.

Every figure is of one process on the rows named; each size runs in a process of its own, so that its peak memory
is its own. `benchmarks.features_table` prints the figures beside those of all families (`benchmarks.shop`).
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

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
from tests.benchmarks.clock import LATE, WINDOWS, Figure, alone, peak_megabytes, purchases_sql, timed

DAYS = 730
FIRST = 1_704_067_200_000_000  # 2024-01-01
CUTOFF = FIRST + 700 * DAY
CHUNK = 1_000_000


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
    peak = peak_megabytes()
    return {"history": seconds, "first": first, "further": further, "customers": known, "peak": peak}


def loaded(folder: Path, rows: int) -> duckdb.DuckDBPyConnection:
    """The purchases as a table in memory."""
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    connection.execute(
        "CREATE TABLE purchases AS SELECT customer, epoch_us(bought_at) AS t, net "
        f"FROM '{folder}/{rows}.parquet'"
    )
    return connection


def sql_seconds(folder: Path, rows: int) -> float:
    """One cutoff in SQL, its result kept as a table."""
    connection = loaded(folder, rows)
    query = f"CREATE OR REPLACE TABLE found AS {purchases_sql(CUTOFF)}"
    return timed(lambda: connection.execute(query).fetchall(), 2)[0]


def disagreement(folder: Path, rows: int) -> tuple[int, float]:
    """Features compared with the SQL's, and the largest relative difference of any value."""
    theirs = loaded(folder, rows).sql(f"{purchases_sql(CUTOFF)} ORDER BY customer").to_arrow_table()
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


def pandas_ratio(folder: Path, rows: int) -> tuple[float, float, int]:
    """Seconds of ours with the blocks in memory, of pandas, and the number of its columns."""
    frame = pq.read_table(folder / f"{rows}.parquet").to_pandas()
    frame["t"] = frame.pop("bought_at").astype("int64")
    theirs, found = timed(lambda: in_pandas(frame, CUTOFF))
    table = pa.concat_tables([pq.read_table(folder / f"{rows}.history")])
    size = 65_536
    parts = [table.slice(low, size).combine_chunks() for low in range(0, len(table), size)]
    mine, _ = timed(lambda: [features.compute(History(p, "UTC").before(CUTOFF)) for p in parts], 2)
    return mine, theirs, found.shape[1]


def figures(folder: Path, sizes: tuple[int, ...]) -> list[Figure]:
    """The purchase features alone at each size (millions of purchases, a tenth as many customers)."""
    found: list[Figure] = []
    for millions in sizes:
        rows = millions * 1_000_000
        write_purchases(folder / f"{rows}.parquet", rows // 10, rows)
        mine = alone("features", str(folder), str(rows))
        peer = sql_seconds(folder, rows)
        what = f"{millions} M purchases, {len(features.names())} features"
        found += [
            Figure(f"{what}: read, check, sort", mine["history"]),
            Figure(f"{what}: first cutoff, with reading", mine["first"], "SQL", peer, 2.0),
            Figure(f"{what}: further cutoff", mine["further"], "SQL", peer, 2.0),
            Figure(f"{what}: peak memory, MB", mine["peak"], "limit", 3000.0, 1.0),
        ]
    rows = sizes[0] * 1_000_000
    names, worst = disagreement(folder, rows)
    print(f"features: {names} of them against the SQL: largest relative difference {worst:.1e}", flush=True)
    mine_s, pandas_s, columns = pandas_ratio(folder, rows)
    found.append(
        Figure(
            f"{sizes[0]} M purchases: blocks in memory", mine_s, f"pandas, {columns} columns", pandas_s, 10.0
        )
    )
    return found


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]))))
