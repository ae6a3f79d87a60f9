"""A PostgreSQL server of the tests' own."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import glob
from pathlib import Path

BINARIES = sorted(glob("/usr/lib/postgresql/*/bin")) + sorted(glob("/opt/homebrew/opt/postgresql*/bin"))


def _somebody() -> str | None:
    """A user without rights, for a server refuses to run as root; None where we are one ourselves."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in known), "")


def why_not() -> str:
    """Why no server can be started; empty: it can."""
    if not BINARIES:
        return "no PostgreSQL server is installed, e.g. Debian's package postgresql"
    if _somebody() == "":
        return "PostgreSQL does not run as root, and there is no user postgres or nobody"
    return ""


@dataclass(frozen=True)
class Server:
    url: str
    folder: Path
    """Its data lie in data/."""
    start: Callable[[], None]
    stop: Callable[[], None]
    """At once, as a crash would."""


@contextmanager
def running() -> Iterator[Server]:
    """A server on a free port; trusts everybody on this machine."""
    user = _somebody()
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: a socket lies in it
    if user is not None:
        shutil.chown(folder, user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    binaries = Path(BINARIES[-1])

    def run(*command: str) -> None:
        done = subprocess.run(
            command, user=user, cwd=folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    data, log = str(folder / "data"), str(folder / "log")
    options = f"-F -h 127.0.0.1 -p {port} -k {folder} -c fsync=off -c timezone=Asia/Tokyo"

    def start() -> None:
        run(str(binaries / "pg_ctl"), "-D", data, "-l", log, "-w", "-o", options, "start")

    def stop() -> None:
        run(str(binaries / "pg_ctl"), "-D", data, "-m", "immediate", "stop")

    try:
        run(str(binaries / "initdb"), "-D", data, "-U", "lifestage", "-A", "trust", "-E", "UTF8", "--no-sync")
        start()
        try:
            yield Server(f"postgres://lifestage@127.0.0.1:{port}/postgres", folder, start, stop)
        finally:
            stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
