"""A step in a process of its own: what it says, its errors, and its end with the block that failed."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lifestage.errors import InputError
from tests.training.conftest import release_locks
from training.beside import LARGE, beside, worthwhile
from training.exclusive import hold


@pytest.fixture(autouse=True)
def free() -> Iterator[None]:
    yield
    release_locks()


def greet(folder: Path, name: str) -> None:
    hold(folder)  # the parent's lock is the step's too: nothing is waited for
    print(f"{name} of process {os.getpid()}")
    (folder / "done").write_text(name)


def refuse() -> None:
    print("so far")
    raise InputError("sources.transactions: is missing")


def vanish() -> None:
    os._exit(7)


def last_for_ever(mark: Path) -> None:
    mark.write_text(str(os.getpid()))
    time.sleep(3600)


def test_what_it_says_follows_the_block(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hold(tmp_path)
    with beside(greet, tmp_path, tmp_path, "CLV"):
        print("churn")
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "churn"
    assert said[1].startswith("CLV of process ")
    assert str(os.getpid()) not in said[1]
    assert (tmp_path / "done").read_text() == "CLV"


def test_its_error_is_the_blocks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hold(tmp_path)
    with pytest.raises(InputError, match=r"sources\.transactions: is missing"), beside(refuse, tmp_path):
        pass
    assert "so far" in capsys.readouterr().out


def test_ended_from_outside(tmp_path: Path) -> None:
    hold(tmp_path)
    with pytest.raises(RuntimeError, match=r"exit code 7.*nothing was published"), beside(vanish, tmp_path):
        pass


def test_a_block_that_fails_ends_it(tmp_path: Path) -> None:
    hold(tmp_path)
    mark = tmp_path / "pid"
    with pytest.raises(ValueError, match="of the block"), beside(last_for_ever, tmp_path, mark):
        while not mark.exists() or not mark.read_text():
            time.sleep(0.01)
        raise ValueError("of the block")
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


@dataclass(frozen=True)
class Shop:
    customers: int
    cluster: object = None


def test_small_shops_and_those_of_a_cluster_train_one_model_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert worthwhile(Shop(LARGE + 1))  # type: ignore[arg-type]
    assert not worthwhile(Shop(LARGE))  # type: ignore[arg-type]
    assert not worthwhile(Shop(LARGE + 1, object()))  # type: ignore[arg-type]
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert not worthwhile(Shop(LARGE + 1))  # type: ignore[arg-type]
