"""One run a shop at a time: a lock that the kernel drops with the process, and what a killed run left, removed."""

import fcntl
import shutil
from pathlib import Path
from typing import IO

from training.command import say

_held: dict[Path, IO[str]] = {}
LEFT_OVERS = (
    ".history.parquet.*",
    ".quarantine.parquet.*",
    ".spill-*",
    "runs/.*",
    ".*.part",
    "rounds/*/.*.part",
)
"""Drafts of files and folders: under the lock nobody alive is writing them."""


def _no_folder(folder: Path) -> Exception:
    from lifestage.errors import InputError

    return InputError(
        f"{folder}: is to be a folder, and there is a file in its way; remove it, or set output_dir to another folder"
    )


def hold(folder: Path, *, mode: int = 0o700) -> None:
    """Hold the lock of an output folder until this process ends; waits for a run that has it.

    History, runs and store of a shop belong together: two runs at once could read one another's history. A folder that
    is not there yet is made with `mode`, by default for its owner alone; the rights of one that is are the shop's.
    """
    folder = folder.resolve()
    if folder in _held:
        return
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise _no_folder(folder) from None
    file = (folder / ".lock").open("w", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"waiting for another run in {folder.name} to end ...")
        fcntl.flock(file, fcntl.LOCK_EX)
    _held[folder] = file
    for pattern in LEFT_OVERS:
        for path in folder.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def inherit(folder: Path) -> None:
    """In a process that the holder of the folder's lock has started and waits for: the lock is its own too."""
    _held[folder.resolve()] = (folder / ".lock").open(encoding="utf-8")
