"""What the churn trainer leaves for a reader: the page, the tables, and where it says they lie."""

from pathlib import Path

import mlflow
import pandas as pd

from .conftest import CUSTOMERS


def test_the_page_lies_in_the_output_and_in_mlflow(shop: Path) -> None:
    page = (shop / "var/shop/churn_report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "<h1>shop: who will leave?" in page
    assert f"of {CUSTOMERS:,} in the data" in page
    for level in ("region", "age_band", "acquisition channel", "value tier (net spend so far)"):
        assert level in page
    said = (shop / "pipeline.txt").read_text(encoding="utf-8")
    assert "report: var/shop/churn_report.html (open it in a browser)" in said
    logged = list((shop / "var/mlflow-artifacts").rglob("report.html"))
    assert page in [path.read_text(encoding="utf-8") for path in logged]


def test_segments_and_the_four_parts_are_tables_of_the_run(shop: Path) -> None:
    database = f"sqlite:///{shop / 'var/mlflow.db'}"
    client = mlflow.MlflowClient(tracking_uri=database, registry_uri=database)
    run = client.get_run(client.get_model_version_by_alias("shop-churn", "champion").run_id)
    tables = shop / "var/mlflow-artifacts" / run.info.run_id / "artifacts/tables"
    parts = pd.read_csv(tables / "four_way.csv").set_index(["time", "customers"])
    segments = pd.read_csv(tables / "segments.csv")
    n = run.data.metrics["n"]
    assert parts.loc["later", "n"].sum() == n
    assert run.data.metrics["four_way/later_new/n"] == parts.loc[("later", "new"), "n"] > 0
    assert 0 < parts.loc[("same", "new"), "n"] < parts.loc[("same", "seen"), "n"]
    assert {"value", "tenure"} <= set(segments["dimension"])
    assert segments.groupby("dimension")["customers"].sum().loc["value"] == n
    assert run.data.metrics["failing_segments"] == segments["fails"].sum()
