"""A step of training in a process of its own, beside the next one: each keeps about one core busy."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.command import say
from training.exclusive import inherit

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from lifestage.history_file import HistoryFile

LARGE = 100_000
"""Customers from which on a second process saves more than it takes to start."""


def worthwhile(file: "HistoryFile") -> bool:
    """Whether a shop's history is large enough, lies here, and there are cores for two."""
    return file.cluster is None and file.customers > LARGE and (os.cpu_count() or 1) > 1


@contextmanager
def beside(step: Callable[..., Any], folder: Path, *arguments: Any) -> Iterator[None]:
    """`step(*arguments)` runs while the block does; what it printed is printed at the end, its error raised there.

    folder: of the shop's output, whose lock this process holds. Where the block fails the step is ended.
    """
    context = get_context("spawn")  # the parent's threads (DuckDB, Arrow, LightGBM) do not survive a fork
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(theirs, step, folder, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        yield
        try:
            printed, error = ours.recv()
        except EOFError:
            process.join()
            raise RuntimeError(
                f"a process of training was ended from outside (exit code {process.exitcode}), most likely for want "
                "of memory; nothing was published"
            ) from None
        say(printed.rstrip("\n"))
        if error is not None:
            raise error
    finally:
        process.terminate()
        process.join()


def _run(answer: "Connection", step: Callable[..., Any], folder: Path, arguments: tuple[Any, ...]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    inherit(folder)
    printed, error = StringIO(), None
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            step(*arguments)
        except Exception as raised:
            error = raised
    answer.send((printed.getvalue(), error))
    answer.close()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
