"""training.lifecycle as a user runs it."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from .conftest import script
from .test_pipeline import scores_of


def test_page_and_tables_of_the_runs_kept_so_far(shop: Path) -> None:
    run = script(shop, "lifecycle", "--config", "shop.yaml", "--group", "acquisition_channel", "--out", "out")
    assert run.returncode == 0, run.stderr
    assert "won back" in run.stdout
    html = (shop / "out/lifecycle_report.html").read_text(encoding="utf-8")
    assert "<script" not in html
    scores = scores_of(shop)
    assert f"{len(scores):,} customers are known" in html
    stages = pq.read_table(shop / "out/lifecycle/stages.parquet").to_pylist()
    newest = max(row["as_of"] for row in stages)
    held = {r["stage"]: r["customers"] for r in stages if r["as_of"] == newest and r["group"] is None}
    counted = scores.group_by("stage").aggregate([("customer_id", "count")]).to_pylist()
    assert {k: v for k, v in held.items() if v} == {r["stage"]: r["customer_id_count"] for r in counted}
    table = pc.read_csv(shop / "out/lifecycle/channels.csv")
    assert {"channel", "metric", "value"} <= set(table.column_names)
    assert (shop / "out/lifecycle/flow.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_runs_of_another_policy_are_left_out(shop: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(shop, folder, ignore=shutil.ignore_patterns("mlflow*"))
    runs = sorted((folder / "var/shop/runs").iterdir(), key=lambda run: run.name[-10:])  # by day
    for part in runs[0].glob("part-*.parquet"):
        table = pq.read_table(part)
        other = pa.array(["ecommerce v0 00000000"] * len(table))
        pq.write_table(table.set_column(table.column_names.index("policy"), "policy", other), part)
    run = script(folder, "lifecycle", "--config", "shop.yaml")
    assert run.returncode == 0, run.stderr
    assert (
        "1 earlier runs were staged by another policy and are left out; training.score --flow-months"
        in run.stdout
    )
    assert f"{len(runs) - 1} runs, release" in run.stdout


def test_an_unknown_group_is_refused_in_one_sentence(shop: Path) -> None:
    run = script(shop, "lifecycle", "--config", "shop.yaml", "--group", "colour")
    assert run.returncode == 2
    assert "no column 'colour' to group by; frames and profile have:" in run.stderr
