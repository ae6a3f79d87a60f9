"""Servers of a benchmark, on a free port, its files in a temporary folder."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
READY_SECONDS = 90


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    port: int
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def worker(self) -> int:
        """The process that answers: the launcher's largest child, or itself where it has none."""
        return max(family(self.process.pid)[1:] or [self.process.pid], key=resident)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def family(ancestor: int) -> list[int]:
    """The process and all that descend from it, from /proc: BentoML's workers are in groups of their own."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdigit():
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(folder.name))
    found = [ancestor]
    for pid in found:  # grows while it is walked
        found += children.get(pid, [])
    return found


def resident(pid: int) -> float:
    """Resident memory in MB, shared pages included; 0 where the process is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ProcessLookupError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def ours(config: Path, port: int) -> list[str]:
    """The service with one worker, as `make serve` starts it."""
    return [sys.executable, "-m", "serving", "--config", str(config), "--port", str(port)]


def empty(port: int) -> list[str]:
    """An endpoint that does nothing, BentoML's settings untouched."""
    return [sys.executable, "-m", "tests.benchmarks.serving_empty", str(port)]


@contextmanager
def running(
    line: Sequence[str], port: int, folder: Path, ready: str = "/readyz", **environment: str
) -> Iterator[Server]:
    """The server of a command line, ended with all its processes."""
    log = folder / f"server-{port}.log"
    paths = {"BENTOML_HOME": str(folder / f"bentoml-{port}"), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    settings = {**os.environ, "BENTOML_DO_NOT_TRACK": "True", **paths, **environment}
    with log.open("wb") as said:
        process = subprocess.Popen(
            list(line), cwd=ROOT, env=settings, stdout=said, stderr=said, start_new_session=True
        )
    try:
        await_ready(process, f"http://127.0.0.1:{port}{ready}", log)
        yield Server(port, process, log)
    finally:
        end(process)


def await_ready(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    limit = time.monotonic() + READY_SECONDS
    while True:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended:\n{log.read_text(errors='replace')[-2000:]}")
        if time.monotonic() > limit:
            raise RuntimeError(f"{address} did not answer:\n{log.read_text(errors='replace')[-2000:]}")
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)


def end(process: "subprocess.Popen[bytes]") -> None:
    """SIGINT, then SIGKILL to what is left of it and its descendants."""
    members = family(process.pid)
    with suppress(ProcessLookupError, subprocess.TimeoutExpired):
        process.send_signal(signal.SIGINT)
        process.wait(20)
    for pid in members:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait(10)
