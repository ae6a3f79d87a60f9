"""What every script prints can be copied and run; a Python without the packages is told in one sentence."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lifestage import bundle, release
from training.command import disk_fault, main, parser, python, runnable
from training.rollback import go_back

ROOT = Path(__file__).parents[2]
VERBS = sorted(
    path.stem
    for path in (ROOT / "training").glob("*.py")
    if "__main__" in path.read_text(encoding="utf-8") and path.stem != "command"
)


def test_the_interpreter_is_written_as_it_can_be_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv/bin/python"))
    assert python() == ".venv/bin/python"
    told = runnable(
        "next: python -m training.score; 'python -m training.promote', /x/python -m training.score"
    )
    assert told == (
        "next: .venv/bin/python -m training.score; '.venv/bin/python -m training.promote', "
        "/x/python -m training.score"
    )
    assert runnable(told) == told
    monkeypatch.setattr(sys, "executable", "/opt/with space/python3")
    assert python() == "'/opt/with space/python3'"
    monkeypatch.setattr(sys, "executable", "")
    assert python() == "python"


def bare(*args: str, source: bool) -> "subprocess.CompletedProcess[str]":
    """A script under a Python that has none of the installed packages, with or without our own."""
    path = f"{ROOT}{os.pathsep}{ROOT / 'src'}" if source else str(ROOT)
    return subprocess.run(
        [sys.executable, "-S", "-m", *args],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("verb", VERBS)
def test_a_python_without_our_package_is_told_in_one_sentence(verb: str) -> None:
    words = {
        "policy": ["check", "ecommerce"],
        "simulate": ["--customers", "9", "--out", "never"],
    }
    run = bare(f"training.{verb}", *words.get(verb, ["--config", "configs/cdnow.yaml"]), source=False)
    assert run.returncode == 2, run.stderr
    assert run.stderr == (
        f"error: {sys.executable} lacks the package 'lifestage'; run 'make install' once, then use the Python of the "
        ".venv that it makes: .venv/bin/python instead of python\n"
    )


def test_a_python_without_what_our_package_needs_is_told_so() -> None:
    run = bare("training.policy", "check", "ecommerce", source=True)
    assert run.returncode == 2
    assert "lacks the package '" in run.stderr
    assert "'lifestage'" not in run.stderr
    assert run.stderr.count("\n") == 1


def test_the_way_back_prints_what_the_way_forward_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("shop-1", "shop-2"):
        bundle.write(tmp_path / name, "release", {"policy.yaml": name.encode()}, {})
        release.point_to(tmp_path, name)

    class Shop:
        releases = tmp_path

    go_back(Shop(), "shop-1", "my.yaml")  # type: ignore[arg-type]
    assert release.current(tmp_path).name == "shop-1"
    told = capsys.readouterr().out
    assert "release shop-1 is current again" in told
    assert "its policy came back with it" in told
    assert f"{python()} -m training.score --config my.yaml    # gives every stored customer" in told
    assert (
        f"{python()} -m training.score --config my.yaml --flow-months 12    # stages the past months" in told
    )
    assert "compare like with like" in told


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "no space left on the disk; free some"),
        (errno.EROFS, "the disk is read-only; make it writable"),
        (errno.EACCES, "permission denied; give this user the right"),
        (errno.EFBIG, "file too large for the limit set here"),
    ],
)
def test_a_disk_that_takes_no_more_is_one_sentence(
    number: int, reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_: object) -> None:
        raise OSError(number, os.strerror(number), "var/shop/history.parquet")

    monkeypatch.setattr(sys, "argv", ["score", "--config", "shop.yaml"])
    with pytest.raises(SystemExit) as ended:
        main(parser("score", ""), run)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: var/shop/history.parquet: {reason}")
    assert "nothing half-written is in use" in told
    assert disk_fault(OSError(number, "x")).startswith(reason)  # of no file in particular


def test_any_other_fault_of_the_system_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_: object) -> None:
        raise OSError(errno.ECHILD, "no child")

    monkeypatch.setattr(sys, "argv", ["score", "--config", "shop.yaml"])
    with pytest.raises(OSError, match="no child"):
        main(parser("score", ""), run)
