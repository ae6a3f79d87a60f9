"""Files that appear whole or not at all: a draft beside them, then one rename."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from lifestage.errors import InputError


def write_text(path: Path, pieces: Iterable[str], *, option: str, encoding: str = "utf-8") -> None:
    """Write the pieces to `path`; `option` names in errors where it comes from. Raises InputError."""

    def write(file: BinaryIO) -> None:
        for number, piece in enumerate(pieces):
            file.write(piece.encode(encoding if number == 0 else encoding.removesuffix("-sig")))

    write_file(path, write, option=option)


def write_file(path: Path, write: Callable[[BinaryIO], None], *, option: str) -> None:
    """Let `write` fill a draft, put it on the disk, and rename it to `path`. Raises InputError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise InputError(
            f"{option} {path}: cannot be written ({error.strerror}); name a place elsewhere"
        ) from None
    finally:
        draft.unlink(missing_ok=True)
