"""The scripts as a user runs them: the whole path, its output, its files, and what bad input gets."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from lifestage import release as releases
from lifestage.clv.summary import Summary
from lifestage.schemas import SCORE
from training.command import python

from .conftest import CUSTOMERS, ROOT, script

VERBS = (
    "prepare",
    "check",
    "features",
    "train_clv",
    "train_churn",
    "gate",
    "promote",
    "score",
    "report",
    "backtest",
    "contact",
    "alerts",
    "export",
    "policy",
    "pipeline",
    "simulate",
)


def scores_of(folder: Path) -> pa.Table:
    runs = sorted((folder / "var/shop/runs").glob("as-of-*"))
    return pa.concat_tables(pq.read_table(part) for part in sorted(runs[-1].glob("part-*.parquet")))


def test_every_customer_gets_one_complete_row(shop: Path) -> None:
    scores = scores_of(shop)
    assert scores.schema.equals(SCORE)
    ids = scores["customer_id"].to_pylist()
    assert len(ids) == len(set(ids)) == CUSTOMERS
    assert ids == sorted(ids, key=str.encode)
    assert scores["stage"].null_count == 0
    for row in scores.to_pylist():
        assert (row["churn_probability"] is not None) == row["eligible"]
        assert row["clv"] is None or row["clv"] >= 0
        if row["eligible"]:
            assert 0 < row["churn_probability"] < 1
            assert 0 <= row["churn_percentile"] <= 1
    buyers = scores["clv"].is_valid().to_pylist()
    assert any(buyers)
    assert not all(buyers)  # some only signed up


def test_the_summary_speaks_of_stages_value_rules_and_flow(shop: Path) -> None:
    text = (shop / "pipeline.txt").read_text(encoding="utf-8")
    for expected in (
        "Customers, value and churn risk by stage",
        "loyalty 忠诚维系",
        "The ten most valuable customers at risk, and why",
        "days since last order",
        "BG/NBD expected orders",
        "Flow between stages",
        "customers moved",
    ):
        assert expected in text


def test_the_store_serves_the_run_and_keeps_the_flow(shop: Path) -> None:
    with sqlite3.connect(shop / "var/shop/store.db") as store:
        assert store.execute("SELECT count(*) FROM scores").fetchone() == (CUSTOMERS,)
        days = store.execute("SELECT count(DISTINCT as_of) FROM runs").fetchone()
    assert days == (3,)  # two past months and the day itself


def test_runs_are_tracked_registered_and_reproducible(shop: Path) -> None:
    database = f"sqlite:///{shop / 'var/mlflow.db'}"
    client = mlflow.MlflowClient(tracking_uri=database, registry_uri=database)
    release = json.loads((shop / "var/shop/releases/current.json").read_text())["release"]
    manifest = json.loads((shop / "var/shop/releases" / release / "manifest.json").read_text())
    for kind, metric in (("churn", "roc_auc"), ("clv", "model_orders_mae")):
        champion = client.get_model_version_by_alias(f"shop-{kind}", "champion")
        assert manifest["versions_registered"][f"shop-{kind}"] == str(champion.version)
        run = client.get_run(champion.run_id)
        assert run.data.metrics[metric] > 0
        assert len(run.data.tags["fingerprint"]) == 64
        assert run.data.params["as_of"] == "2026-01-01"
        assert client.list_artifacts(champion.run_id, "plots")
    files = {path.suffix for path in (shop / "var/mlflow-artifacts").rglob("*") if path.is_file()}
    assert not files & {".pkl", ".pickle", ".joblib"}


def test_a_registered_version_predicts_what_the_release_does(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop)
    mlflow.set_tracking_uri("sqlite:///var/mlflow.db")
    loaded = mlflow.pyfunc.load_model("models:/shop-clv@champion")
    row = pd.DataFrame({"frequency": [3.0], "recency": [90.0], "T": [120.0], "monetary_value": [50.0]})
    found = loaded.predict(row)
    release = releases.load(releases.current(Path("var/shop/releases")))
    expected = release.clv.predict(
        Summary(**{name: row[name].to_numpy() for name in row}, has_purchase=row["T"].to_numpy() > 0)
    )
    assert found["clv"].tolist() == expected["clv"].tolist()


def test_scores_as_of_a_day_are_those_without_any_later_row(
    shop: Path, shop_document: dict, tmp_path: Path
) -> None:
    """Training and scoring as of a past day = the same on files whose later rows were deleted, bit for bit."""
    day = "2025-07-01"
    document = {**shop_document, "tracking_uri": "sqlite:///past/mlflow.db", "output_dir": "past"}
    tables = {"transactions": "ordered_at", "events": "occurred_at", "feedback": "submitted_at"}
    for folder, keep_all in ((tmp_path / "whole", True), (tmp_path / "cut", False)):
        (folder / "data/shop").mkdir(parents=True)
        for name in (*tables, "customers"):
            table = pq.read_table(shop / f"data/shop/{name}.parquet")
            if not keep_all and name in tables:
                limit = pa.scalar(f"{day}T00:00:00+0800").cast(pa.timestamp("us", tz="UTC"))
                instants = table[tables[name]].cast(pa.timestamp("us", tz="UTC"))
                table = table.filter(pa.compute.less(instants, limit))
            pq.write_table(table, folder / f"data/shop/{name}.parquet")
        (folder / "shop.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        run = script(folder, "pipeline", "--config", "shop.yaml", "--as-of", day)
        assert run.returncode == 0, run.stderr
    parts = [
        pa.concat_tables(
            pq.read_table(p) for p in sorted((tmp_path / side / "past/runs" / f"as-of-{day}").glob("p*"))
        )
        for side in ("whole", "cut")
    ]
    refunds = pq.read_table(shop / "data/shop/transactions.parquet")["amount"]
    assert pa.compute.any(pa.compute.less(refunds, 0)).as_py()
    whole, cut = (part.drop_columns(["release"]) for part in parts)
    assert len(whole) > CUSTOMERS / 2
    assert whole.equals(cut)


@pytest.mark.parametrize("verb", VERBS)
def test_help_explains_itself(verb: str, tmp_path: Path) -> None:
    shown = script(tmp_path, verb, "--help")
    assert shown.returncode == 0
    assert f"{python()} -m training.{verb}" in shown.stdout
    assert len(shown.stdout) > 300


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"timezone": "Asia/Shanghia"},
            "timezone 'Asia/Shanghia' does not exist; did you mean 'Asia/Shanghai'",
        ),
        ({"polcy": "ecommerce"}, "unknown key 'polcy'; did you mean 'policy'"),
        ({"policy": "ecomerce"}, "ecommerce"),
        ({"store": "mysql://nowhere"}, "mysql://nowhere"),
        ({"churn": {"horizon_days": 700}}, "days"),
    ],
)
def test_a_wrong_configuration_ends_with_one_sentence_and_code_2(
    shop: Path, shop_document: dict, tmp_path: Path, change: dict, message: str
) -> None:
    document = {**shop_document, "output_dir": str(tmp_path / "out"), **change}
    config = tmp_path / "wrong.yaml"
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    run = script(shop, "pipeline", "--config", str(config))
    assert run.returncode == 2, run.stdout + run.stderr
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert not list((tmp_path / "out").rglob("releases/*"))


def test_scoring_without_a_release_says_what_to_do(shop: Path, shop_document: dict, tmp_path: Path) -> None:
    config = tmp_path / "fresh.yaml"
    config.write_text(
        yaml.safe_dump({**shop_document, "output_dir": str(tmp_path / "out")}), encoding="utf-8"
    )
    run = script(shop, "score", "--config", str(config))
    assert run.returncode == 2
    assert "training.promote" in run.stderr
    report = script(shop, "report", "--config", str(config))
    assert report.returncode == 2
    assert "training.score" in report.stderr


def test_a_date_that_is_none_is_refused(shop: Path) -> None:
    run = script(shop, "score", "--config", "shop.yaml", "--as-of", "yesterday")
    assert run.returncode == 2
    assert "'yesterday' is not a date; write it as YYYY-MM-DD" in run.stderr


def test_two_runs_of_one_shop_wait_for_one_another(shop: Path) -> None:
    """A run as of another day replaces the history; a run going on must never read it."""
    before = scores_of(shop)
    (shop / "var/shop/history.key").unlink()
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    command = [sys.executable, "-m", "training.score", "--config", "shop.yaml"]
    past = ["--as-of", "2025-03-01"]
    both = [
        subprocess.Popen([*command, *more], cwd=shop, env=env, text=True, stdout=-1, stderr=-1)
        for more in ([], past, [])
    ]
    ended = [run.communicate(timeout=200) for run in both]
    assert [run.returncode for run in both] == [0, 0, 0], ended
    assert scores_of(shop).equals(before)
    assert not list((shop / "var/shop/runs").glob(".*"))


def test_what_a_killed_run_left_is_cleared_by_the_next(shop: Path) -> None:
    left = shop / "var/shop/runs/.as-of-2020-01-01.deadbeef"
    left.mkdir()
    (left / "part-000000.parquet").write_bytes(b"half")
    (shop / "var/shop/.history.parquet.1.part").write_bytes(b"half")
    assert script(shop, "prepare", "--config", "shop.yaml").returncode == 0
    assert not left.exists()
    assert not (shop / "var/shop/.history.parquet.1.part").exists()


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """kill -9 of a scoring run leaves no process behind."""
    driver = tmp_path / "driver.py"
    driver.write_text(
        "import lifestage.runs as runs, os, sys, time\n"
        "from pathlib import Path\n"
        "if __name__ == '__main__':\n"
        "    from concurrent.futures import ProcessPoolExecutor\n"
        "    from multiprocessing import get_context\n"
        "    pool = ProcessPoolExecutor(2, mp_context=get_context('spawn'), initializer=runs._begin_worker)\n"
        "    print(*{f.result() for f in [pool.submit(os.getpid) for _ in range(8)]}, flush=True)\n"
        "    time.sleep(60)\n",
        encoding="utf-8",
    )
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    run = subprocess.Popen([sys.executable, str(driver)], env=env, text=True, stdout=subprocess.PIPE)
    assert run.stdout is not None
    workers = [int(pid) for pid in run.stdout.readline().split()]
    assert workers
    run.kill()
    run.wait()
    run.stdout.close()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline, "a worker lives on without its parent"
        time.sleep(0.1)
