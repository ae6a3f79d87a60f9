"""Commands of the pages that their tests do not run, each with the reason; what they name is checked to exist."""

import argparse
import importlib
import re
import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOT_RUN = {
    r"make (demo|test|test-heavy|bench)\b": "minutes; their parts are run by the tests, the whole by hand before a release",
    r"make (install|docs)\b": "installs packages; the build of the site has a test of its own",
    r"make bento\b": "tests/serving builds one",
    r"make serve\b": "serves until Ctrl-C; the calls below it go to a service that the tests start",
    r"make rounds\b": "a round for each past month; tests/training runs a few",
    r"make pipeline CONFIG=configs/shop\.yaml": "20,000 customers; tests/training runs the same with fewer",
    r"\.venv/bin/python -m training\.simulate --customers 20000": "as above",
    r"\.venv/bin/python -m tests\.benchmarks": "minutes; measures",
    r"\.venv/bin/python -m training\.tune": "minutes; tests/training runs it with few trials",
    r"\.venv/bin/python -m training\.alerts .*--to webhook": "needs a receiver; tests/alerting has one",
    r"\.venv/bin/pip install": "installs packages",
    r"\.venv/bin/jupyter": "an editor in the browser",
    r"\.venv/bin/mlflow ui": "serves until Ctrl-C",
    r"sqlite3 ": "a program of its own",
}
"""Pattern of a command -> why it is not run."""
ELSEWHERE = {"make retrain CONFIG=configs/myshop.yaml": "docs/howto/retrain.md"}
"""Command that stands on several pages and takes long -> the page with which it is run."""


def reason(command: str, page: str = "") -> str | None:
    """Why a command is not run with a page; None: it is."""
    if page and ELSEWHERE.get(command, page) != page:
        return f"run with {ELSEWHERE[command]}"
    return next((why for pattern, why in NOT_RUN.items() if re.match(pattern, command)), None)


def check(command: str) -> None:
    """What a command that is not run names exists: target, module and arguments, configuration, path."""
    words = [word for word in shlex.split(command) if not re.fullmatch(r"[A-Z_]+=\S*", word)]
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert words[1] in targets, f"make {words[1]}: no such target"
    elif words[:2] == [".venv/bin/python", "-m"]:
        accepts(words[2], words[3:])
    elif words[0] == ".venv/bin/jupyter":
        assert (ROOT / words[-1]).is_dir()
    elif words[:2] == [".venv/bin/pip", "install"]:
        assert len(words) > 2
    else:
        assert words[0] in ("sqlite3", ".venv/bin/mlflow"), f"{words[0]}: say how this command is checked"


def accepts(module: str, arguments: list[str]) -> None:
    """The module's own parser takes these arguments."""
    if module == "tests.benchmarks":
        bench = importlib.import_module("tests.benchmarks.__main__")
        assert all(hasattr(bench, f"part_{part}") for part in arguments), arguments
    elif module.startswith("tests."):
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file()
    else:
        parser_of(module).parse_args(arguments)


def parser_of(module: str) -> argparse.ArgumentParser:
    """As the reference page reads it."""
    folder = str(ROOT / "docs")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    parser: argparse.ArgumentParser = importlib.import_module("generate.commands").parser_of(module)
    return parser
