"""A tiny shop whose tracking_uri is a shared server with a log-in: everything that a SQLite file did, it does."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
import yaml

from lifestage import fitting, references, release, settings
from lifestage.clv.summary import Summary
from lifestage.datasets.simulated import World
from lifestage.datasets.simulated_files import simulate
from lifestage.errors import InputError
from lifestage.tracking import Run, Tracker
from tests.tracking_server.conftest import ADMIN, PASSWORD, ROOT, Tracking
from training import exclusive
from training.promote import promote
from training.train_clv import train

pytestmark = pytest.mark.timeout(900)  # a minute where nothing else runs
ANA = ("ana", "may-train-and-promote")
BEN = ("ben", "may-only-look-at-it")


def people_of(url: str) -> Any:
    """Users and permissions of the server. Its client needs the packages of the extra `server`."""
    from mlflow.server.auth.client import AuthServiceClient

    return AuthServiceClient(url)


def as_user(monkeypatch: pytest.MonkeyPatch, user: str, password: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)


def script(
    folder: Path, who: tuple[str, str] | None, verb: str, *args: str
) -> "subprocess.CompletedProcess[str]":
    """python -m training.<verb> as a user of the server's."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_TRACKING")}
    env["PYTHONPATH"] = f"{ROOT}{os.pathsep}{ROOT / 'src'}"
    env |= {"MLFLOW_TRACKING_USERNAME": who[0], "MLFLOW_TRACKING_PASSWORD": who[1]}
    return subprocess.run(
        [sys.executable, "-m", f"training.{verb}", "--config", "shop.yaml", *args],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.fixture(autouse=True)
def _ended_as_a_process_would() -> Iterator[None]:
    yield
    for file in exclusive._held.values():
        file.close()
    exclusive._held.clear()
    while mlflow.active_run() is not None:
        mlflow.end_run()


@pytest.fixture(scope="module")
def shop(tracking: Tracking, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shop's files and shop.yaml, its pipeline run once against the server, by a user who is no admin."""
    with pytest.MonkeyPatch.context() as patch:
        as_user(patch, ADMIN, PASSWORD)
        people = people_of(tracking.url)
        for user, password in (ANA, BEN):
            people.create_user(user, password)
    folder = tmp_path_factory.mktemp("shop")
    simulate(folder / "data/shop", 700, 7, World())
    document = yaml.safe_load((ROOT / "configs/shop.yaml").read_text(encoding="utf-8"))
    document["tracking_uri"] = tracking.url
    document["churn"] |= {"train_cutoffs": 2}
    document["readiness"] = {"accept_unready": True}
    document["scoring"] = {"flow_months": 0}
    (folder / "shop.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    done = script(folder, ANA, "pipeline")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def pointer(shop: Path) -> str:
    return str(json.loads((shop / "var/shop/releases/current.json").read_text())["release"])


def test_runs_models_aliases_and_files_are_on_the_server_alone(
    shop: Path, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_user(monkeypatch, *ANA)
    client = mlflow.MlflowClient(tracking.url, tracking.url)
    manifest = json.loads((shop / "var/shop/releases" / pointer(shop) / "manifest.json").read_text())
    for kind, metric in (("churn", "roc_auc"), ("clv", "model_orders_mae")):
        champion = client.get_model_version_by_alias(f"shop-{kind}", "champion")
        assert manifest["versions_registered"][f"shop-{kind}"] == str(champion.version)
        run = client.get_run(champion.run_id)
        assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
        assert run.info.status == "FINISHED"
        assert run.data.metrics[metric] > 0
        assert client.list_artifacts(champion.run_id, "plots")
    assert any((tracking.folder / "files").rglob("*.png"))
    assert not [path for path in shop.rglob("*") if path.name in ("mlflow.db", "mlruns", "mlflow-artifacts")]
    assert (shop / "var/shop/store.db").is_file()  # scored


def test_a_registered_version_loads_from_the_server_and_predicts_what_the_release_does(
    shop: Path, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_user(monkeypatch, *BEN)  # looking is enough
    mlflow.set_tracking_uri(tracking.url)
    mlflow.set_registry_uri(tracking.url)
    row = pd.DataFrame({"frequency": [3.0], "recency": [90.0], "T": [120.0], "monetary_value": [50.0]})
    found = mlflow.pyfunc.load_model("models:/shop-clv@champion").predict(row)
    current = release.load(release.current(shop / "var/shop/releases"))
    wanted = current.clv.predict(
        Summary(**{name: row[name].to_numpy() for name in row}, has_purchase=row["T"].to_numpy() > 0)
    )
    assert found["clv"].tolist() == wanted["clv"].tolist()


def test_a_search_nests_its_trials(shop: Path, tracking: Tracking, monkeypatch: pytest.MonkeyPatch) -> None:
    done = script(shop, ANA, "tune", "--trials", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "View run" not in done.stdout
    as_user(monkeypatch, *ANA)
    client = mlflow.MlflowClient(tracking.url)
    experiment = client.get_experiment_by_name("shop")
    (parent,) = client.search_runs([experiment.experiment_id], "tags.kind = 'tune'")
    inside = f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
    assert len(client.search_runs([experiment.experiment_id], inside)) == 2


def test_a_stranger_is_refused_before_any_work(shop: Path, tracking: Tracking) -> None:
    done = script(shop, ("ana", "wrong"), "train_clv")
    assert done.returncode == 2
    assert done.stdout == ""
    expected = (
        "refuses user 'ana' with this password; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in"
    )
    assert done.stderr.startswith(f"error: tracking_uri: {tracking.url} {expected}")
    assert done.stderr.count("\n") == 1


@pytest.mark.usefixtures("shop")
def test_who_may_only_look_is_told_what_to_ask_for(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_user(monkeypatch, *BEN)
    tracker = Tracker(tracking.url)
    with (
        pytest.raises(
            InputError, match=r"does not permit this to user 'ben'; ask who keeps the server for .* MANAGE"
        ),
        tracker.run("shop", "clv", {}),
    ):
        raise AssertionError("no run was to begin")
    with pytest.raises(InputError, match="does not permit this to user 'ben'"):
        tracker.alias(tracker.version("shop-clv", "champion"), "challenger")


@pytest.mark.usefixtures("shop")
def test_to_promote_what_another_made_asks_for_manage(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_user(monkeypatch, ADMIN, PASSWORD)
    people = people_of(tracking.url)
    people.create_user("cyn", "is-given-more-and-more")
    experiment = mlflow.MlflowClient(tracking.url).get_experiment_by_name("shop").experiment_id

    def give(permission: str) -> None:
        as_user(monkeypatch, ADMIN, PASSWORD)
        for kind, name in (("experiment", experiment), ("registered_model", "shop-clv")):
            if permission == "MANAGE":
                people.revoke_user_permission("cyn", kind, name)  # a second one would be refused
            people.grant_user_permission("cyn", kind, name, permission)
        as_user(monkeypatch, "cyn", "is-given-more-and-more")

    give("EDIT")
    tracker = Tracker(tracking.url)
    with tracker.run("shop", "clv", {}):
        pass
    champion = tracker.version("shop-clv", "champion")
    tracker.alias(champion, "tried")
    with pytest.raises(InputError, match=r"does not permit this to user 'cyn'; .* MANAGE"):
        tracker.point("shop-clv", "tried", None)
    give("MANAGE")
    tracker.point("shop-clv", "tried", None)
    assert tracker.aliased("shop-clv", "tried") is None


def test_a_server_lost_while_promoting_leaves_the_release_and_the_aliases(
    shop: Path, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_user(monkeypatch, *ANA)
    monkeypatch.chdir(shop)
    policy = Path("own.yaml")
    shutil.copyfile(ROOT / "src/lifestage/lifecycle/presets/ecommerce.yaml", policy)
    policy.write_text(policy.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    changed = settings.load("shop.yaml").model_copy(update={"policy": str(policy)})
    before = pointer(shop)
    collect = references.collect
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")

    def lost(*args: object, **kwargs: object) -> object:
        tracking.kill()
        return collect(*args, **kwargs)

    try:
        with monkeypatch.context() as patch:
            patch.setattr(references, "collect", lost)
            with pytest.raises(InputError, match="cannot be reached"):
                promote(changed, None, "challenger", "challenger")
        assert pointer(shop) == before
    finally:
        tracking.start()
    promote(changed, None, "challenger", "challenger")  # the same again, with the server back
    assert pointer(shop) != before


@pytest.mark.usefixtures("shop")
def test_what_is_registered_outlives_the_server(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After kills and starts: PostgreSQL and the files have it all."""
    as_user(monkeypatch, *ANA)
    tracker = Tracker(tracking.url)
    for model in ("shop-churn", "shop-clv"):
        folder = tracker.download(tracker.version(model, "champion"), tmp_path / model)
        assert (folder / "manifest.json").is_file()


def test_fitting_is_not_begun_without_a_server(monkeypatch: pytest.MonkeyPatch, shop: Path) -> None:
    monkeypatch.chdir(shop)
    away = settings.load("shop.yaml").model_copy(update={"tracking_uri": "http://127.0.0.1:9"})
    monkeypatch.setattr(fitting, "fit_clv", lambda *_: pytest.fail("an hour of work"))
    with pytest.raises(InputError, match=r"tracking_uri: http://127\.0\.0\.1:9 cannot be reached"):
        train(away, None)


def test_a_server_lost_while_training_registers_nothing(
    shop: Path, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one: the server stays away."""
    as_user(monkeypatch, *ANA)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.chdir(shop)
    before = versions(tracking)
    monkeypatch.setattr(Run, "figure", lambda *_: tracking.kill())
    expected = r"cannot be reached; see that the server runs .* run the same again"
    with pytest.raises(InputError, match=expected):
        train(settings.load("shop.yaml"), None)
    assert versions(tracking) == before


def versions(tracking: Tracking) -> int:
    """How many versions of models PostgreSQL holds."""
    import psycopg2

    url = tracking.env["MLFLOW_BACKEND_STORE_URI"].replace("+psycopg2", "")
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM model_versions")
        return int(cursor.fetchone()[0])
