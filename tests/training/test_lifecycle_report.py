"""training.lifecycle as a user runs it."""

from pathlib import Path

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


def test_an_unknown_group_is_refused_in_one_sentence(shop: Path) -> None:
    run = script(shop, "lifecycle", "--config", "shop.yaml", "--group", "colour")
    assert run.returncode == 2
    assert "no column 'colour' to group by; frames and profile have:" in run.stderr
