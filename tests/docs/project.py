"""A copy of the project in which a page's commands can be run, and how they are."""

import csv
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import yaml

from lifestage.datasets import cdnow
from tests.docs.blocks import Block, commands
from tests.docs.not_run import check, reason

ROOT = Path(__file__).parents[2]
ADDRESS = "http://127.0.0.1:3000"
YEARS = 27
"""The sample's 1997 becomes 2024."""


@dataclass
class Project:
    """Where a page is run; what was run and what was left out, for the count."""

    folder: Path
    door: Path
    address: str = ADDRESS
    page: str = ""
    ran: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            "PYTHON": sys.executable,
            "LIFESTAGE_LOG": "off",
            "MPLBACKEND": "agg",
            "NO_COLOR": "1",
        }

    def shell(self, text: str) -> str:
        """A shell block, without what is not run; its output. Fails with what it printed."""
        script = []
        for command in commands(text):
            if reason(command, self.page) is not None:
                check(command)
                self.left_out.append(command)
            else:
                script.append(command.replace(ADDRESS, self.address))
                self.ran.append(command)
        if not script:
            return ""
        curl = "curl() { command curl --noproxy '*' --fail-with-body \"$@\"; }"
        return self.done(["bash", "-euo", "pipefail", "-c", "\n".join([curl, *script])])

    def python(self, text: str) -> str:
        """A script of the page."""
        self.ran.append(text)
        return self.done([sys.executable, "-c", text])

    def done(self, words: list[str]) -> str:
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=1100,
            check=False,
        )
        assert done.returncode == 0, f"{words[-1]}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def write(self, block: Block) -> bool:
        """A block that begins with a path is that file; one noted `into FILE` becomes part of that YAML file."""
        if named := re.match(r"# ([\w./-]+\.(?:yaml|py))\n", block.text):
            path = self.folder / named[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
            return True
        if block.note.startswith("into "):
            path = self.folder / block.note.removeprefix("into ")
            document = {**yaml.safe_load(path.read_text(encoding="utf-8")), **yaml.safe_load(block.text)}
            path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
            return True
        return False


def lay_out(folder: Path, door: Path) -> None:
    """The project's files in `folder`: links, and copies of what a page may change; `.venv` answers by the door."""
    for name in ("src", "tests", "training", "serving", "notebooks", "mlflow", "README.md"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "configs", folder / "configs")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    binaries = folder / ".venv" / "bin"
    binaries.mkdir(parents=True)
    python = binaries / "python"
    client = Path(__file__).with_name("forking.py")
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{client}" "{door}" "$@"\n')
    python.chmod(0o755)
    for name in (".installed", ".installed-dev"):  # newer than pyproject.toml: nothing is installed
        (folder / ".venv" / name).touch()
    (folder / "data").mkdir()


def orders_csv(path: Path) -> None:
    """The file of the README's configuration: a tenth of CDNOW as a German shop system would write it."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, delimiter=";")
        rows.writerow(["CustomerNo", "Order date", "quantity", "price", "OrderNo", "status"])
        for number, row in enumerate(cdnow.load().to_pylist()):
            if not row["customer_id"].endswith("7"):
                continue
            at = datetime.strptime(row["date"], "%Y%m%d")
            pieces = int(row["number_of_cds"]) or 1
            price = f"{float(row['dollar_value']) / pieces:.2f}".replace(".", ",")
            day = f"{at.day:02}.{at.month:02}.{at.year + YEARS} 10:{number % 60:02}"
            rows.writerow(
                [
                    row["customer_id"],
                    day,
                    pieces,
                    price,
                    f"A-{number}",
                    "test" if number % 97 == 0 else "paid",
                ]
            )
