"""Code blocks of a Markdown page, and what a shown JSON answer promises."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOTE = re.compile(r"<!-- test: (.+?) -->\s*\Z")
"""What a page tells the tests of the block below: nobody else sees it."""


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    line: int
    follower: "Block | None"
    note: str = ""

    @property
    def name(self) -> str:
        return f"line{self.line}"


def blocks(page: str) -> list[Block]:
    """In the order of the page; each knows the next one, unless something else than blanks is between."""
    found: list[Block] = []
    start = len(page)
    for match in reversed(list(FENCE.finditer(page))):
        close = found and page[match.end() : start].strip() == ""
        note = NOTE.search(page, 0, match.start())
        line = page.count("\n", 0, match.start()) + 1
        told = note[1] if note else ""
        found.insert(0, Block(match[1], match[2], line, found[0] if close else None, told))
        start = match.start()
    return found


def pages(root: Path) -> list[Path]:
    """Every page of the documentation; serving/README.md has tests of its own."""
    return [root / "README.md", root / "README.zh-CN.md", *sorted((root / "docs").rglob("*.md"))]


def shown_json(text: str) -> Any:
    """What a block shows, without its `...`."""
    text = re.sub(r",\s*\.\.\.(?=\s*[\]}])|\.\.\.\s*,?", "", text)
    return json.loads(text)


def missing(shown: Any, got: Any, where: str = "answer") -> list[str]:
    """What the page shows and the answer has not, or has as another kind of thing; null may stand for anything."""
    if shown is None or got is None:
        return []
    if isinstance(shown, bool) or isinstance(got, bool) or not isinstance(shown, int | float):
        if type(shown) is not type(got):
            return [f"{where}: {type(shown).__name__} is shown, {type(got).__name__} came"]
    elif not isinstance(got, int | float):
        return [f"{where}: a number is shown, {type(got).__name__} came"]
    if isinstance(shown, dict):
        absent = [f"{where}.{name}: did not come" for name in shown.keys() - got.keys()]
        both = shown.keys() & got.keys()
        return absent + [
            fault for name in both for fault in missing(shown[name], got[name], f"{where}.{name}")
        ]
    if isinstance(shown, list):
        pairs = zip(shown, got, strict=False)
        return [fault for a, b in pairs for fault in missing(a, b, f"{where}[]")]
    return []


def commands(text: str) -> list[str]:
    """The commands of a shell block, each with its further lines, comments taken off."""
    found, part = [], ""
    for line in text.splitlines():
        part = f"{part}\n{line}" if part else line
        if part.endswith("\\") or (part.replace("\\'", "").count("'") % 2 and "-d '" in part):
            continue
        command = re.sub(r"(?:^|\s+)#\s.*\Z", "", part).strip()
        if command:
            found.append(command)
        part = ""
    if part:
        raise ValueError(f"a command does not end: {part!r}")
    return found
