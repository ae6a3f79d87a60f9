"""The score store in one SQLite file, in WAL mode.

A run is loaded by ADBC into a file beside the store and copied from there inside one transaction, so that readers
see the old run or the new one, never a mixture, whatever is killed when. The detour is needed: ADBC brings its own
SQLite library, and two libraries that open one file within one process cancel each other's POSIX locks.

Reading needs the standard library alone.

The file and its log (`-wal`) belong together: a log beside another file mixes both. So a run empties the log once it is
stored, and a reader that finds another file beside a log that is not empty checks the whole before it answers. To back
the store up at any time: `sqlite3 store.db ".backup copy.db"`. To restore: end what writes, remove `store.db-wal` and
`store.db-shm`, then move the copy into the place of store.db; what serves reads it with the next request.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lifestage.lifecycle.alerts import Alert
from lifestage.schemas import SCORE
from lifestage.store import publishing
from lifestage.store.base import STAGED, Rows, Store, StoreError
from lifestage.store.batches import Progress
from lifestage.store.sqlite_load import create_scores, load, remove
from lifestage.store.sqlite_log import Belonging, emptied

WAIT_SECONDS = 60
"""A writer waits so long for another one."""
_Identity = tuple[int, ...]


class SqliteStore(Store):
    """A score store in one SQLite file; may be shared by threads (each gets its own connection)."""

    local = True
    HISTORY = (
        "(SELECT json_group_array(json_array(h.as_of, h.stage, h.stage_since)) FROM stage_history AS h"
        " WHERE h.customer_id = s.customer_id)"
    )

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.name = str(path)
        self._local = threading.local()
        self._belonging = Belonging(path)

    @property
    def _loading(self) -> Path:
        return self.path.with_name(f"{self.path.name}.loading")

    # --- writing ---------------------------------------------------------------------------------------

    def publish(
        self,
        run: str,
        as_of: int,
        parts: Iterable[Path],
        current: bool,
        progress: Progress | None = None,
        *,
        alerts: Sequence[Alert] = (),
    ) -> int:
        columns = tuple(SCORE.names) if current else STAGED
        with self._failing_clearly():
            self._make_folder()
            with self._writer() as writer:
                # Large pages: replacing a million scores on a cold disk reads a quarter as many of them.
                writer.execute("PRAGMA page_size = 16384")
                writer.execute("PRAGMA journal_mode = WAL")
                writer.execute("PRAGMA journal_size_limit = 67108864")
                # Taken before the load: writers queue here, so a file in the loading place is a dead one's.
                writer.execute("BEGIN IMMEDIATE")
                try:
                    remove(self._loading)
                    customers, release = load(self._loading, run, as_of, parts, columns, progress=progress)
                    writer.execute("ATTACH ? AS loading", (str(self._loading),))
                    told = publishing.record(
                        *(writer, run, as_of, alerts),
                        release=release,
                        customers=customers,
                        current=current,
                        scores="loading.scores",
                        holding="loading.holding",
                    )
                    if current:
                        writer.execute("DROP TABLE IF EXISTS main.scores")
                        writer.execute(create_scores(columns))
                        writer.execute("INSERT INTO main.scores SELECT * FROM loading.scores")
                    # Its pages stay readable to this connection; the lock guards the name.
                    remove(self._loading)
                    writer.execute("COMMIT")
                except BaseException:
                    remove(self._loading)
                    if writer.in_transaction:  # a full disk has ended it already
                        writer.execute("ROLLBACK")
                    raise
                emptied(writer)
        return told

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        with self._failing_clearly(), self._writer() as writer:
            writer.execute("BEGIN IMMEDIATE")
            yield writer
            writer.execute("COMMIT")

    def forget(self, customer_id: str) -> dict[str, int]:
        """As Store.forget. The file is written anew without free pages and the log cut off: where rows lay, their
        bytes would stay readable; those of earlier runs, too."""
        if not self._storable(customer_id) or not self.path.exists():
            return {}
        with self._failing_clearly(), self._writer() as writer:
            writer.execute("BEGIN IMMEDIATE")
            remove(self._loading)  # of a run that was killed
            gone = publishing.forget(writer, customer_id, self._naming())
            writer.execute("COMMIT")
            writer.execute("VACUUM")
            busy = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise StoreError(
                f"{self.name}: the rows are gone, but somebody still reads an earlier state of the file, so "
                "their bytes could not be wiped; run it again when that has ended"
            )
        return {table: rows for table, rows in gone.items() if rows}

    def _make_folder(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{self.path.parent}: cannot be made ({error.strerror}); check 'store' and the rights there"
            ) from None

    @contextlib.contextmanager
    def _writer(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(
            sqlite3.connect(self.path, timeout=WAIT_SECONDS, isolation_level=None)
        ) as writer:
            yield writer

    # --- reading ---------------------------------------------------------------------------------------

    def rows(self, query: str, values: Sequence[Any] | dict[str, Any] = ()) -> Rows:
        with self._failing_clearly():
            connection = self._connection()
            if connection is None:
                return Rows((), ())
            try:
                cursor = connection.execute(query, values)
            except sqlite3.OperationalError as error:
                if str(error).startswith("no such table"):
                    return Rows((), ())
                raise
            return Rows(cursor.fetchall(), [d[0] for d in cursor.description])

    def _connection(self) -> sqlite3.Connection | None:
        """This thread's read-only connection; None where the file does not exist yet."""
        held: tuple[_Identity, sqlite3.Connection] | None = getattr(self._local, "held", None)
        try:
            file = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(
                f"{self.name}: cannot be read ({error.strerror}); check 'store' and the rights"
            ) from None
        # Not across a fork, nor to a file that another one has taken the place of.
        identity: _Identity = (os.getpid(), file.st_dev, file.st_ino)
        frozen = held is not None and len(held[0]) > len(identity)
        if frozen:
            identity = (*identity, file.st_mtime_ns, file.st_size)
        if held is not None and held[0] == identity:
            return held[1]
        uri = f"file:{quote(str(self.path.resolve()))}?mode=ro"
        connection = self._opened(uri)
        if connection is not None and not self._belonging.check(connection, other=held is not None):
            connection.close()
            raise StoreError(
                f"{self.name}: {_DAMAGED}. Was it restored from a backup? Then remove {self.path.name}-wal and "
                f"{self.path.name}-shm, which are those of the file before, and move the backup there once more"
            )
        if connection is None:
            # In a folder that nobody may write to the file does not change, and needs no locks beside it.
            connection = sqlite3.connect(f"{uri}&immutable=1", uri=True, isolation_level=None)
            identity = (*identity[:3], file.st_mtime_ns, file.st_size)
        else:
            identity = identity[:3]
        self._local.held = (identity, connection)
        return connection

    def _opened(self, uri: str) -> sqlite3.Connection | None:
        """A connection; None where the folder cannot be written to and the file is whole without its log."""
        connection = sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        except sqlite3.OperationalError:
            connection.close()
            log = Path(f"{self.path}-wal")
            if os.access(self.path.parent, os.W_OK) or (log.exists() and log.stat().st_size):
                raise
            return None
        return connection

    @contextlib.contextmanager
    def _failing_clearly(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.name}: {_advice(error)} (SQLite: {error})") from error


_IN_USE = "is being written by another run; try again when that has ended"
_UNOPENED = "cannot be opened; readers need a writable folder, too (SQLite keeps its locks there)"
_DAMAGED = "is no score store or is damaged; move it away and run python -m training.score"
_ADVICE = {
    sqlite3.SQLITE_BUSY: _IN_USE,
    sqlite3.SQLITE_LOCKED: _IN_USE,
    sqlite3.SQLITE_FULL: "its disk is full; free some space and run it again, the earlier scores are still there",
    sqlite3.SQLITE_IOERR: "cannot be read or written; check the rights in its folder and the space left on its disk",
    sqlite3.SQLITE_READONLY: "may only be read; a run needs the right to write the file and its folder",
    sqlite3.SQLITE_CANTOPEN: _UNOPENED,
    sqlite3.SQLITE_PERM: _UNOPENED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
}


def _advice(error: sqlite3.DatabaseError) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return _ADVICE.get(
        code, "cannot be used; check the disk, or move the file away and run python -m training.score"
    )
