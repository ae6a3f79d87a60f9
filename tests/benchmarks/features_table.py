"""The part "features" of the benchmark: one table of figures, each peer's beside ours and as a ratio."""

import tempfile
import time
from pathlib import Path

from tests.benchmarks import features, shop
from tests.benchmarks.clock import Figure, alone
from tests.benchmarks.shop_sql import FAMILIES


def families(folder: Path, customers: int) -> list[Figure]:
    """All families of a simulated shop: intake, boundaries, cutoffs, memory, one request."""
    rows = shop.make(folder, customers)
    events, bought = rows["events"] / 1e6, rows["transactions"] / 1e6
    mine = alone("shop", "ours", str(folder))
    cut = alone("shop", "cutoffs", str(folder))
    sql = alone("shop", "theirs", str(folder))
    few = alone("shop", "few", str(folder))
    print(
        f"features: the SQL has {sql['columns']:.0f} of our {mine['features']:.0f} columns; all of them compared: "
        f"{sql['exact']:.0f} are the same to the bit, {sql['near']:.0f} within 1e-9 ({sql['others']:.0f} customers "
        "left out, whose refunds it does not follow)",
        flush=True,
    )
    what = f"{customers:,} customers, {bought:.1f} M purchases, {events:.1f} M events"
    peer, windows = f"SQL, {sql['columns']:.0f} columns", "SQL, windows only"
    return [
        Figure(f"{what}: read, check, number", mine["read"]),
        Figure("  sort and write the history", mine["write"]),
        Figure("  boundaries of the customers' events", mine["bounds"], "their sort", mine["sort"], 1.0),
        Figure("  learn the features", mine["learn"]),
        Figure(f"  {mine['features']:.0f} features, first cutoff, with reading", cut["first"], peer, sql["sql"], 2.0),
        Figure(f"  {mine['features']:.0f} features, further cutoff", cut["further"], peer, sql["sql"], 2.0),
        Figure("  the same first cutoff beside some of the columns", cut["first"], windows, sql["windows"]),
        Figure("  the same further cutoff beside some of the columns", cut["further"], windows, sql["windows"]),
        *(Figure(f"  of the SQL: {family}", sql[family]) for family in FAMILIES),
        Figure("  the SQL's loading of its tables, not counted above", sql["loading"]),
        Figure("  peak memory of the intake, MB", mine["peak"], "limit", 3000.0, 1.0),
        Figure("  peak memory of the features, MB", cut["peak"], "limit", 3000.0, 1.0),
        Figure("  the SQL's own peak memory, MB", sql["peak"]),
        Figure("one customer: block to features, ms", few["block_1"], "limit", 1.0, 1.0),
        Figure(f"one customer ({few['rows_1']:.0f} rows): record to features, ms", few["request_1"], "limit", 1.0, 1.0),
        Figure("1,000 customers: block to features, ms", few["block_1000"], "limit", 10.0, 1.0),
        Figure(
            f"1,000 customers ({few['rows_1000']:,.0f} rows): records to features, ms",
            few["request_1000"], "limit", 10.0, 1.0,
        ),
    ]  # fmt: skip


def run(sizes: tuple[int, ...] = (1, 3, 10), customers: int = 1_000_000) -> None:
    started = time.perf_counter()
    print(f"features: {customers:,} customers and all sizes take some ten minutes on 2 cores", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        found = features.figures(Path(folder), sizes)
    with tempfile.TemporaryDirectory() as folder:
        found += families(Path(folder), customers)
    print(
        f"{'features: seconds, unless said otherwise':<66}{'ours':>10}  {'peer':<26}{'peer':>10}{'ratio':>8}"
    )
    for figure in found:
        print(figure)
    print(f"features: this part took {(time.perf_counter() - started) / 60:.0f} minutes", flush=True)
