"""Run the parts named on the command line (all by default) and print one line a figure, peers as ratios."""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from lifestage import features
from lifestage.clv.compress import compress
from lifestage.datasets.simulated import World
from lifestage.datasets.simulated_files import simulate
from lifestage.history import History, complete
from lifestage.localtime import DAY
from lifestage.schemas import PURCHASE

ROOT = Path(__file__).parents[2]
REPEATS = 3


def best(work: Callable[[], Any]) -> tuple[float, Any]:
    """Least wall time of a few runs, and the last result."""
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - started)
    return min(times), result


def line(what: str, seconds: float, peer: str = "", peer_seconds: float | None = None) -> None:
    ratio = (
        "" if peer_seconds is None else f"   {peer}: {peer_seconds:.2f} s, ratio {peer_seconds / seconds:.1f}"
    )
    print(f"{what}: {seconds:.2f} s{ratio}", flush=True)


def purchases(customers: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts a customer, instants and amounts: about 4.5 purchases each over two years."""
    rng = np.random.default_rng(seed)
    counts = 1 + rng.poisson(rng.gamma(0.7, 5.0, customers))
    t = rng.integers(0, 730 * DAY, counts.sum())
    owner = np.repeat(np.arange(customers), counts)
    return counts, t[np.lexsort((t, owner))], np.round(rng.gamma(2.0, 20.0, counts.sum()), 2)


def blocks(counts: np.ndarray, t: np.ndarray, amount: np.ndarray, size: int = 10_000) -> list[History]:
    """The purchases as history blocks of `size` customers."""
    offsets = np.concatenate([[0], np.cumsum(counts)])
    made = []
    for low in range(0, len(counts), size):
        at = offsets[low : low + size + 1]
        rows = slice(at[0], at[-1])
        known = {"t": pa.array(t[rows]).cast(PURCHASE.field("t").type), "amount": pa.array(amount[rows])}
        children = [known.get(f.name, pa.nulls(len(t[rows]), f.type)) for f in PURCHASE]
        struct = pa.StructArray.from_arrays(children, fields=list(PURCHASE))
        lists = pa.ListArray.from_arrays(pa.array((at - at[0]).astype(np.int32)), struct)
        ids = pa.array([f"C{i:09d}" for i in range(low, low + len(at) - 1)])
        made.append(History(complete(pa.table({"customer_id": ids, "purchases": lists})), "UTC"))
    return made


def part_features() -> None:
    """All features of 1 M customers at one cutoff; one request; eight of them in pandas on a tenth."""
    cutoff = 700 * DAY
    million = blocks(*purchases(1_000_000))
    seconds, _ = best(lambda: [features.compute(block.before(cutoff)) for block in million])
    line(f"features: {len(features.names())} for 1 M customers, one cutoff", seconds)
    one = blocks(*purchases(1_000))[:1]
    seconds, _ = best(lambda: [features.compute(block.before(cutoff)) for block in one])
    print(f"features: 1,000 customers in one block: {1000 * seconds:.1f} ms", flush=True)
    counts, t, amount = purchases(100_000)
    ids = np.repeat(np.array([f"C{i:09d}" for i in range(len(counts))]), counts)
    frame = pd.DataFrame({"customer": ids, "t": t, "amount": amount})

    def in_pandas() -> pd.DataFrame:
        """The obvious way: 14 window features, 6 of value, 5 of gaps, 2 ages."""
        seen = frame[frame["t"] < cutoff]
        by = seen.groupby("customer")
        columns = by["amount"].agg(["count", "sum", "mean", "max", "first", "last"]).to_dict("series")
        columns |= {
            "since_last": (cutoff - by["t"].max()) / DAY,
            "since_first": (cutoff - by["t"].min()) / DAY,
        }
        for days in (7, 14, 30, 60, 90, 180, 365):
            recent = seen[seen["t"] >= cutoff - days * DAY].groupby("customer")["amount"]
            columns |= {f"orders_{days}": recent.size(), f"spend_{days}": recent.sum()}
        gaps = (by["t"].diff() / DAY).groupby(seen["customer"])
        columns |= gaps.agg(["mean", "std", "min", "max", "last"]).add_prefix("gap_").to_dict("series")
        return pd.DataFrame(columns)

    tenth = blocks(counts, t, amount)
    seconds, _ = best(lambda: [features.compute(block.before(cutoff)) for block in tenth])
    peer, theirs = best(in_pandas)
    what, named = (
        f"features: {len(features.names())} for 100,000 customers",
        f"{theirs.shape[1]} of them in pandas",
    )
    line(what, seconds, named, peer)


def part_clv() -> None:
    """Fitting BG/NBD beside lifetimes on the same 100,000 customers."""
    from lifetimes import BetaGeoFitter
    from lifetimes.generate_data import beta_geometric_nbd_model

    from lifestage.clv import bg_nbd_fit

    np.random.seed(1)  # lifetimes' generator knows only the global one
    data = beta_geometric_nbd_model(np.full(100_000, 365.0), 0.243, 30.0, 0.793, 2.426, size=100_000)
    x, t_x, T = (data[name].to_numpy(np.float64) for name in ("frequency", "recency", "T"))
    t_x = np.round(t_x)
    seconds, ours = best(lambda: bg_nbd_fit.fit(compress(x, t_x, T)))
    peer, theirs = best(lambda: BetaGeoFitter().fit(x, t_x, T))
    line("clv: BG/NBD fit, 100,000 customers", seconds, "lifetimes", peer)
    gap = max(abs(getattr(ours.params, name) / theirs.params_[name] - 1) for name in ("r", "alpha", "a", "b"))
    print(f"clv: largest relative difference of a parameter: {gap:.1e}", flush=True)


def part_simulate() -> None:
    """The simulated shop with a million customers."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        rows = simulate(Path(folder) / "shop", 1_000_000, 7, World())
        line(f"simulate: 1 M customers, {rows['transactions']:,} purchases", time.perf_counter() - started)


def part_demo() -> None:
    """The demo without installation and serving, as a user runs it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "configs").symlink_to(ROOT / "configs")
        started = time.perf_counter()
        command = [sys.executable, "-m", "training.pipeline", "--config", "configs/cdnow.yaml"]
        subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
        line("demo: CDNOW from purchases to stages", time.perf_counter() - started)


PARTS = {"features": part_features, "clv": part_clv, "simulate": part_simulate, "demo": part_demo}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    for name in parser.parse_args().parts or PARTS:
        PARTS[name]()
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"peak memory of one process: {peak / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
