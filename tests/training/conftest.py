"""A small simulated shop in a directory of its own, and its scripts run as a user would."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from training import exclusive

ROOT = Path(__file__).parents[2]
CUSTOMERS = 1_200

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def _no_lock_outlives_its_test() -> Iterator[None]:
    """A script's function called in this process would hold the shop until the process ends."""
    yield
    release_locks()


def release_locks() -> None:
    """As if the process had ended."""
    for file in exclusive._held.values():
        file.close()
    exclusive._held.clear()


def script(folder: Path, verb: str, *args: str) -> "subprocess.CompletedProcess[str]":
    """python -m training.<verb> in `folder`, its output captured."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    return subprocess.run(
        [sys.executable, "-m", f"training.{verb}", *args],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.fixture(scope="session")
def shop_document() -> dict:
    """configs/shop.yaml, with fewer dates so that a run takes seconds."""
    document = yaml.safe_load((ROOT / "configs" / "shop.yaml").read_text(encoding="utf-8"))
    document["churn"] |= {"train_cutoffs": 2}
    document["scoring"] = {"flow_months": 2, "block_customers": 500}
    return document


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, shop_document: dict) -> Path:
    """A directory with the simulated shop's files and shop.yaml, and the whole pipeline run in it once."""
    folder = tmp_path_factory.mktemp("shop")
    made = script(folder, "simulate", "--customers", str(CUSTOMERS), "--seed", "3", "--out", "data/shop")
    assert made.returncode == 0, made.stderr
    (folder / "shop.yaml").write_text(yaml.safe_dump(shop_document), encoding="utf-8")
    run = script(folder, "pipeline", "--config", "shop.yaml")
    assert run.returncode == 0, run.stderr
    (folder / "pipeline.txt").write_text(run.stdout, encoding="utf-8")
    return folder


@pytest.fixture
def served(shop: Path, tmp_path: Path) -> Path:
    """A copy of the shop after its pipeline, to change at will."""
    copy = tmp_path / "served"
    shutil.copytree(shop, copy)
    return copy
