"""The thread that computes is replaced at work; no job is lost, refused, or done twice."""

import threading
import time
from concurrent.futures import Future
from typing import Any

import pytest

from serving.computing import Computing


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
