"""The thread that computes. A new release brings a new one: what DuckDB prepares belongs to its thread.

So the next release is warmed up beside the thread that serves, which goes on; then the new thread takes over, and
with the old one goes everything that it kept for the old release.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def new_thread() -> ThreadPoolExecutor:
    """One thread: the work is NumPy's and Python's, side by side it would only take turns."""
    return ThreadPoolExecutor(1, "computing")


class Computing(Executor):
    """An executor of one thread that can be replaced at work: nothing handed in is lost or refused."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread = new_thread()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        with self._lock:
            return self._thread.submit(fn, *args, **kwargs)

    def take_over(self, thread: ThreadPoolExecutor) -> None:
        """From now on `thread` computes; the one before ends once it has done what it was given."""
        with self._lock:
            before, self._thread = self._thread, thread
        before.shutdown(wait=False)


COMPUTING = Computing()
