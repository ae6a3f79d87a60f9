"""A simulated shop, made once; each test gets a copy of its own to break."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from lifestage.store import Store, open_store
from tests.benchmarks import processes
from tests.benchmarks.serving_shop import document, make

CUSTOMERS = 1_500
ROOT = Path(__file__).parents[2]
EARLIER, LATER = "2025-11-01", "2025-12-01"
"""Two days to score as of, so that two runs can be told apart."""


@dataclass(frozen=True)
class Shop:
    """A shop's YAML, and where its history, runs and store lie."""

    config: Path
    output: Path
    ids: list[str]

    @property
    def store(self) -> Store:
        return open_store(f"sqlite:///{self.output / 'store.db'}")

    def command(self, as_of: str) -> list[str]:
        return [sys.executable, "-m", "training.score", "--config", str(self.config), "--as-of", as_of]

    def start(self, as_of: str, before: str = "") -> "subprocess.Popen[str]":
        """A scoring run; `before` is Python that runs in its process first."""
        line = self.command(as_of)
        if before:
            program = f"import runpy, sys\nsys.argv[0] = 'score'\n{before}\nrunpy.run_module('training.score', run_name='__main__')"
            line = [sys.executable, "-c", program, *line[3:]]
        return subprocess.Popen(
            line,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def score(self, as_of: str, before: str = "") -> "subprocess.CompletedProcess[str]":
        process = self.start(as_of, before)
        out, error = process.communicate(timeout=600)
        return subprocess.CompletedProcess(process.args, process.returncode, out, error)

    def scored(self, as_of: str) -> None:
        done = self.score(as_of)
        assert done.returncode == 0, done.stdout + done.stderr

    @contextmanager
    def served(self, folder: Path) -> Iterator[processes.Server]:
        port = processes.free_port()
        with processes.running(processes.ours(self.config, port), port, folder) as server:
            yield server


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    make(folder, CUSTOMERS)
    return folder


@pytest.fixture
def shop_in(original: Path, tmp_path: Path) -> Callable[[Path], Shop]:
    """shop_in(folder): the shop with its output folder there, scored as of EARLIER."""

    def copied(folder: Path) -> Shop:
        output = folder / "out"
        shutil.copytree(original / "out", output, symlinks=True)
        (output / "store.db").unlink()
        config = tmp_path / "shop.yaml"
        about = {**document(original), "output_dir": str(output), "scoring": {"look_ahead_days": []}}
        config.write_text(yaml.safe_dump(about), encoding="utf-8")
        shop = Shop(config, output, [])
        shop.scored(EARLIER)
        with contextlib.closing(sqlite3.connect(output / "store.db")) as store:
            shop.ids.extend(str(name) for (name,) in store.execute("SELECT customer_id FROM scores"))
        assert shop.ids
        return shop

    return copied


@pytest.fixture
def shop(shop_in: Callable[[Path], Shop], tmp_path: Path) -> Shop:
    return shop_in(tmp_path)
