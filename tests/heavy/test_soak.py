"""Mixed traffic at 70 % of the highest load for SOAK_MINUTES (10 by default): no error, flat memory.

SOAK_OUT names a folder for the plot; else it lies in the test's own one.
"""

import os
import threading
import time
import urllib.request
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from tests.benchmarks import processes
from tests.benchmarks.serving_callers import Load, Measured, measure
from tests.benchmarks.serving_shop import batch_gets, ids, look_ups, make, scoring

MINUTES = float(os.environ.get("SOAK_MINUTES", "10"))
CALLERS = 32
SHARE = 0.7
MEGABYTES_A_MINUTE = 1.0
"""Growth of the resident memory that counts as flat: between the medians of minutes 2 to 3 and of the last two."""
WARM_MINUTES = 5
"""A shorter soak tells nothing of memory: the first minutes fill what the allocators keep."""
STEPS = 20

Sample = tuple[float, float]


def traffic(names: list[str], has_batch_get: bool) -> list[bytes]:
    """Of 100 requests 60 are look-ups, 32 scores of a small history, 4 of a large one, 4 look-ups of a hundred."""
    rng = np.random.default_rng(4)
    small, large = scoring(1, 10, 0, 200), scoring(1, 50, 200, 20)
    many = batch_gets(names, 100) if has_batch_get else look_ups(names[:20])
    kinds = ((look_ups(names), 0.6), (small, 0.32), (large, 0.04), (many, 0.04))
    drawn = rng.choice(len(kinds), 5_000, p=[share for _, share in kinds])
    return [kinds[kind][0][int(rng.integers(len(kinds[kind][0])))] for kind in drawn]


def highest(port: int, requests: list[bytes]) -> float:
    """Requests a second that callers who never wait get; the median of three runs after one that warms up."""
    rates = []
    for _ in range(4):
        got = measure(Load(port, CALLERS, 5.0, requests))
        assert got.errors == 0, got.faults
        rates.append(got.rate)
    return median(rates[1:])


def watched(server: processes.Server, load: Load) -> tuple[Measured, list[Sample]]:
    """The load, and the worker's resident memory by second."""
    memory: list[Sample] = []
    over = threading.Event()
    worker, started = server.worker(), time.monotonic()

    def watch() -> None:
        while not over.wait(1):
            memory.append((time.monotonic() - started, processes.resident(worker)))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        return measure(load), memory
    finally:
        over.set()
        thread.join()


def table(got: Measured, memory: list[Sample], seconds: float) -> list[tuple[float, float, float, float]]:
    """(minute, p50 ms, p99 ms, resident MB) in twenty steps."""
    at, took = np.array(got.each).T
    second, size = np.array(memory).T
    rows = []
    for low in np.arange(STEPS) * seconds / STEPS:
        here = (at >= low) & (at < low + seconds / STEPS)
        there = (second >= low) & (second < low + seconds / STEPS)
        p50, p99 = np.percentile(took[here], [50, 99]) if here.any() else (np.nan, np.nan)
        rows.append(
            (low / 60, float(p50), float(p99), float(np.median(size[there])) if there.any() else np.nan)
        )
    return rows


def plot(rows: list[tuple[float, float, float, float]], path: Path, title: str) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    minute, p50, p99, size = zip(*rows, strict=True)
    figure, (upper, lower) = plt.subplots(2, 1, sharex=True, figsize=(8, 6))
    upper.plot(minute, p99, label="p99")
    upper.plot(minute, p50, label="p50")
    upper.set(ylabel="milliseconds", ylim=(0, None), title=title)
    upper.legend()
    lower.plot(minute, size)
    lower.set(xlabel="minute", ylabel="resident memory, MB", ylim=(0, None))
    figure.savefig(path)
    plt.close(figure)


@pytest.mark.heavy
def test_soak(tmp_path: Path) -> None:
    config = make(tmp_path)
    port = processes.free_port()
    with processes.running(processes.ours(config, port), port, tmp_path) as server:
        with urllib.request.urlopen(f"{server.address}/openapi.json") as answer:
            requests = traffic(ids(tmp_path), b"batchGet" in answer.read())
        top = highest(port, requests)
        seconds = MINUTES * 60
        got, memory = watched(server, Load(port, 2 * CALLERS, seconds, requests, rate=SHARE * top))
        worker = server.worker()
        assert server.process.poll() is None
        assert processes.resident(worker) > 0
    rows = table(got, memory, seconds)
    print(
        f"\nhighest load {top:.0f} requests/s; {MINUTES:g} minutes at {SHARE * top:.0f}: {got.answers:,} answers"
    )
    print(f"p50 {got.p50:.1f} ms, p99 {got.p99:.1f} ms, slowest {got.slowest:.0f} ms, {got.errors} errors")
    print(f"{'minute':>8}{'p50 ms':>10}{'p99 ms':>10}{'MB':>10}")
    for minute, p50, p99, size in rows:
        print(f"{minute:8.1f}{p50:10.2f}{p99:10.2f}{size:10.1f}")
    early = median(size for second, size in memory if 0.1 * seconds <= second < 0.3 * seconds)
    late = median(size for second, size in memory if second >= 0.8 * seconds)
    slope = (late - early) / (0.7 * MINUTES)
    print(f"memory {early:.1f} -> {late:.1f} MB, {slope:+.2f} MB a minute (at most {MEGABYTES_A_MINUTE})")
    path = Path(os.environ.get("SOAK_OUT", str(tmp_path))) / "soak.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    plot(rows, path, f"{got.rate:.0f} requests/s, {got.errors} errors")
    print(f"plot: {path}")
    assert got.errors == 0, got.faults
    assert got.rate > 0.97 * SHARE * top, f"only {got.rate:.0f} requests/s were answered"
    if MINUTES >= WARM_MINUTES:
        assert slope <= MEGABYTES_A_MINUTE
