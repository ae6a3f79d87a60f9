"""One process that has the heavy packages, one shop made as the README says, one service of it: once a session."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.docs.blocks import blocks
from tests.docs.project import ROOT, Project, lay_out, orders_csv

README = blocks((ROOT / "README.md").read_text(encoding="utf-8"))
README_TRAINED = next(
    i for i, b in enumerate(README) if b.text.startswith("make pipeline CONFIG=configs/myshop.yaml")
)
"""The block after which a reader of the README has scores."""
QUIET = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "MLFLOW_DISABLE_TELEMETRY": "true"}


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket at which the scripts of the pages are run."""
    path = tmp_path_factory.mktemp("door") / "socket"
    environment = {**os.environ, **QUIET, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("forking.py")), str(path)],
        env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        yield path
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="session")
def readme_shop(door: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A folder in which a reader has done what the README says of their own CSV."""
    folder = tmp_path_factory.mktemp("readme")
    lay_out(folder, door)
    orders_csv(folder / "data" / "orders.csv")
    made = Project(folder, door, page="README.md")
    for block in README[: README_TRAINED + 1]:
        if block.language == "bash":
            made.shell(block.text)
        elif block.language == "yaml":
            made.write(block)
    return made


@pytest.fixture
def project(readme_shop: Project, tmp_path: Path) -> Callable[..., Project]:
    """project(page, shop=True): a fresh copy of that folder, or an empty project, to run a page in."""

    def make(page: str, *, shop: bool = True) -> Project:
        lay_out(tmp_path, readme_shop.door)
        if shop:
            for name in ("var", "data", "configs"):
                shutil.copytree(readme_shop.folder / name, tmp_path / name, dirs_exist_ok=True)
        return Project(tmp_path, readme_shop.door, page=page)

    return make


@pytest.fixture(scope="session")
def address(readme_shop: Project) -> Iterator[str]:
    """Where that shop is served."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "serving", "--config", "configs/myshop.yaml", "--port", str(port)],
        cwd=readme_shop.folder, env={**readme_shop.environment, **QUIET}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    at = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 120
        while True:
            assert process.poll() is None, "the service ended"
            assert time.monotonic() < end, "the service did not become ready"
            try:
                if httpx.get(f"{at}/readyz", trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        yield at
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(30)
