"""The one thread that computes, and the queue in front of it.

The work is NumPy's and Python's, side by side it would only take turns. What waits while the thread works is taken
together: scoring thirty customers costs little more than scoring one. Nobody waits for others to come, and nothing
is turned away: the wait is bounded by the work of the requests ahead.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

MOST = 64
"""Requests taken together at the most, ..."""
MOST_BYTES = 1 << 20
"""... and bytes of their bodies: a large request gains nothing from company, and would hold the others up."""

Together = Callable[[Sequence[Any]], Sequence[Any]]
"""Asked -> answers, one each; an exception among them is the answer of its request alone."""


@dataclass(slots=True)
class _Job:
    """One request: `work` of many such at once where `together`, else of `asked` alone."""

    work: Callable[..., Any]
    asked: Any
    size: int
    together: bool
    answer: "Future[Any]"


class Computing:
    """A thread that begins with the first job, and ends with the process or when another relieves it."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        """None: the thread that finds it leaves."""
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def submit(self, work: Callable[..., Any], *asked: Any) -> "Future[Any]":
        """`work(*asked)` by itself, in its turn."""
        return self._put(_Job(lambda given: work(*given), asked, 0, False, Future()))

    def together(self, work: Together, asked: Any, size: int) -> "asyncio.Future[Any]":
        """The answer of `work([..., asked, ...])` to `asked`, computed with those of the same `work` that wait."""
        return asyncio.wrap_future(self._put(_Job(work, asked, size, True, Future())))

    def relieve(self, prepare: Callable[[], None]) -> None:
        """Run `prepare` in a new thread beside the one that computes, then let it compute in its place.

        What DuckDB prepares belongs to its thread: so a new release is warmed up while the old one serves, and with
        the old thread goes what it kept. Every job is done once, in its turn. Raises what `prepare` raises; then the
        old thread stays. One caller at a time, from outside the thread.
        """
        ready: Future[None] = Future()
        threading.Thread(target=self._relieve, args=(prepare, ready), name="computing", daemon=True).start()
        ready.result()

    def _relieve(self, prepare: Callable[[], None], ready: "Future[None]") -> None:
        try:
            prepare()
        except BaseException as error:
            ready.set_exception(error)
            return
        with self._starting:
            before, self._thread = self._thread, threading.current_thread()
        if before is not None:
            self._waiting.put(None)
            before.join()
        ready.set_result(None)
        del prepare, ready, before
        self._run()

    def waiting(self) -> int:
        """Requests that wait now."""
        return self._waiting.qsize()

    def _put(self, job: _Job) -> "Future[Any]":
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="computing", daemon=True)
                    self._thread.start()
        self._waiting.put(job)
        return job.answer

    def _run(self) -> None:
        ahead: _Job | None = None
        while True:
            first = ahead or self._waiting.get()
            ahead = None
            if first is None:
                return
            jobs, size = [first], first.size
            while first.together and len(jobs) < MOST and size < MOST_BYTES:
                try:
                    following = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    self._waiting.put(None)  # to be found once these are done
                    break
                if not following.together or following.work != first.work:
                    ahead = following
                    break
                jobs.append(following)
                size += following.size
            _answer([job for job in jobs if job.answer.set_running_or_notify_cancel()])


def _answer(jobs: Sequence[_Job]) -> None:
    if not jobs:
        return
    if not jobs[0].together:
        answers: Sequence[Any] = [_attempt(jobs[0])]
    else:
        try:
            answers = jobs[0].work([job.asked for job in jobs])
        except Exception:  # a fault of ours: it must not fail the requests that merely stood beside
            answers = [_attempt(job) for job in jobs]
    for job, answer in zip(jobs, answers, strict=True):
        if isinstance(answer, Exception):
            job.answer.set_exception(answer)
        else:
            job.answer.set_result(answer)


def _attempt(job: _Job) -> Any:
    try:
        return job.work([job.asked])[0] if job.together else job.work(job.asked)
    except Exception as error:
        return error


COMPUTING = Computing()
