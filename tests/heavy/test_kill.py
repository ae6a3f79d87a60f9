"""`kill -9` in the middle of scoring runs while others read: each of them sees one whole run, always."""

import contextlib
import json
import os
import random
import signal
import sqlite3
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.benchmarks import processes
from tests.heavy.conftest import EARLIER, LATER, Shop

KILLS = 50
pytestmark = pytest.mark.heavy


class Readers:
    """Threads that read all the time, and note what does not fit together."""

    def __init__(self, shop: Shop, server: processes.Server, known: dict[int, int]) -> None:
        self.shop, self.server, self.known = shop, server, known
        self.stop = threading.Event()
        self.faults: list[str] = []
        self.reads = {"table": 0, "store": 0, "service": 0}
        self.seen: set[int] = set()
        works = (self.table, self.store, self.service, self.service)
        self.threads = [threading.Thread(target=self.run, args=(work,)) for work in works]

    def __enter__(self) -> "Readers":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def run(self, work: Any) -> None:
        draw = random.Random(threading.get_ident())
        while not self.stop.is_set() and len(self.faults) < 20:
            try:
                work(draw)
            except Exception as error:
                self.faults.append(f"{work.__name__}: {type(error).__name__}: {error}")
            time.sleep(0.002)

    def table(self, _: random.Random) -> None:
        """All rows at once, by SQL of our own in one transaction."""
        uri = f"file:{quote(str(self.shop.output / 'store.db'))}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=30, isolation_level=None)) as read:
            read.execute("BEGIN")
            rows, first, last = read.execute("SELECT count(*), min(as_of), max(as_of) FROM scores").fetchone()
            runs = read.execute(
                "SELECT as_of, customers FROM runs WHERE is_current = 1 ORDER BY published"
            ).fetchall()
            read.execute("COMMIT")
        self.reads["table"] += 1
        self.seen.add(first)
        if not (first == last == runs[-1][0] and rows == runs[-1][1] == self.known[first]):
            self.faults.append(
                f"table: {rows} rows of {first}..{last}, current {runs[-1]}, expected {self.known}"
            )

    def store(self, draw: random.Random) -> None:
        """By the Store: a customer read between two looks at the same current run is of that run."""
        name = draw.choice(self.shop.ids)
        before = self.shop.store.current()
        score = self.shop.store.customer(name)
        after = self.shop.store.current()
        self.reads["store"] += 1
        if before is None or after is None or score is None:
            self.faults.append(f"store: {name}: {before}, {score}, {after}")
        elif before == after and microseconds(score["as_of"]) != before["as_of"]:
            self.faults.append(f"store: {name} is of {score['as_of']}, the run of {before}")

    def service(self, draw: random.Random) -> None:
        """By the service: score, run and stage history of one answer belong together."""
        name = draw.choice(self.shop.ids)
        with urllib.request.urlopen(
            f"{self.server.address}/v1/customers/{quote(name)}", timeout=30
        ) as answer:
            body = json.loads(answer.read())
        self.reads["service"] += 1
        score, history = body["score"], body["stage_history"]
        day = body["run"].removeprefix("as-of-")
        if score["as_of"] != body["as_of"] or day not in (EARLIER, LATER):
            self.faults.append(f"service: {body['run']}, {body['as_of']}, {score['as_of']}")
        elif microseconds(score["as_of"]) != self.days[day]:
            self.faults.append(f"service: run {body['run']}, score as of {score['as_of']}")
        elif history[-1]["stage"] != score["stage"] and history[-1]["as_of"] <= score["as_of"]:
            self.faults.append(f"service: {body['run']}: stage {score['stage']}, history {history}")

    days: dict[str, int] = {}  # noqa: RUF012


def microseconds(text: str) -> int:
    from datetime import datetime

    return round(datetime.fromisoformat(text).timestamp() * 1e6)


def files(folder: Path) -> dict[str, int]:
    """Name -> bytes of what lies in the output folder; the service's own files left out."""
    found = [p for p in folder.rglob("*") if p.is_file() and "serving-" not in str(p.relative_to(folder))]
    return {
        str(p.relative_to(folder)): p.stat().st_size for p in found if not p.name.endswith(("-wal", "-shm"))
    }


def killed(shop: Shop, as_of: str, draw: random.Random, seconds: float, publishing: bool) -> bool:
    """Start a run and kill it at a random moment, or while it publishes; whether it was still alive."""
    process = shop.start(as_of)
    try:
        if publishing:
            loading = shop.output / "store.db.loading"
            limit = time.monotonic() + 20 * seconds
            while not loading.exists() and process.poll() is None and time.monotonic() < limit:
                time.sleep(0.0005)
            time.sleep(draw.uniform(0, 0.12))
        else:
            time.sleep(draw.uniform(0, seconds))
    finally:
        alive = process.poll() is None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    return alive


def test_killed_runs_leave_readers_one_whole_run(shop: Shop, tmp_path: Path) -> None:
    days, seconds = {}, 0.0
    for day in (LATER, EARLIER):
        started = time.monotonic()
        shop.scored(day)
        seconds = time.monotonic() - started
        run = shop.store.current()
        assert run is not None
        days[day] = (int(run["as_of"]), int(run["customers"]))
    Readers.days = {day: as_of for day, (as_of, _) in days.items()}
    baseline = files(shop.output)
    draw = random.Random(5)
    alive = 0
    with shop.served(tmp_path) as server, Readers(shop, server, dict(days.values())) as readers:
        for number in range(KILLS):
            alive += killed(shop, (EARLIER, LATER)[number % 2], draw, seconds, publishing=number % 2 == 1)
            assert not readers.faults, (number, readers.faults[:5])
        shop.scored(LATER)  # without cleaning by hand
        time.sleep(1)
        now = shop.store.current()
        assert now is not None
        assert (now["as_of"], now["customers"]) == days[LATER]
        shop.scored(EARLIER)
    assert not readers.faults, readers.faults[:5]
    print(f"{KILLS} kills, {alive} of a living run of {seconds:.1f} s; reads {readers.reads}")
    assert alive > KILLS // 2
    assert readers.seen == set(Readers.days.values()), "both runs must have been seen"
    assert min(readers.reads.values()) > KILLS
    after = files(shop.output)
    assert set(after) == set(baseline), set(after) ^ set(baseline)
    assert sum(after.values()) < 1.5 * sum(baseline.values())
    with contextlib.closing(sqlite3.connect(shop.output / "store.db")) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
