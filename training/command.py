"""What every script shares: arguments, errors as one sentence with exit code 2, progress.

Imports nothing heavy: `--help` must answer at once.
"""

import argparse
import errno
import math
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, NoReturn

# Idle OpenMP threads wait asleep: awake, they slow LightGBM down many times on a machine that is not its own.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
BAD_INPUT = 2
DISK_FAULTS = {
    errno.ENOSPC: ("no space left on the disk", "free some, or set output_dir to another disk"),
    errno.EDQUOT: ("the quota of the disk is used up", "free some, or set output_dir to another disk"),
    errno.EFBIG: ("file too large for the limit set here (ulimit -f)", "raise it"),
    errno.EROFS: ("the disk is read-only", "make it writable, or set output_dir to another one"),
    errno.EACCES: ("permission denied", "give this user the right to write there"),
    errno.EPERM: ("operation not permitted", "give this user the right to write there"),
}
"""Number of an error of the operating system -> what is wrong, what to do."""
_COMMAND = re.compile(r"(?<![\w./-])python(?= -m training\b)")


def python() -> str:
    """The interpreter that runs this, as the reader can type it here: below the working directory relative to it."""
    path = Path(sys.executable or "python")
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return shlex.quote(str(path))


def runnable(text: str) -> str:
    """The text with `python -m training...` in it so written that it runs when copied."""
    return _COMMAND.sub(lambda _: python(), text)


def parser(verb: str, description: str, *, as_of: bool = True) -> argparse.ArgumentParser:
    """An argument parser with --config and, by default, --as-of."""
    made = argparse.ArgumentParser(
        prog=runnable(f"python -m training.{verb}"),
        description=runnable(description),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--config", required=True, metavar="FILE", help="the shop's YAML, e.g. configs/cdnow.yaml"
    )
    if as_of:
        made.add_argument(
            "--as-of",
            type=day,
            metavar="YYYY-MM-DD",
            help="behave as on the local midnight that begins this day: rows at or after it do not exist "
            "(default: as_of of the config)",
        )
    return made


def accepting(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The parser with --accept-unready."""
    made.add_argument(
        "--accept-unready",
        action="store_true",
        help="train although the data miss a minimum of 'readiness' (training.check says which)",
    )
    return made


def day(text: str) -> date:
    """An argument that is a day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a date; write it as YYYY-MM-DD") from None


def now() -> int:
    """The clock, UTC microseconds: scripts read it, nothing in src does."""
    return time.time_ns() // 1_000


def whole(what: str) -> Callable[[str], int]:
    """An argument that is a whole number of `what`, 1 or more."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = 0
        if value < 1:
            raise argparse.ArgumentTypeError(f"'{text}': give a whole number of {what}, 1 or more")
        return value

    return number


def main(made: argparse.ArgumentParser, run: Callable[[argparse.Namespace], Any]) -> None:
    """Parse, run, and end with exit code 0, or 2 and one sentence for bad input."""
    args = made.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended from outside like Ctrl-C: tidily
    try:
        from lifestage.errors import InputError
    except ModuleNotFoundError as error:
        _not_installed(error)
    try:
        run(args)
    except InputError as error:
        print(runnable(f"error: {error}"), file=sys.stderr)
        raise SystemExit(BAD_INPUT) from None
    except ModuleNotFoundError as error:
        _not_installed(error)
    except BrokenPipeError:  # the reader, e.g. head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except OSError as error:
        if error.errno not in DISK_FAULTS:
            raise
        print(f"error: {disk_fault(error)}", file=sys.stderr)
        raise SystemExit(BAD_INPUT) from None
    except KeyboardInterrupt:
        print("stopped; nothing half-written is in use", file=sys.stderr)
        raise SystemExit(130) from None


def disk_fault(error: OSError) -> str:
    """One sentence for an error whose number is in DISK_FAULTS."""
    where = f"{os.fspath(error.filename)}: " if error.filename else ""
    reason, advice = DISK_FAULTS[error.errno or 0]
    return f"{where}{reason}; {advice}, then run the same again; nothing half-written is in use"


def _not_installed(error: ModuleNotFoundError) -> NoReturn:
    """One sentence where a package that `make install` brings is missing; a module of our own is a mistake of ours."""
    name = error.name or ""
    if name.startswith(("lifestage.", "training")):
        raise error
    print(
        f"error: {sys.executable} lacks the package '{name.split('.')[0]}'; run 'make install' once, then use the "
        "Python of the .venv that it makes: .venv/bin/python instead of python",
        file=sys.stderr,
    )
    raise SystemExit(BAD_INPUT) from None


def say(text: str = "") -> None:
    """One line for the reader, whose commands run when copied."""
    print(runnable(text), flush=True)


@contextmanager
def bar(label: str, total: int | None, unit: str = " customers") -> Iterator[Callable[[int], Any]]:
    """A progress bar on a terminal, else a line at the start and one at the end."""
    started = time.perf_counter()
    if sys.stderr.isatty():
        from tqdm import tqdm

        layout = None if total else "{desc} [{elapsed}]"
        with tqdm(total=total, desc=label, unit=unit, unit_scale=True, bar_format=layout) as made:
            yield made.update
        return
    say(f"{label} ...")
    yield lambda _done: None
    say(f"{label}: done in {time.perf_counter() - started:.1f} s")


def finite(figures: Mapping[str, float]) -> dict[str, float]:
    """The figures that are numbers: JSON knows no others."""
    return {name: float(value) for name, value in figures.items() if math.isfinite(value)}


def shown(t: int, zone: str) -> str:
    """An instant as the shop's local date, with the time where it is not midnight."""
    from lifestage.localtime import moment

    local: datetime = moment(t, zone)
    return local.strftime("%Y-%m-%d" if (local.hour, local.minute) == (0, 0) else "%Y-%m-%d %H:%M")
