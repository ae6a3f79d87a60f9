"""Staging: a million scored customers, one customer, and who flaps between stages with and without exit conditions."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from lifestage import release as releases
from lifestage.decision import condition_columns
from lifestage.history import History
from lifestage.history_file import HistoryFile
from lifestage.lifecycle.columns import GIVEN
from lifestage.lifecycle.policy import Policy, load, parse_text, presets
from lifestage.lifecycle.staging import assign, columns_read
from lifestage.localtime import DAY, day_of, midnight
from lifestage.release import Release
from lifestage.schemas import PREVIOUS

ROOT = Path(__file__).parents[2]
CUSTOMERS = 1_000_000
BLOCK = 50_000
AS_OF = 1_700_000_000_000_000


def scored(policy: Policy, customers: int) -> tuple[pa.Table, pa.Table]:
    """Made-up scored customers with what a policy reads, and their previous stages."""
    rng = np.random.default_rng(0)
    columns = {"customer_id": pa.array([f"c{i:07d}" for i in range(customers)])}
    for name in columns_read(policy):
        type_ = GIVEN[name].type
        missing = rng.random(customers) < 0.1
        if pa.types.is_boolean(type_):
            columns[name] = pa.array(rng.random(customers) < 0.7)
        elif pa.types.is_string(type_):
            columns[name] = pa.array(np.array(["ads", "search"])[rng.integers(0, 2, customers)], mask=missing)
        elif GIVEN[name].unit in ("probability", "percentile"):
            columns[name] = pa.array(rng.random(customers), mask=missing)
        elif GIVEN[name].unit in ("orders", "events"):
            columns[name] = pa.array(rng.geometric(0.3, customers).astype(np.float64))
        else:
            columns[name] = pa.array(
                rng.exponential(100 if GIVEN[name].unit == "days" else 3, customers), mask=missing
            )
    names = np.array([stage.name for stage in policy.stages])
    since = pa.array(AS_OF - rng.integers(0, 200, customers) * DAY).cast(PREVIOUS.field("stage_since").type)
    was = pa.array(names[rng.integers(0, len(names), customers)])
    return pa.table(columns), pa.table([columns["customer_id"], was, since], schema=PREVIOUS)


def speed(name: str) -> None:
    """Stages, tiers, segments, signals, risk, health and reasons of one preset."""
    policy = load(name)
    columns, previous = scored(policy, CUSTOMERS)
    one, one_before = columns.slice(7, 1).combine_chunks(), previous.slice(7, 1).combine_chunks()
    assign(policy, one, AS_OF, one_before)
    parts = [(i, BLOCK) for i in range(0, CUSTOMERS, BLOCK)]
    started = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda part: assign(policy, columns.slice(*part), AS_OF, previous.slice(*part)), parts))
    million = time.perf_counter() - started
    times = []
    for _ in range(500):
        started = time.perf_counter()
        assign(policy, one, AS_OF, one_before)
        times.append(time.perf_counter() - started)
    conditions = sum(len(stage.enter) + (stage.exit is not None) for stage in policy.stages) + len(
        policy.risk
    )
    conditions += sum(len(list(signal.conditions())) for signal in policy.signals)
    print(
        f"lifecycle, {name} ({conditions} conditions): 1 M customers {million:.2f} s, "
        f"one customer {1_000 * float(np.median(times)):.2f} ms (least {1_000 * min(times):.2f})",
        flush=True,
    )


def without_exits(policy: Policy, release: Release) -> Policy:
    """The same policy; every stage is left as soon as its `enter` is not true."""
    document: dict[str, Any] = yaml.safe_load(policy.source)
    for stage in document["stages"]:
        stage.pop("exit", None)
    return parse_text(yaml.safe_dump(document, allow_unicode=True), "without exits", release.churn.spec)


def days_between(file: HistoryFile, step: str) -> list[int]:
    """The month beginnings, or every seventh day, from the 60th day on to the history's end."""
    day, end = (
        day_of(file.facts["first_row"], file.zone) + timedelta(days=60),
        day_of(file.facts["as_of"], file.zone),
    )
    found = []
    while day <= end:
        if step == "weekly" or day.day == 1:
            found.append(midnight(day, file.zone))
        day += timedelta(days=7 if step == "weekly" else 1)
    return found


def flaps(
    blocks: Iterator[History], dates: list[int], release: Release, policies: list[Policy]
) -> list[tuple[int, int]]:
    """(moves, flaps) of each policy. A flap: away from a stage and back at the next date, without an order since."""
    counts = [[0, 0] for _ in policies]
    for history in blocks:
        held: list[list[pa.Array]] = [[] for _ in policies]
        since: list[pa.Table | None] = [None for _ in policies]
        known = [history.purchases.rows_before(date) for date in dates]
        for date in dates:
            columns = pa.table(condition_columns(history, date, release, journeys=True))
            for i, policy in enumerate(policies):
                staged = assign(policy, columns, date, since[i])
                held[i].append(np.array(staged["stage"].to_pylist()))
                since[i] = pa.table(
                    [columns["customer_id"], staged["stage"], staged["stage_since"]], schema=PREVIOUS
                )
        for i in range(len(policies)):
            for k in range(1, len(dates)):
                was, now = held[i][k - 1], held[i][k]
                there = known[k - 1] > 0
                counts[i][0] += int(((was != now) & there).sum())
                if k + 1 < len(dates):
                    back = (was != now) & (held[i][k + 1] == was) & (known[k + 1] == known[k - 1]) & there
                    counts[i][1] += int(back.sum())
    return [(moves, back) for moves, back in counts]


def flapping(output: Path) -> None:
    """Every month and every week under every preset, by the release and history of a pipeline's output folder."""
    release = releases.load(releases.current(output / "releases"))
    file = HistoryFile(output / "history.parquet")
    for name in presets():
        policy = load(name, release.churn.spec)
        bare = without_exits(policy, release)
        for step in ("monthly", "weekly"):
            dates = days_between(file, step)
            found = flaps(iter(file), dates, replace(release, policy=policy), [policy, bare])
            (moves, back), (bare_moves, bare_back) = found
            print(
                f"lifecycle, {name}, {len(dates)} {step} runs: {moves:,} moves, {back:,} of them there and back without "
                f"an order; without exit conditions {bare_moves:,}, {bare_back:,}",
                flush=True,
            )


def run() -> None:
    """Speed of every preset, then CDNOW."""
    for name in presets():
        speed(name)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "configs").symlink_to(ROOT / "configs")
        command = [sys.executable, "-m", "training.pipeline", "--config", "configs/cdnow.yaml"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
        flapping(Path(folder) / "var" / "cdnow")
