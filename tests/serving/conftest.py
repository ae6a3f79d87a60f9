"""A small shop, trained, released and scored once, and its service running on a free port."""

import csv
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from lifestage import release as releases
from lifestage.fitting import fit_churn, fit_clv
from lifestage.history_file import HistoryFile
from lifestage.intake import open_tables, write_history
from lifestage.lifecycle import policy as policies
from lifestage.localtime import day_of
from lifestage.references import collect
from lifestage.runs import Run, score_run
from lifestage.samples import reference_columns
from lifestage.settings import parse
from lifestage.store import open_store
from tests.builders import us

ROOT = Path(__file__).parents[2]
CUSTOMERS = 700
START = datetime(2022, 1, 1)
DAYS = 540
ZONE = "Europe/Berlin"


def _customer(draw: random.Random, number: int) -> list[dict[str, Any]]:
    """Orders at a rate of the customer's own until they leave; some are refunded, wholly or in part."""
    rate, value = draw.gammavariate(1.2, 0.03), draw.lognormvariate(3, 0.6)
    leaves = draw.expovariate(1 / 300)
    day, rows = draw.uniform(0, 400), []
    born = day
    while day < DAYS and day - born <= leaves:
        at = (START + timedelta(days=day)).replace(microsecond=0)
        amount = round(value * draw.uniform(0.5, 1.5), 2)
        order = f"{number}-{len(rows)}"
        rows.append({"ordered_at": at.isoformat(sep=" "), "amount": amount, "order_id": order})
        rows[-1] |= {
            "category": draw.choice(["art", "books", "书", None]),
            "channel": draw.choice(["web", "app", None]),
            "discount": draw.choice([None, 0.0, round(amount / 10, 2)]),
        }
        if draw.random() < 0.06:
            back = min(at + timedelta(days=draw.uniform(0, 20)), START + timedelta(days=DAYS))
            named = draw.choice([order, order, ""])
            size = -amount if draw.random() < 0.5 else -round(amount / 3, 2)
            rows.append({"ordered_at": back.isoformat(sep=" "), "amount": size, "order_id": named})
        day += draw.expovariate(rate)
    draw.shuffle(rows)
    return rows


def _more(draw: random.Random, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Events, answers and attributes of a customer, as a request gives them."""
    born = min(datetime.fromisoformat(row["ordered_at"]) for row in rows)
    end = START + timedelta(days=DAYS)

    def when() -> str:
        seconds = int((end - born).total_seconds())
        return (born + timedelta(seconds=draw.randrange(seconds + 1))).isoformat(sep=" ")

    events = [
        {
            "occurred_at": when(),
            "event_type": draw.choice(["view", "view", "cart", "Add to list!"]),
            "session_id": draw.choice([None, "s1", "s2"]),
        }
        for _ in range(draw.randrange(12))
    ]
    feedback = [
        {
            "submitted_at": when(),
            "kind": draw.choice(["nps", "ticket", "csat", "complaint"]),
            "score": draw.choice([None, 2.0, 4.0]),
            "resolved_at": draw.choice([None, when()]),
        }
        for _ in range(draw.randrange(4))
    ]
    return {
        "events": events,
        "feedback": feedback,
        "signed_up_at": draw.choice([None, born.isoformat(sep=" ")]),
        "acquisition_channel": draw.choice([None, "ads", "search"]),
        "acquisition_cost": draw.choice([None, 1.5, 20.0]),
        "attributes": {
            "city": draw.choice([None, "Köln", "Rome", "Ulm"]),
            "age": draw.choice([None, 31.0, 44.5]),
            "vip": draw.choice([None, True, False]),
        },
    }


@dataclass(frozen=True)
class Made:
    """The shop's configuration file, its rows by customer, its history and its stored run."""

    config: Path
    rows: dict[str, list[dict[str, Any]]]
    history: HistoryFile
    run: Run
    release: releases.Release
    more: dict[str, dict[str, Any]]
    """What a request gives beside the purchases."""

    @property
    def as_of(self) -> str:
        return str(day_of(self.run.as_of, ZONE))

    @cached_property
    def scores(self) -> dict[str, dict[str, Any]]:
        """The batch's score rows by customer; instants as integers."""
        rows = {}
        for batch in self.run.batches():
            for row in batch.to_pylist():
                rows[row["customer_id"]] = row
        return rows

    def record(self, customer: str) -> dict[str, Any]:
        """The customer's raw rows as a request gives them."""
        purchases = [{**row, "order_id": row["order_id"] or None} for row in self.rows[customer]]
        return {"customer_id": customer, "purchases": purchases, **self.more[customer]}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("shop")
    draw = random.Random(11)
    rows = {f"c{i:04d}": customer for i in range(CUSTOMERS) if (customer := _customer(draw, i))}
    more = {name: _more(draw, customer) for name, customer in rows.items()}
    people = [
        {"customer_id": name, **{k: v for k, v in about.items() if k not in ("events", "feedback", "attributes")},
         **about["attributes"]} for name, about in more.items()
    ]  # fmt: skip
    tables = {
        "transactions": [{"customer_id": name, **row} for name, customer in rows.items() for row in customer],
        "events": [{"customer_id": name, **row} for name, about in more.items() for row in about["events"]],
        "feedback": [
            {"customer_id": name, **row} for name, about in more.items() for row in about["feedback"]
        ],
        "customers": people,
    }
    sources: dict[str, Any] = {}
    for table, lines in tables.items():
        fields = list(dict.fromkeys(field for line in lines for field in line))
        with (folder / f"{table}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fields)
            writer.writeheader()
            writer.writerows(lines)
        sources[table] = {"path": str(folder / f"{table}.csv"), "columns": {name: name for name in fields}}
    sources["customers"]["columns"] |= {"age": "CAST(age AS DOUBLE)", "vip": "CAST(vip AS BOOLEAN)"}
    document = {
        "shop": "tiny",
        "timezone": ZONE,
        "currency": "EUR",
        "sources": sources,
        "features": {"funnel": ["view", "cart"]},
        "churn": {"horizon_days": 60, "train_cutoffs": 3},
        "clv": {"horizon_days": 180},
        "output_dir": str(folder / "out"),
    }
    config = folder / "tiny.yaml"
    config.write_text(yaml.safe_dump(document))
    shop = parse(document, "test")
    with open_tables(shop, us("2030-01-01")) as intake:
        write_history(intake, folder / "history.parquet", 200, None)
    history = HistoryFile(folder / "history.parquet")
    as_of = int(history.facts["as_of"])
    clv, churn = fit_clv(shop, history).shipped, fit_churn(shop, history).shipped.model
    clv.save(folder / "clv", {})
    churn.save(folder / "churn", {})
    releases.write(
        shop.releases,
        "tiny-1",
        churn=folder / "churn",
        clv=folder / "clv",
        policy=policies.load("ecommerce"),
        reference=collect(reference_columns(history, as_of, churn, clv)),
        meta={"shop": shop.shop, "timezone": ZONE, "currency": "EUR", "as_of": as_of},
    )
    releases.point_to(shop.releases, "tiny-1")
    current = releases.current(shop.releases)
    store = open_store(shop.store_url)
    for moment in (as_of - 30 * 86_400_000_000, as_of):
        run = score_run(
            history.path, current, shop.output / "runs", f"as-of-{moment}", moment, store=shop.store_url
        )
        store.publish(run.name, moment, run.parts, current=moment == as_of)
    return Made(config, rows, history, run, releases.load(current), more)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(config: Path, port: int, **environment: str) -> "subprocess.Popen[str]":
    """The launcher, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "serving", "--config", str(config), "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@dataclass(frozen=True)
class Served:
    """A running service: its client, its process."""

    client: httpx.Client
    process: "subprocess.Popen[str]"
    said: list[str]


@pytest.fixture(scope="session")
def served(made: Made) -> Iterator[Served]:
    port = free_port()
    process = start(made.config, port)
    said: list[str] = []
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            end = time.monotonic() + 90
            while True:
                assert process.poll() is None, process.stdout and process.stdout.read()
                assert time.monotonic() < end, "the service did not become ready"
                try:
                    if client.get("/readyz").status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                time.sleep(0.2)
            assert process.stdout is not None
            while not (said and said[-1].startswith("curl") and "/v1/score" in said[-1]):
                said.append(process.stdout.readline().strip())
            yield Served(client, process, said)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
