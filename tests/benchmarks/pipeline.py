"""The whole pipeline beside a plain script: purchases in Parquet to staged scores in the store, training included.

Each in a process of its own, whose family of processes is watched: wall time, CPU time, memory (shared pages counted
once, sampled). `plain` is benchmarks.pipeline_plain. Ours runs twice: with the settings that come nearest to its work
(`lean`: no past months, no look ahead, no reasons, each churn fit from as many rows) and with those a shop has by
default. Even lean it does more: checked rows and quarantine, readiness, several training cutoffs and three fits,
calibration, a grade with intervals beside the baselines, segments, a report, an order model chosen on earlier holdouts,
season and level, intervals of spend and of next orders, the reference of drift, a release with checksums, MLflow's
registry with pictures, alerts, lifecycle metrics.

    python -m tests.benchmarks.pipeline                                  # a million customers, all three
    python -m tests.benchmarks.pipeline --customers 10000000 --only lean # ten million
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from lifestage.datasets.simulated import World, live
from tests.benchmarks.processes import ROOT, family

WORLD = World(buyer_share=1.0, alpha=36.0, refund_share=0.0)
"""4.5 purchases a customer."""
CHUNK = 50_000
"""Customers drawn together. Part of what the seed means."""
SEED = 7
SAMPLED_SECONDS = 0.2
LEAN = {
    "scoring": {"flow_months": 0, "look_ahead_days": [], "reasons": {"top": 0}},
    "churn": {"max_rows": 400_000},
}
"""Settings that come nearest to the plain script's work: it scores one day, and learns from as many rows."""
TICKS = os.sysconf("SC_CLK_TCK")


def write_purchases(path: Path, customers: int) -> int:
    """Parquet of customer_id, ordered_at, amount, in the order of time within each chunk; number of rows."""
    schema = pa.schema(
        [
            ("customer_id", pa.string()),
            ("ordered_at", pa.timestamp("us", tz=WORLD.timezone)),
            ("amount", pa.float64()),
        ]
    )
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1) as writer:
        for chunk, offset in enumerate(range(0, customers, CHUNK)):
            rng = np.random.default_rng(np.random.SeedSequence(SEED, spawn_key=(chunk,)))
            lives = live(WORLD, rng, min(CHUNK, customers - offset))
            order = np.argsort(lives.buys_at, kind="stable")
            of, t = lives.buys_of[order], lives.buys_at[order]
            names = np.char.add("C", np.char.zfill((of + offset).astype("U9"), 9))
            amount = np.maximum(np.round(rng.gamma(WORLD.p, 1 / lives.nu[of]), 2), 0.01)
            at = pa.array(t).cast(schema.field("ordered_at").type)
            writer.write_table(pa.table([pa.array(names), at, pa.array(amount)], schema=schema))
            rows += len(of)
    return rows


def config(folder: Path, raw: Path, **more: object) -> Path:
    """The shop's YAML; everything it makes lies in `folder`."""
    source = {"path": str(raw), "columns": {name: name for name in ("customer_id", "ordered_at", "amount")}}
    document = {
        "shop": "bench",
        "timezone": WORLD.timezone,
        "currency": "CNY",
        "sources": {"transactions": source},
        "tracking_uri": f"sqlite:///{folder / 'mlflow.db'}",
        "output_dir": str(folder / "out"),
        **more,
    }
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


@dataclass(frozen=True)
class Measured:
    """What a command took, all its processes together."""

    wall: float
    cpu: float
    """Seconds, user and system."""
    peak: float
    """MB."""
    steps: tuple[tuple[str, float, float], ...]
    """Name, wall and CPU seconds of each."""
    load: float
    """Load average of the machine at the end."""
    said: str


def proportional(pid: int) -> float:
    """Resident memory of a process in MB, pages shared by n processes counted as 1/n."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    except (OSError, StopIteration):
        return 0.0


def cpu_seconds(pids: list[int]) -> float:
    """CPU of processes and of their ended children."""
    ticks = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))
    return ticks / TICKS


def measured(command: list[str], folder: Path) -> Measured:
    """Run a Python module that prints "[n/m] step" at the beginning of each step. Raises where it fails."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PYTHONUNBUFFERED": "1"}
    environment.setdefault("OMP_WAIT_POLICY", "passive")
    marks: list[tuple[str, float, float]] = []
    said: list[str] = []
    peak, ended = 0.0, threading.Event()
    started = time.perf_counter()
    with (folder / "errors").open("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=errors,
        )  # fmt: skip

        def watch() -> None:
            nonlocal peak
            while not ended.wait(SAMPLED_SECONDS):
                peak = max(peak, sum(map(proportional, family(process.pid))))

        watcher = threading.Thread(target=watch)
        watcher.start()
        marks.append(("start", started, 0.0))
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if line.startswith("[") and "/" in line.partition("]")[0]:
                name = line.partition("]")[2].strip()
                marks.append((name, time.perf_counter(), cpu_seconds(family(process.pid))))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - started
        ended.set()
        watcher.join()
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(f"{' '.join(command)} failed:\n{errors.read()[-3000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    marks.append(("", started + wall, cpu))
    steps = tuple((a[0], b[1] - a[1], b[2] - a[2]) for a, b in pairwise(marks))
    return Measured(wall, cpu, peak, steps, os.getloadavg()[0], "".join(said))


def show(name: str, found: Measured, verbose: bool = False) -> None:
    print(
        f"pipeline, {name}: {found.wall:.1f} s wall, {found.cpu:.1f} s CPU, peak {found.peak:,.0f} MB "
        f"(load average at the end {found.load:.1f})"
    )
    for step, wall, cpu in found.steps:
        print(f"    {step:<50}{wall:>8.1f} s wall{cpu:>8.1f} s CPU")
    if verbose:
        print(found.said)
    sys.stdout.flush()


KINDS = ("lean", "default", "plain")


def run(customers: int = 1_000_000, kinds: tuple[str, ...] = KINDS, *, verbose: bool = False) -> None:
    """Measure and print; the raw file is made first and not counted."""
    found: dict[str, Measured] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        raw = folder / "purchases.parquet"
        rows = write_purchases(raw, customers)
        print(
            f"pipeline: {customers:,} customers, {rows:,} purchases, {raw.stat().st_size / 1e6:,.0f} MB of Parquet"
        )
        for kind in kinds:
            place = folder / kind
            place.mkdir()
            if kind == "plain":
                command = ["tests.benchmarks.pipeline_plain", str(raw), str(place / "scores.db")]
            else:
                shop = config(place, raw, **(LEAN if kind == "lean" else {}))
                command = ["training.pipeline", "--config", str(shop)]
            found[kind] = measured(command, place)
            show(kind, found[kind], verbose)
    if "plain" in found:
        for kind in kinds:
            if kind != "plain":
                mine, theirs = found[kind], found["plain"]
                print(
                    f"pipeline, {kind} beside plain: {theirs.wall / mine.wall:.1f} times as fast by the clock, "
                    f"{theirs.cpu / mine.cpu:.1f} times in CPU time"
                )


if __name__ == "__main__":
    made = argparse.ArgumentParser(prog="python -m tests.benchmarks.pipeline")
    made.add_argument("--customers", type=int, default=1_000_000)
    made.add_argument("--only", choices=KINDS, action="append")
    made.add_argument("--verbose", action="store_true", help="print what the scripts say too")
    given = made.parse_args()
    run(given.customers, tuple(given.only or KINDS), verbose=given.verbose)
