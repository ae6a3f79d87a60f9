"""Runs the scripts of training/ in children of one process that has imported the heavy packages already.

`python forking.py SOCKET` serves; `python forking.py SOCKET ARGUMENT...` behaves as `python ARGUMENT...` would, with
its directory, environment and streams. So a page's commands run as they are written, without seconds of imports each.
"""

import json
import os
import runpy
import signal
import socket
import sys

PACKAGES = (
    "duckdb", "ibis", "jinja2", "lightgbm", "matplotlib.pyplot", "mlflow", "mlflow.tracking", "numpy", "optuna", "pandas",
    "pyarrow.dataset", "pydantic", "scipy.optimize", "scipy.special", "scipy.stats", "sklearn.linear_model", "sqlglot",
    "yaml", "alembic.command", "sqlalchemy.orm",
)  # fmt: skip


def serve(path: str) -> None:
    """Answer calls until the reader of our standard output is gone."""
    for name in PACKAGES:
        __import__(name)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path)
        door.listen()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who answer
        print("ready", flush=True)
        while True:
            call, _ = door.accept()
            if os.fork() == 0:
                door.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                answer(call)


def answer(call: socket.socket) -> None:
    """One call: a child of ours does the work, its exit code is the answer."""
    message, streams, _, _ = socket.recv_fds(call, 1 << 20, 3)
    told = json.loads(message)
    child = os.fork()
    if child == 0:
        call.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os._exit(run(**told))
    _, status = os.waitpid(child, 0)
    call.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def run(arguments: list[str], folder: str, environment: dict[str, str]) -> int:
    """`python -m MODULE ...` here; its exit code."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path.insert(0, folder)
    sys.argv = arguments[1:]
    code: object = 0
    try:
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    if isinstance(code, str):
        print(code, file=sys.stderr, flush=True)
        return 1
    return int(code or 0)


def ask(path: str, arguments: list[str]) -> int:
    """The exit code of `python ARGUMENTS`, run by the server, or here where it is no module."""
    if arguments[:1] != ["-m"]:
        os.execv(sys.executable, [sys.executable, *arguments])
    told = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109  pathlib costs
    with socket.socket(socket.AF_UNIX) as call:
        call.connect(path)
        socket.send_fds(call, [json.dumps(told).encode()], [0, 1, 2])
        return int(call.recv(64) or b"1")


if __name__ == "__main__":
    if len(sys.argv) == 2:
        serve(sys.argv[1])
    else:
        raise SystemExit(ask(sys.argv[1], sys.argv[2:]))
