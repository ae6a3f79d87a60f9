"""Where a release was read from: what tells one state of the releases' folder from another, and who made it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lifestage import bundle
from lifestage.release import POINTER

Seen = tuple[str | None, tuple[tuple[str, int, int, int], ...]]
"""The pointer's text, and name, size, time of change and inode of every file of the release that it names."""


@dataclass(frozen=True)
class Origin:
    """What is known of a release beside what scoring needs."""

    seen: Seen = (None, ())
    published_at: int | None = None
    """UTC microseconds: when the pointer was set to it."""
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Manifest of each model, by kind."""


def look(releases: Path) -> Seen:
    """What is there now; reads the pointer and no other file."""
    try:
        text = (releases / POINTER).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None, ()
    return text, _files(releases, named(text))


def named(pointer: str | None) -> str | None:
    """The release that a pointer's text names; None where it names none."""
    try:
        return str(json.loads(pointer or "")["release"])
    except (ValueError, KeyError, TypeError):
        return None


def _files(releases: Path, name: str | None) -> tuple[tuple[str, int, int, int], ...]:
    if name is None:
        return ()
    found = []
    try:
        for path in sorted((releases / name).rglob("*")):
            about = path.stat()
            found.append((path.name, about.st_size, about.st_mtime_ns, about.st_ino))
    except OSError:  # a file went away while we looked: the next look sees what is left
        pass
    return tuple(found)


def of(releases: Path, seen: Seen, folder: Path) -> Origin:
    """The origin of the checked release in `folder`, which `seen` was taken before it was read."""
    models = {
        kind: json.loads((folder / kind / bundle.MANIFEST).read_text(encoding="utf-8"))
        for kind in ("churn", "clv")
        if (folder / kind / bundle.MANIFEST).is_file()
    }
    try:
        published = (releases / POINTER).stat().st_mtime_ns // 1_000
    except OSError:
        published = None
    return Origin(seen, published, models)
