"""A simulated shop, trained, released and scored without MLflow, and requests for its service."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from lifestage import release as releases
from lifestage.datasets.simulated_files import simulate
from lifestage.fitting import fit_churn, fit_clv
from lifestage.history_file import HistoryFile
from lifestage.intake import open_tables, write_history
from lifestage.lifecycle import policy as policies
from lifestage.localtime import DAY, day_of
from lifestage.references import collect
from lifestage.runs import score_run
from lifestage.samples import reference_columns
from lifestage.settings import Reasons, parse
from lifestage.store import open_store
from tests.benchmarks.serving_callers import request
from tests.benchmarks.shop import TABLES, WORLD

CUSTOMERS = 10_000
TYPES = ("login", "view", "cart", "support")


def document(folder: Path) -> dict[str, Any]:
    """The shop's YAML as a dict."""
    sources = {
        name: {
            "path": str(folder / "raw" / f"{name}.parquet"),
            "columns": {column: column for column in ("customer_id", *columns)},
        }
        for name, columns in TABLES.items()
    }
    return {
        "shop": "bench",
        "timezone": WORLD.timezone,
        "currency": "CNY",
        "sources": sources,
        "features": {"funnel": ["view", "cart"]},
        "churn": {"horizon_days": 90, "train_cutoffs": 2},
        "output_dir": str(folder / "out"),
        "tracking_uri": f"sqlite:///{folder / 'mlflow.db'}",
    }


def make(folder: Path, customers: int = CUSTOMERS) -> Path:
    """The shop's YAML file; release, history and store are made beside it."""
    simulate(folder / "raw", customers, 7, WORLD)
    about = document(folder)
    config = folder / "bench.yaml"
    config.write_text(yaml.safe_dump(about), encoding="utf-8")
    shop = parse(about, "bench")
    shop.output.mkdir()
    path = shop.output / "history.parquet"
    with open_tables(shop, WORLD.end_t + DAY) as intake:
        write_history(intake, path, 5_000, None)
    history = HistoryFile(path)
    as_of = int(history.facts["as_of"])
    clv, churn = fit_clv(shop, history).shipped, fit_churn(shop, history).shipped.model
    clv.save(folder / "clv", {})
    churn.save(folder / "churn", {})
    releases.write(
        shop.releases,
        "bench-1",
        churn=folder / "churn",
        clv=folder / "clv",
        policy=policies.load("ecommerce"),
        reference=collect(reference_columns(history, as_of, churn, clv)),
        meta={
            "shop": shop.shop,
            "timezone": shop.timezone,
            "currency": shop.currency,
            "as_of": as_of,
            "reasons": Reasons().model_dump(),
        },
    )
    releases.point_to(shop.releases, "bench-1")
    current = releases.current(shop.releases)
    run = score_run(path, current, shop.output / "runs", "bench", as_of, store=shop.store_url)
    open_store(shop.store_url).publish(run.name, as_of, run.parts, current=True)
    (folder / "customers.json").write_text(
        json.dumps([str(id_) for batch in run.batches() for id_ in batch["customer_id"].to_pylist()])
    )
    return config


def ids(folder: Path) -> list[str]:
    """The scored customers, in an order that has nothing to do with the store's."""
    names = json.loads((folder / "customers.json").read_text())
    np.random.default_rng(1).shuffle(names)
    return names


def histories(purchases: int, events: int, seed: int = 2) -> Iterator[dict[str, Any]]:
    """Customers of a request, without end: rows over two years before the shop's end, two in three named by time."""
    rng = np.random.default_rng(seed)
    end = day_of(WORLD.end_t, WORLD.timezone)
    number = 0

    def instants(count: int) -> list[str]:
        days, seconds = rng.integers(1, 700, count), rng.integers(0, 86_400, count)
        return [
            f"{end - timedelta(days=int(d))}T{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}+08:00"
            for d, s in zip(days, seconds.tolist(), strict=True)
        ]

    while True:
        number += 1
        amounts = np.round(rng.gamma(3, 40, purchases), 2).tolist()
        yield {
            "customer_id": f"caller-{number}",
            "purchases": [
                {"ordered_at": at, "amount": amount, "order_id": f"{number}-{i}"}
                for i, (at, amount) in enumerate(zip(instants(purchases), amounts, strict=True))
            ],
            "events": [
                {"occurred_at": at, "event_type": TYPES[k], "session_id": f"s{k}"}
                for at, k in zip(instants(events), rng.integers(0, 4, events).tolist(), strict=True)
            ],
        }


def scoring(
    customers: int, purchases: int, events: int, requests: int, *, reasons: bool = True
) -> list[bytes]:
    """Requests of POST /v1/score."""
    made = histories(purchases, events)
    as_of = str(day_of(WORLD.end_t, WORLD.timezone))
    return [
        request(
            "POST",
            "/v1/score",
            {"as_of": as_of, "reasons": reasons, "customers": [next(made) for _ in range(customers)]},
        )
        for _ in range(requests)
    ]


def look_ups(names: list[str]) -> list[bytes]:
    return [request("GET", f"/v1/customers/{name}") for name in names]


def batch_gets(names: list[str], size: int) -> list[bytes]:
    return [
        request("POST", "/v1/customers:batchGet", {"customer_ids": names[i : i + size]})
        for i in range(0, min(len(names), 20 * size), size)
    ]
