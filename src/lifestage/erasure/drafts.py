"""A file replaced whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATTERN = ".*.part"
"""Names of drafts: what a killed run leaves."""


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A draft beside `path`, to be written; it takes its place at the end unless an error leaves it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield draft
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
