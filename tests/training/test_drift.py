"""python -m training.drift on the simulated shop: as it is, with changed tables, with releases of several kinds."""

import json
import pickle
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import cloudpickle
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from lifestage import bundle, release, settings
from lifestage.drift.population import watch
from lifestage.drift.profile import FILE, column_of, names_of
from lifestage.drift.reference import reference_of
from lifestage.errors import InputError
from lifestage.history_file import HistoryFile
from lifestage.localtime import DAY, day_of
from training.drift import drift, show
from training.score import score

Change = Callable[[pa.Table], pa.Table]


@pytest.fixture
def mine(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shop to change."""
    folder = tmp_path / "mine"
    shutil.copytree(shop, folder)
    document = yaml.safe_load((folder / "shop.yaml").read_text(encoding="utf-8"))
    document["tracking_uri"] = f"sqlite:///{folder / 'var/mlflow.db'}"
    (folder / "shop.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def untracked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is recorded in MLflow and no page drawn, which takes most of the time."""
    monkeypatch.setattr("lifestage.tracking.Tracker", MagicMock())
    monkeypatch.setattr("lifestage.drift.page.drift_page", lambda _report: "")


def released_on(folder: Path) -> date:
    manifest = bundle.read(release.current(folder / "var/shop/releases"), "release")
    return day_of(manifest["as_of"], "Asia/Shanghai")


def changed(folder: Path, name: str, change: Change) -> None:
    path = folder / f"data/shop/{name}.parquet"
    pq.write_table(change(pq.read_table(path)), path)


def without_last(column: str, days: int, keep_one_in: int = 0) -> Change:
    """The rows of the last days left out, or but one in so many."""

    def change(table: pa.Table) -> pa.Table:
        t = table[column].cast(pa.timestamp("us"))
        last = pc.max(t).as_py()
        keep = pc.less(t, pa.scalar(last - timedelta(days=days), pa.timestamp("us")))
        if keep_one_in:
            rows = pa.array([i % keep_one_in == 0 for i in range(len(table))])
            keep = pc.or_(keep, rows)
        return table.filter(keep)

    return change


def test_a_shop_as_it_was_trained_is_steady(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop = settings.load("shop.yaml")
    found = drift(shop, None)
    show(found, "page")
    assert found["status"] == "steady" and found["findings"] == [], found["findings"]
    assert "steady 平稳" in capsys.readouterr().out
    assert json.loads((mine / "var/shop/drift.json").read_text(encoding="utf-8")) == found
    json.dumps(found, allow_nan=False)
    page = (mine / "var/shop/drift.html").read_text(encoding="utf-8")
    assert "<script" not in page and "https://" not in page.replace("https://www.w3.org", "")
    assert page.count("<svg") == 5 and "平稳" in page
    columns = found["figures"]["columns"]
    assert {"score/churn_probability", "score/clv", "stage/stage"} <= set(columns)
    assert {"transactions", "events", "feedback"} <= set(found["figures"]["volume"])
    assert sum(c["importance"] for c in columns.values()) == pytest.approx(1, abs=0.01)

    import mlflow

    runs = mlflow.MlflowClient(shop.tracking_uri).search_runs(
        [mlflow.MlflowClient(shop.tracking_uri).get_experiment_by_name("shop").experiment_id],
        "tags.kind = 'drift'",
    )
    assert runs[0].data.tags["status"] == "steady"
    assert runs[0].data.metrics["weighted_stability_index"] == found["figures"]["weighted_stability_index"]


def test_the_reference_is_small_and_of_the_training_cutoffs(mine: Path) -> None:
    folder = release.current(mine / "var/shop/releases")
    profile = reference_of(folder)
    manifest = bundle.read(folder / "churn", "churn")
    assert profile is not None
    days = [str(day_of(t, "Asia/Shanghai")) for t in profile.training]
    assert days == manifest["cutoffs"]["shipped"]
    assert profile.instants[-1] == profile.as_of == bundle.read(folder, "release")["as_of"]
    assert (folder / FILE).stat().st_size < 100_000
    kinds = {column.kind for column in profile.columns}
    assert kinds == {"feature", "score", "stage"}


@pytest.mark.usefixtures("untracked")
def test_events_that_stop_are_told(mine: Path) -> None:
    """A broken export of events: none in the last twenty days."""
    changed(mine, "events", without_last("occurred_at", 20))
    found = drift(settings.load("shop.yaml"), None)
    assert found["status"] != "steady"
    silent = next(f for f in found["findings"] if f["what"] == "freshness")
    assert silent["name"] == "events" and silent["figure"] >= 20
    assert "events: none for" in silent["sentence"] and "is the export cut off?" in silent["sentence"]
    assert any(f["what"] == "volume" and f["name"] == "events" for f in found["findings"])


@pytest.mark.usefixtures("untracked")
def test_amounts_in_another_unit_are_told(mine: Path) -> None:
    """Orders of all times in cents: every spend feature is another one."""

    def cents(table: pa.Table) -> pa.Table:
        at = table.schema.get_field_index("amount")
        return table.set_column(at, "amount", pc.multiply(table["amount"].cast(pa.float64()), 100.0))

    changed(mine, "transactions", cents)
    found = drift(settings.load("shop.yaml"), None)
    names = {f["name"] for f in found["findings"]}
    assert found["status"] != "steady" and "expected_order_value" in names
    index = found["figures"]["columns"]["score/expected_order_value"]
    assert index["unusual"] and index["stability_index"] > 1


@pytest.mark.usefixtures("untracked")
def test_a_release_without_a_reference_says_so(mine: Path) -> None:
    releases = mine / "var/shop/releases"
    now = release.current(releases)
    loaded = release.load(now)
    meta = {
        k: v for k, v in loaded.manifest.items() if k not in ("kind", "name", "versions", "files", "checksum")
    }
    release.write(
        releases,
        "old",
        churn=now / "churn",
        clv=now / "clv",
        policy=loaded.policy,
        reference=loaded.references,
        meta=meta,
    )
    release.point_to(releases, "old")
    found = drift(settings.load("shop.yaml"), None)
    assert found["status"] == "steady" and found["figures"]["columns"] == {}
    assert "published before drift was watched" in found["notes"][0]
    assert found["figures"]["volume"]["transactions"]["rows"] > 0
    score(settings.load("shop.yaml"), None, 0)


@pytest.mark.usefixtures("untracked")
def test_a_day_before_the_release_is_refused(mine: Path) -> None:
    day = released_on(mine) - timedelta(days=30)
    with pytest.raises(
        InputError, match=r"the current release .* is newer, and drift is told from a release"
    ):
        drift(settings.load("shop.yaml"), day)


@pytest.mark.usefixtures("untracked")
def test_a_new_policy_keeps_the_reference_but_not_the_stages(mine: Path) -> None:
    from lifestage.policies.publishing import publish

    before = reference_of(release.current(mine / "var/shop/releases"))
    text = (release.current(mine / "var/shop/releases") / "policy.yaml").read_text(encoding="utf-8")
    publish(mine / "var/shop/releases", text + "\n# another day\n", "policy.yaml")
    after = reference_of(release.current(mine / "var/shop/releases"))
    assert before is not None and after is not None and after.to_bytes() == before.to_bytes()
    found = drift(settings.load("shop.yaml"), None)
    assert "stages are not compared" in found["notes"][0]
    assert "stage/stage" not in found["figures"]["columns"]


class Elsewhere:
    """A cluster of one machine: work and results travel as they would to another."""

    def map(self, work: Callable[[Any], pa.Table], items: Sequence[Any]) -> Iterator[pa.Table]:
        packed = cloudpickle.dumps(work)  # as Spark does
        return (pickle.loads(packed)(item) for item in items)  # noqa: S301


def test_a_cluster_sees_the_same(shop: Path) -> None:
    path = shop / "var/shop/history.parquet"
    loaded = release.load(release.current(shop / "var/shop/releases"))
    here, there = HistoryFile(path), HistoryFile(path, Elsewhere())
    assert here.blocks > 1
    instants = [here.facts["as_of"] - 60 * DAY, here.facts["as_of"]]
    mine, theirs = (watch(file, instants, instants[1], loaded, share=0.7) for file in (here, there))
    for instant in instants:
        a, b = mine.at[instant], theirs.at[instant]
        for kind, name in names_of(a):
            found, other = column_of(a, kind, name), column_of(b, kind, name)
            assert found.dtype == other.dtype and len(found) > 100
            assert pa.array(found, from_pandas=True).equals(pa.array(other, from_pandas=True))
    for name, rows in mine.rows.items():
        assert rows.first == theirs.rows[name].first
        assert rows.counts.tolist() == theirs.rows[name].counts.tolist()
