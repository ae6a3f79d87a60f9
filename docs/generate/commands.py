"""Every script of training/ and serving/, as its own argument parser tells."""

import argparse
import io
import runpy
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

from generate.table import cell, code, table

ROOT = Path(__file__).parents[2]
FIRST = (
    "pipeline",
    "retrain",
    "rounds",
    "prepare",
    "check",
    "train_clv",
    "train_churn",
    "gate",
    "promote",
    "score",
)
"""In the order of a round; the rest follows by name."""


class _Captured(Exception):  # noqa: N818  control flow, no fault
    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser


def scripts() -> list[str]:
    """Modules that can be run."""
    found = [
        path.stem
        for path in sorted((ROOT / "training").glob("*.py"))
        if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
    ]
    ordered = [name for name in FIRST if name in found] + [name for name in found if name not in FIRST]
    return [f"training.{name}" for name in ordered] + ["serving", "serving.keys", "serving.bento"]


def parser_of(module: str) -> argparse.ArgumentParser:
    """The parser that a script makes, taken at the moment it would read its arguments."""

    def caught(self: argparse.ArgumentParser, *_: object, **__: object) -> None:
        raise _Captured(self)

    sink = io.StringIO()
    with (
        mock.patch.object(argparse.ArgumentParser, "parse_args", caught),
        mock.patch.object(sys, "executable", ".venv/bin/python"),
        mock.patch.object(sys, "argv", [module]),
        redirect_stdout(sink),
        redirect_stderr(sink),
    ):
        sys.modules.pop(module, None)
        try:
            runpy.run_module(module, run_name="__main__")
        except _Captured as found:
            return found.parser
    raise RuntimeError(f"{module} reads no arguments")


def options(parser: argparse.ArgumentParser) -> str:
    """One row an argument."""
    rows = []
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
            continue
        names = ", ".join(action.option_strings) or str(action.metavar or action.dest)
        if action.option_strings and action.nargs != 0:
            choices = "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest
            names += f" {action.metavar or choices}"
        text = (action.help or "") % {"default": action.default, "prog": parser.prog}
        rows.append(
            [code(names), ("required. " if action.required and action.option_strings else "") + cell(text)]
        )
    return table(["argument", "meaning"], rows) if rows else "No arguments."


def verbs(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Sub-commands by name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def prose(text: str) -> str:
    """A description whose indented lines are commands or lists, kept as they stand."""
    parts, block = [], []
    for line in [*text.strip("\n").splitlines(), ""]:
        if line.startswith("  "):
            block.append(line)
            continue
        if block:
            parts += ["", "```text", *block, "```", ""]
            block = []
        parts.append(line.replace("<", "&lt;"))
    return "\n".join(parts)


def markdown() -> str:
    """A section a script."""
    parts = []
    for module in scripts():
        parser = parser_of(module)
        parts += [f"## {module}\n", f"`.venv/bin/python -m {module}`\n"]
        parts += [prose(parser.description or ""), "", options(parser)]
        for name, one in verbs(parser):
            parts += [f"\n### {module} {name}\n", prose(one.description or ""), "", options(one)]
        parts.append("")
    return "\n".join(parts)
