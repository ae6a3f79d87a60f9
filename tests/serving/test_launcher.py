"""`python -m serving` where it cannot start, and what the service must not load."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from lifestage.store import open_store
from serving.__main__ import nothing_stored
from serving.state import load

ROOT = Path(__file__).parents[2]
SHOP = {
    "shop": "none",
    "timezone": "UTC",
    "currency": "EUR",
    "sources": {
        "transactions": {
            "dataset": "cdnow",
            "columns": {"customer_id": "a", "ordered_at": "b", "amount": "c"},
        }
    },
}


def run(*args: str) -> "subprocess.CompletedProcess[str]":
    """Python in the project's folder, to its end."""
    command = [sys.executable, *args]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_help_loads_nothing_heavy() -> None:
    done = run("-X", "importtime", "-m", "serving", "--help")
    assert done.returncode == 0
    assert "--config" in done.stdout
    for heavy in ("numpy", "pyarrow", "bentoml", "fastapi", "pydantic"):
        assert f" {heavy}\n" not in done.stderr


def test_the_service_loads_no_training_package() -> None:
    """What only training and notebooks need is not paid for."""
    code = "import sys, serving.service; print(*sorted(sys.modules))"
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "lightgbm" in loaded
    assert not loaded & {"mlflow", "matplotlib", "lifetimes", "ibis", "pyspark", "lifestage.intake"}


def test_only_serving_names_bentoml() -> None:
    for file in (ROOT / "src").rglob("*.py"):
        assert "import bentoml" not in file.read_text(encoding="utf-8"), file


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "none.yaml"
    path.write_text(yaml.safe_dump({**SHOP, "output_dir": str(tmp_path / "out")}))
    return path


def test_without_a_release_it_says_what_to_run(config: Path) -> None:
    done = run("-m", "serving", "--config", str(config))
    assert done.returncode == 2
    assert "holds no current release; 'make pipeline CONFIG=" in done.stderr
    assert config.as_posix() in done.stderr
    assert "training.promote" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_config_is_one_sentence() -> None:
    done = run("-m", "serving", "--config", "nowhere.yaml")
    assert done.returncode == 2
    assert done.stderr.startswith("error: nowhere.yaml: cannot be read")


def test_a_port_in_use_is_one_sentence(made: Any) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("-m", "serving", "--config", str(made.config), "--port", str(port))
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr


def test_a_store_without_scores_is_told(made: Any, tmp_path: Path) -> None:
    """As one of a mistyped name is."""
    state = load(made.config)
    assert nothing_stored(state) == ""
    empty = replace(state, store=open_store(f"sqlite:///{tmp_path / 'typo.db'}"))
    assert nothing_stored(empty).startswith(
        f"warning: no scores stored yet at {tmp_path / 'typo.db'}; look-ups"
    )
    assert not (tmp_path / "typo.db").exists()
    (tmp_path / "typo.db").write_bytes(b"no store" * 1_000)
    assert "typo.db: is no score store or is damaged" in nothing_stored(empty)


@pytest.mark.parametrize("port", ["0", "70000", "x"])
def test_an_impossible_port_is_refused(port: str) -> None:
    done = run("-m", "serving", "--config", "x.yaml", "--port", port)
    assert done.returncode == 2
    assert f"'{port}' is no port" in done.stderr
