"""A shared MLflow server as mlflow/compose.yaml starts it (server/start.py): log-in, PostgreSQL, files through it."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import postgres_server

ROOT = Path(__file__).parents[2]
ADMIN, PASSWORD = "admin", "of-the-tests-only"


@dataclass
class Tracking:
    """A server that can be killed and started again; its data stay."""

    url: str
    port: int
    env: dict[str, str]
    folder: Path
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        log = (self.folder / "server.log").open("ab")
        command = [sys.executable, str(ROOT / "mlflow/server/start.py"), "--host", "127.0.0.1"]
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port), "--workers", "1"],
            cwd=self.folder,
            env=self.env,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        for _ in range(1_800):
            if self.process.poll() is not None:
                break
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=2).close()
                return
            except OSError:
                time.sleep(0.1)
        self.kill()
        raise AssertionError((self.folder / "server.log").read_text(encoding="utf-8")[-3_000:])

    def kill(self) -> None:
        """At once, with its workers."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, 9)  # the group is the server's own: it leads it
            self.process.wait(timeout=30)
            self.process = None


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracking]:
    """Skipped with the reason where it cannot be started."""
    for module in ("flask_wtf", "psycopg2"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"the server's package {module} is not installed: pip install -e '.[server]'")
    if reason := postgres_server.why_not():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("tracking")
    port = free_port()
    with postgres_server.running() as database:
        backend = database.url.replace("postgres://", "postgresql+psycopg2://")
        env = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "AWS_"))}
        env |= {
            "MLFLOW_BACKEND_STORE_URI": backend,
            "MLFLOW_ARTIFACTS_DESTINATION": str(folder / "files"),
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "signs-the-tests-sessions",
            "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "OMP_NUM_THREADS": "1",
        }
        made = Tracking(f"http://127.0.0.1:{port}", port, env, folder)
        made.start()
        try:
            yield made
        finally:
            made.kill()
