"""The queue of the computing thread: what waits is taken together, and nobody pays for a neighbour."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import pytest

from serving.computing import MOST, MOST_BYTES, Computing


class Held:
    """A queue whose thread is kept busy until `release`, so that what is put meanwhile waits."""

    def __init__(self) -> None:
        self.queue = Computing()
        self.begun, self.free = threading.Event(), threading.Event()
        self.first = self.queue.submit(self._hold)
        assert self.begun.wait(5)

    def _hold(self) -> None:
        self.begun.set()
        assert self.free.wait(5)

    def answers(self, put: Callable[[Computing], Sequence["asyncio.Future[Any]"]]) -> list[Any]:
        async def run() -> list[Any]:
            waiting = put(self.queue)
            self.free.set()
            return list(await asyncio.gather(*waiting, return_exceptions=True))

        return asyncio.run(run())


class Doubling:
    def __init__(self) -> None:
        self.calls: list[list[int]] = []

    def __call__(self, asked: Sequence[int]) -> list[int | Exception]:
        self.calls.append(list(asked))
        return [2 * n for n in asked]


def test_what_waits_is_taken_together_in_its_order() -> None:
    work, held = Doubling(), Held()
    assert held.answers(lambda q: [q.together(work, n, 1) for n in range(10)]) == [2 * n for n in range(10)]
    assert work.calls == [list(range(10))]


def test_what_comes_alone_does_not_wait_for_company() -> None:
    work, queue = Doubling(), Computing()

    async def run() -> list[int]:
        return [await queue.together(work, n, 1) for n in range(3)]

    assert asyncio.run(run()) == [0, 2, 4]
    assert work.calls == [[0], [1], [2]]


def test_no_more_than_the_limits_are_taken_together() -> None:
    work, held = Doubling(), Held()
    n = 2 * MOST + 3
    assert held.answers(lambda q: [q.together(work, i, 1) for i in range(n)]) == [2 * i for i in range(n)]
    assert [len(call) for call in work.calls] == [MOST, MOST, 3]
    large, held = Doubling(), Held()
    held.answers(lambda q: [q.together(large, i, MOST_BYTES // 2) for i in range(5)])
    assert [len(call) for call in large.calls] == [2, 2, 1]


def test_different_work_keeps_its_turn() -> None:
    done: list[str] = []
    held = Held()

    def named(name: str) -> Callable[[Sequence[int]], list[int]]:
        def work(asked: Sequence[int]) -> list[int]:
            done.append(f"{name}{len(asked)}")
            return list(asked)

        return work

    a, b = named("a"), named("b")

    def put(queue: Computing) -> list["asyncio.Future[Any]"]:
        found = [queue.together(a, 1, 1), queue.together(a, 2, 1), queue.together(b, 3, 1)]
        found += [asyncio.wrap_future(queue.submit(done.append, "alone")), queue.together(b, 4, 1)]
        return found

    assert held.answers(put) == [1, 2, 3, None, 4]
    assert done == ["a2", "b1", "alone", "b1"]


def test_a_fault_fails_its_own_request_alone() -> None:
    calls: list[int] = []

    def work(asked: Sequence[int]) -> list[int]:
        calls.append(len(asked))
        if 3 in asked:
            raise ZeroDivisionError("three")
        return list(asked)

    found = Held().answers(lambda q: [q.together(work, n, 1) for n in range(5)])
    assert [n if isinstance(n, int) else str(n) for n in found] == [0, 1, 2, "three", 4]
    assert calls == [5, 1, 1, 1, 1, 1]


def test_an_exception_among_the_answers_is_the_answer_of_one() -> None:
    def work(asked: Sequence[int]) -> list[int | Exception]:
        return [ValueError("odd") if n % 2 else n for n in asked]

    found = Held().answers(lambda q: [q.together(work, n, 1) for n in range(3)])
    assert found[0] == 0 and found[2] == 2 and isinstance(found[1], ValueError)


def test_a_cancelled_request_is_not_computed() -> None:
    work, held = Doubling(), Held()

    async def run() -> int:
        gone, kept = held.queue.together(work, 1, 1), held.queue.together(work, 2, 1)
        gone.cancel()
        await asyncio.sleep(0)
        held.free.set()
        return int(await kept)

    assert asyncio.run(run()) == 4
    assert work.calls == [[2]]


def test_errors_of_lonely_work_reach_the_one_who_asked() -> None:
    queue = Computing()

    def fail() -> None:
        raise KeyError("x")

    failed: Future[Any] = queue.submit(fail)
    with pytest.raises(KeyError):
        failed.result(5)
    assert queue.submit(lambda a, b: a + b, 1, 2).result(5) == 3


def test_jobs_before_during_and_after_a_relief_are_each_done_once() -> None:
    computing = Computing()
    done: list[int] = []
    names: set[int] = set()

    def job(number: int) -> int:
        names.add(threading.get_ident())
        done.append(number)
        return number

    jobs: list[Future[Any]] = []
    ending = threading.Event()

    def feed() -> None:
        while not ending.is_set():
            jobs.append(computing.submit(job, len(jobs)))
            time.sleep(1e-4)

    feeder = threading.Thread(target=feed)
    feeder.start()
    for _ in range(20):
        computing.relieve(lambda: None)
    ending.set()
    feeder.join()
    assert [answer.result(10) for answer in jobs] == list(range(len(jobs)))
    assert done == list(range(len(jobs)))  # in their turn, too


def test_preparing_runs_in_the_thread_that_computes_next() -> None:
    computing = Computing()
    before = computing.submit(threading.get_ident).result(10)
    prepared: list[int] = []
    computing.relieve(lambda: prepared.append(threading.get_ident()))
    after = computing.submit(threading.get_ident).result(10)
    assert after == prepared[0] != before


def test_the_old_thread_computes_while_the_new_one_prepares() -> None:
    computing = Computing()
    old = computing.submit(threading.get_ident).result(10)
    found: list[int] = []
    computing.relieve(lambda: found.append(computing.submit(threading.get_ident).result(10)))
    assert found == [old]


def test_a_failed_preparation_changes_nothing() -> None:
    computing = Computing()
    old = computing.submit(threading.get_ident).result(10)

    def fail() -> None:
        raise ValueError("cannot score")

    with pytest.raises(ValueError, match="cannot score"):
        computing.relieve(fail)
    assert computing.submit(threading.get_ident).result(10) == old


def test_relief_before_the_first_job() -> None:
    computing = Computing()
    computing.relieve(lambda: None)
    assert computing.submit(lambda: 7).result(10) == 7
