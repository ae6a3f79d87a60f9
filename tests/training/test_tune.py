"""The script: resumed runs, nested MLflow runs, a section that training takes, bad input."""

import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
import yaml

from lifestage import fitting
from lifestage.settings import parse
from tests.training.conftest import ROOT, script
from tests.tuning.conftest import made_shop, simulated_orders
from training.tune import tune


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tune")


def test_two_runs_continue_one_study_and_training_takes_its_section(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop, file = made_shop(folder, simulated_orders(), train_cutoffs=1)
    tune(shop, None, 2, accept_unready=True)
    assert ": new" in capsys.readouterr().out
    study = tune(shop, None, 2, minutes=10, accept_unready=True)
    said = capsys.readouterr().out
    assert len(study.trials) == 4
    assert "continues after 2 trials" in said
    assert "validation cutoffs: 2024-06-29, 2024-05-30, 2024-04-30" in said
    assert "4 trials, 0 of them pruned" in said
    assert "keep" in said or "put into the config" in said

    client = mlflow.MlflowClient(tracking_uri=shop.tracking_uri, registry_uri=shop.tracking_uri)
    runs = client.search_runs([client.get_experiment_by_name("small").experiment_id])
    parents = [run for run in runs if run.data.tags.get("kind") == "tune"]
    assert {run.info.run_name for run in parents} == {"tune"}
    for parent in parents:
        children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
        assert len(children) == 2
        for child in children:
            trial = study.trials[int(child.info.run_name.removeprefix("trial "))]
            assert child.data.params == {key: str(value) for key, value in trial.params.items()}
            assert child.data.metrics["validation_log_loss"] == trial.value

    block = (
        said[said.index("churn:\n") :]
        if "churn:\n" in said
        else "churn: {settings: {num_leaves: 4}, monotone: true}"
    )
    section = yaml.safe_load(block)["churn"]
    document = shop.model_dump(mode="json", exclude={"profit", "observed_until"})
    document["sources"] = {"transactions": document["sources"]["transactions"]}
    del document["sources"]["transactions"]["dataset"], document["sources"]["transactions"]["where"]
    document["features"].pop("custom")
    document["churn"] |= section
    tuned = parse(document, "pasted")
    first, second = (fitting.fit_churn(tuned, file) for _ in range(2))
    assert first.evaluated.settings["num_leaves"] == section["settings"]["num_leaves"]
    assert ("monotone_constraints" in first.evaluated.settings) == section["monotone"]
    assert first.shipped.model.fits == second.shipped.model.fits  # the same seed, the same bytes


def test_bad_arguments_are_one_sentence(folder: Path) -> None:
    for args, said in (
        (("--trials", "0"), "'0': give a whole number of trials, 1 or more"),
        (("--minutes", "nan"), "'nan': give a number of minutes above 0"),
    ):
        ended = script(folder, "tune", "--config", "x.yaml", *args)
        assert ended.returncode == 2
        assert said in ended.stderr


def test_help_imports_nothing_heavy() -> None:
    heavy = "{'optuna', 'mlflow', 'lightgbm', 'numpy', 'pandas'}"
    code = f"import sys, training.tune; assert not {heavy} & set(sys.modules), sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)
