"""training.backtest as a user runs it."""

import json
import shutil
from datetime import date
from pathlib import Path

import pyarrow.csv as pc
import pytest
import yaml

from lifestage import settings
from lifestage.tracking import Tracker
from training.backtest import backtest
from training.rounds_report import keep_outcomes, write_report

from .conftest import script

THEN = "2024-06-01"


@pytest.fixture(scope="module")
def later(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop as of a past day, promoted and scored then, in a folder of its own."""
    folder = tmp_path_factory.mktemp("later")
    shutil.copytree(shop, folder / "shop", ignore=shutil.ignore_patterns("var"))
    folder = folder / "shop"
    document = yaml.safe_load((folder / "shop.yaml").read_text(encoding="utf-8"))
    document["scoring"] = {"flow_months": 1, "block_customers": 500, "look_ahead_days": []}
    document["churn"]["train_cutoffs"] = 1
    (folder / "shop.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    done = script(folder, "pipeline", "--config", "shop.yaml", "--as-of", THEN)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_run_of_a_past_day_is_judged_by_what_came(later: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(later)
    shop = settings.load(Path("shop.yaml"))
    found = backtest(shop, None)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    (one,) = found["runs"]
    assert {path.name for path in (shop.output / "runs").iterdir()} == {f"as-of-{THEN}", "flow-2024-05-01"}
    assert one["as_of"] == THEN
    assert one["complete"]["churn"]
    assert 0.5 < one["figures"]["churn"]["roc_auc"] < 1
    assert {left["why"] for left in found["left_out"]} == {
        "hindsight"
    }  # past months staged with that release
    assert found["sentences"][0].startswith("Of the 1 round whose")
    page = shop.output / "backtest.html"
    table = pc.read_csv(page.with_suffix(".csv"))
    assert set(table["run"].to_pylist()) == {f"as-of-{THEN}"}
    client = Tracker(shop.tracking_uri).client
    experiment = client.get_experiment_by_name(shop.shop)
    (run,) = client.search_runs([experiment.experiment_id], "tags.kind = 'backtest'")
    assert run.data.metrics["rounds"] == 1
    assert run.data.metrics["churn_roc_auc"] == pytest.approx(one["figures"]["churn"]["roc_auc"])
    keep_outcomes(shop, found)
    rounds = write_report(shop).read_text(encoding="utf-8")
    assert f"{one['figures']['churn']['roc_auc']:.3f}" in rounds
    assert f"{one['figures']['churn']['eligible']:,.0f}" in rounds
    before = backtest(shop, date.fromisoformat(THEN))
    assert before["runs"] == []
    assert "waiting" in {left["why"] for left in before["left_out"]}
