"""Shops whose churn is not about orders, from their files through the pipeline to what the service loads."""

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from lifestage.clv.model import ClvModel
from lifestage.schemas import SCORE
from serving.routes import Answer
from serving.score import scores_of
from serving.state import load
from serving.warmup import warm_up

from .conftest import script

N = 600
SUBSCRIBERS = 1_500
FIRST = datetime(2023, 1, 1)
POLICY = """
name: plain
default: steady
stages:
  - name: at_risk
    labels: {en: At risk, zh: 流失预警}
    enter: churn_percentile >= 0.8
  - name: steady
    labels: {en: Steady, zh: 稳定}
    enter: eligible
"""


def people(rng: np.random.Generator, n: int = N, days: int = 200) -> pa.Table:
    return pa.table(
        {
            "id": [f"c{i}" for i in range(n)],
            "joined": [FIRST + timedelta(days=int(d)) for d in rng.integers(0, days, n)],
            "care": rng.random(n),
            "vip": rng.random(n) < 0.3,
        }
    )


def config(folder: Path, definition: str, **document: Any) -> Path:
    attributes = {"customer_id": "id", "care": "care", "vip": "vip"}
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    sources = {"customers": {"path": "customers.parquet", "columns": attributes}, **document.pop("sources")}
    whole = {
        "shop": definition, "timezone": "Europe/Berlin", "currency": "EUR", "policy": "policy.yaml",
        "sources": sources, "scoring": {"flow_months": 1, "block_customers": 250}, **document,
    }  # fmt: skip
    (folder / "shop.yaml").write_text(yaml.safe_dump(whole), encoding="utf-8")
    return folder / "shop.yaml"


def piped(folder: Path, name: str) -> tuple[str, pa.Table, dict[str, Any]]:
    """Output, scores and release manifest of the pipeline, after `check` has said yes."""
    checked = script(folder, "check", "--config", "shop.yaml")
    assert checked.returncode == 0, checked.stderr
    run = script(folder, "pipeline", "--config", "shop.yaml")
    assert run.returncode == 0, run.stderr
    runs = sorted((folder / f"var/{name}/runs").glob("as-of-*"))
    scores = pa.concat_tables(pq.read_table(part) for part in sorted(runs[-1].glob("part-*.parquet")))
    assert scores.schema.equals(SCORE)
    current = json.loads((folder / f"var/{name}/releases/current.json").read_text())["release"]
    manifest = json.loads((folder / f"var/{name}/releases" / current / "manifest.json").read_text())
    return run.stdout, scores, manifest


def without_clv(folder: Path, text: str, scores: pa.Table, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What holds of every shop without transactions; returns the service's state."""
    assert "train the CLV model" not in text
    assert "no value: no transactions" in text
    for name in ("clv", "p_alive", "expected_orders", "clv_percentile", "next_order_at", "p_order"):
        assert scores[name].null_count == len(scores), name
    assert set(scores["stage"].to_pylist()) <= {"steady", "at_risk"}
    clv = script(folder, "train_clv", "--config", "shop.yaml")
    assert clv.returncode == 2
    assert "without orders there is no CLV model to train" in clv.stderr
    monkeypatch.chdir(folder)
    state = load(folder / "shop.yaml")
    assert state.release.clv is None
    assert state.facts["clv_horizon_days"] is None
    warm_up(state)
    return state


def test_a_subscription_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    described = people(rng, SUBSCRIBERS, 650)
    rows = []
    for who, joined, care in zip(*(described[c].to_pylist() for c in ("id", "joined", "care")), strict=True):
        start = joined
        while start < FIRST + timedelta(days=700):
            end = start + timedelta(days=30)
            over = end < FIRST + timedelta(days=700)
            rows.append({"id": who, "from": start, "to": end if over else None, "price": 10.0 + 5 * care})
            if rng.random() > 0.97 - 0.2 * care:
                break
            start = end + timedelta(days=int(rng.integers(0, 3)))
    pq.write_table(described, tmp_path / "customers.parquet")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "terms.parquet")
    columns = {"customer_id": "id", "started_at": "from", "ended_at": "to", "monthly_price": "price"}
    config(
        tmp_path, "subscription", sources={"subscriptions": {"path": "terms.parquet", "columns": columns}},
        churn={"definition": "subscription", "horizon_days": 30, "grace_days": 5, "train_cutoffs": 3},
    )  # fmt: skip
    text, scores, manifest = piped(tmp_path, "subscription")
    state = without_clv(tmp_path, text, scores, monkeypatch)
    assert "the term ends within 30 days and is not renewed within 5 days" in text
    assert "days subscribed" in text
    assert manifest["out_of_time"] is True
    assert manifest["metrics"]["subscription-churn"]["roc_auc"] > 0.55
    as_of = scores["as_of"][0].as_py().replace(tzinfo=None)
    running = {r["id"] for r in rows if r["from"] < as_of and (r["to"] is None or r["to"] >= as_of)}
    eligible = {r["customer_id"] for r in scores.to_pylist() if r["eligible"]}
    # Berlin's midnight lies an hour before UTC's: only terms that end or start within it may differ
    assert len(eligible ^ running) <= 0.05 * N
    assert 0 < len(eligible) < SUBSCRIBERS
    # a request with raw terms is scored, and one that has left is not eligible
    terms = [{"started_at": "2024-09-01", "monthly_price": 12.0}]
    body = {"as_of": "2024-10-01", "customers": [
        {"customer_id": "x", "subscriptions": terms},
        {"customer_id": "y", "subscriptions": [{**terms[0], "ended_at": "2024-09-20"}]},
    ]}  # fmt: skip
    (found,) = scores_of(state, [json.dumps(body).encode()], 0, counted=False)
    assert isinstance(found, Answer), found
    answer = json.loads(found.content)
    assert [row["eligible"] for row in answer["scores"]] == [True, False]
    assert 0 < answer["scores"][0]["churn_probability"] < 1
    assert answer["scores"][0]["clv"] is None


def given_labels(described: pa.Table, rng: np.random.Generator) -> list[bool]:
    care, vip = (np.asarray(described[c].to_pylist(), np.float64) for c in ("care", "vip"))
    return (rng.random(N) < 0.1 + 0.6 * care * (1 - 0.5 * vip)).tolist()


def test_given_labels_without_dates_are_split_at_random_and_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(4)
    described = people(rng)
    left = given_labels(described, rng)
    pq.write_table(described, tmp_path / "customers.parquet")
    pq.write_table(pa.table({"id": described["id"], "left": left}), tmp_path / "labels.parquet")
    labels = {"path": "labels.parquet", "columns": {"customer_id": "id", "churned": "left"}}
    config(tmp_path, "given", sources={"labels": labels}, churn={"definition": "given"})
    text, scores, manifest = piped(tmp_path, "given")
    without_clv(tmp_path, text, scores, monkeypatch)
    assert "NOT out of time" in text
    assert manifest["out_of_time"] is False
    metrics = manifest["metrics"]["given-churn"]
    assert (metrics["out_of_time"], metrics["n"]) == (0.0, pytest.approx(N / 5, abs=2))
    assert 0.6 < metrics["roc_auc"] < 0.9
    assert metrics["base_rate"] == pytest.approx(np.mean(left), abs=0.01)  # stratified
    assert scores["eligible"].to_pylist() == [True] * N


def test_given_labels_with_dates_are_split_by_time(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    described = people(rng)
    days = [date(2024, m, 1) for m in (1, 3, 5, 7, 9)]
    rows = [
        {"id": who, "on": day, "left": churned}
        for day in days
        for who, churned in zip(described["id"].to_pylist(), given_labels(described, rng), strict=True)
    ]
    pq.write_table(described, tmp_path / "customers.parquet")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "labels.parquet")
    columns = {"customer_id": "id", "churned": "left", "as_of": "on"}
    labels = {"path": "labels.parquet", "columns": columns}
    churn = {"definition": "given", "horizon_days": 60}
    config(tmp_path, "given", sources={"labels": labels}, churn=churn)
    text, scores, manifest = piped(tmp_path, "given")
    assert manifest["out_of_time"] is True
    assert "NOT out of time" not in text
    report = json.loads((tmp_path / "var/given/readiness.json").read_text(encoding="utf-8"))
    parts = [(at["part"], at["cutoff"]) for at in report["cutoffs"]]
    assert parts[-2:] == [("validation", "2024-07-01"), ("test", "2024-09-01")]
    assert parts[:-2] == [("train", "2024-01-01"), ("train", "2024-03-01"), ("train", "2024-05-01")]
    assert (
        scores["as_of"][0].as_py().isoformat() == "2024-10-30T23:00:00+00:00"
    )  # the last label's window ends


def test_an_activity_shop_with_purchases_keeps_its_clv_model(
    shop: Path, shop_document: dict[str, Any], tmp_path: Path
) -> None:
    churn = {"definition": "activity", "horizon_days": 30, "active_within_days": 90, "train_cutoffs": 2}
    sources = {
        name: {**source, "path": str(shop / source["path"])}
        for name, source in shop_document["sources"].items()
    }
    document = {**shop_document, "shop": "active", "churn": churn, "sources": sources}
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    text, scores, manifest = piped(tmp_path, "active")
    assert "no event within 30 days, among customers with an event in the last 90 days" in text
    assert "days since last event" in text
    assert "BG/NBD expected orders" not in text
    assert "active-clv" in manifest["metrics"]
    assert scores["clv"].null_count < len(scores)
    events = pq.read_table(shop / "data/shop/events.parquet")
    instants = events["occurred_at"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy()
    as_of = int(scores["as_of"].cast(pa.int64())[0].as_py())
    recent = (instants < as_of) & (instants >= as_of - 90 * 86_400_000_000)
    expected = set(events["customer_id"].filter(pa.array(recent)).to_pylist())
    assert {r["customer_id"] for r in scores.to_pylist() if r["eligible"]} == {str(e) for e in expected}


def test_data_below_the_minimums_stop_at_step_one_unless_told_otherwise(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    described = people(rng).slice(0, 300)
    left = given_labels(people(rng), rng)[:300]
    pq.write_table(described, tmp_path / "customers.parquet")
    pq.write_table(pa.table({"id": described["id"], "left": left}), tmp_path / "labels.parquet")
    labels = {"path": "labels.parquet", "columns": {"customer_id": "id", "churned": "left"}}
    config(tmp_path, "given", sources={"labels": labels}, churn={"definition": "given"})
    refused = "the data are not ready to train on. customers: 60 eligible customers"
    for verb in ("check", "train_churn", "pipeline"):
        run = script(tmp_path, verb, "--config", "shop.yaml")
        assert run.returncode == 2, verb
        assert refused in run.stderr
        assert "--accept-unready" in run.stderr
    assert "[2/" not in run.stdout
    assert json.loads((tmp_path / "var/given/readiness.json").read_text())["level"] == "refuse"
    accepted = script(tmp_path, "train_churn", "--config", "shop.yaml", "--accept-unready")
    assert accepted.returncode == 0, accepted.stderr
    assert "note: the data are not ready to train on: customers: 60" in accepted.stdout


def test_clv_outputs_stay_those_of_the_score() -> None:
    """The columns left null without a CLV model are all that a CLV model gives."""
    days = {f"next_order{point}_days" for point in ("", "_low", "_high")}
    assert set(ClvModel.OUTPUTS) - days <= set(SCORE.names)
