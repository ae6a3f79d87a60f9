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

from lifestage.datasets.simulated import World
from lifestage.datasets.simulated_files import simulate

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


def part_features() -> None:
    """Features at 1, 3 and 10 million purchases and 30 million events beside SQL and pandas, requests, memory."""
    from tests.benchmarks import features_table

    features_table.run()


def part_churn() -> None:
    """The churn model beside its baselines at every feasible cutoff of real shops."""
    from tests.benchmarks import churn

    churn.run()


def part_clv() -> None:
    """Fits and predictions of the CLV models beside lifetimes, up to a million customers."""
    from tests.benchmarks import clv

    clv.run()


def part_lifecycle() -> None:
    """Staging a million customers and one; who goes to and fro between stages, with exit conditions and without."""
    from tests.benchmarks import lifecycle

    lifecycle.run()


def part_serving() -> None:
    """The scoring service beside an empty BentoML endpoint: look-ups, raw histories, many callers, many customers."""
    from tests.benchmarks import serving

    serving.run()


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


def part_pipeline() -> None:
    """A million customers from raw purchases to staged scores in the store, training included, beside a plain script."""
    from tests.benchmarks import pipeline

    pipeline.run()


PARTS = {
    "features": part_features,
    "churn": part_churn,
    "clv": part_clv,
    "lifecycle": part_lifecycle,
    "serving": part_serving,
    "simulate": part_simulate,
    "demo": part_demo,
    "pipeline": part_pipeline,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    for name in parser.parse_args().parts or PARTS:
        PARTS[name]()
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"peak memory of one process: {peak / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
