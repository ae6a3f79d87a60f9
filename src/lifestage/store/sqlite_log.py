"""The log (`-wal`) beside a SQLite file: emptied once a run is stored, and checked where it may be another file's."""

import contextlib
import sqlite3
import threading
from pathlib import Path

EMPTYING_MS = 2_000
"""So long readers of an earlier state are waited for."""


def emptied(writer: sqlite3.Connection) -> None:
    """Bring the log into the file and cut it off; where somebody still reads an earlier state, a later run does."""
    with contextlib.suppress(sqlite3.OperationalError):
        writer.execute(f"PRAGMA busy_timeout = {EMPTYING_MS}")
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class Belonging:
    """Whether a file and the log beside it are of one database, looked at once for each pair of them.

    Nothing in a log says which file it was written for; pages of two files do not make one tree, though.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = Path(f"{path}-wal")
        self._lock = threading.Lock()
        self._seen: tuple[int, ...] = ()
        self._whole = True

    def check(self, connection: sqlite3.Connection, *, other: bool) -> bool:
        """Whether a connection just opened reads one whole database; `other`: the file is not the one of before.

        Without a log, or with one written after the file came to its place, nothing is to be checked.
        """
        try:
            file, log = self._path.stat(), self._log.stat()
        except FileNotFoundError:
            return True
        if not log.st_size or not (other or log.st_mtime_ns < file.st_ctime_ns):
            return True
        key = (file.st_dev, file.st_ino, log.st_ino, log.st_size, log.st_mtime_ns)
        with self._lock:
            if key != self._seen:
                self._whole = _is_whole(connection)
                self._seen = key
            return self._whole


def _is_whole(connection: sqlite3.Connection) -> bool:
    try:
        return [row[0] for row in connection.execute("PRAGMA quick_check(1)")] == ["ok"]
    except sqlite3.DatabaseError as error:
        if (error.sqlite_errorcode & 0xFF) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return False
        raise
