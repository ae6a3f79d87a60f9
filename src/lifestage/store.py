"""The score store: the current scores, every change of stage, and the runs that brought them.

One SQLite file in WAL mode. A run is loaded by ADBC into a file beside the store and copied from there
inside one transaction, so that readers see the old run or the new one, never a mixture, whatever is killed
when. The detour is needed: ADBC brings its own SQLite library, and two libraries that open one file within
one process cancel each other's POSIX locks.

Reading needs the standard library alone. Instants are kept as INTEGER UTC microseconds, nested columns as
JSON text; text is compared by its UTF-8 bytes.
"""

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from lifestage import store_alerts
from lifestage.errors import InputError
from lifestage.lifecycle.alerts import Alert
from lifestage.localtime import EPOCH
from lifestage.schemas import INSTANT, PREVIOUS, SCORE
from lifestage.store_load import Progress, create_scores, load, remove

FLOW = pa.schema(
    [
        pa.field("as_of", INSTANT, nullable=False),
        ("previous_stage", pa.string()),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("customers", pa.int64(), nullable=False),
    ]
)
"""One row per stored as_of, stage at the as_of before (null: first seen) and stage; stayers included."""

STAGED = ("customer_id", "as_of", "stage", "stage_since", "risk", "policy", "release")
"""The columns of a score that a back-fill needs."""

_TABLES = (
    "CREATE TABLE IF NOT EXISTS runs (run TEXT PRIMARY KEY, as_of INTEGER NOT NULL, release TEXT NOT NULL,"
    " customers INTEGER NOT NULL, published INTEGER NOT NULL, is_current INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS stage_history (customer_id TEXT NOT NULL, as_of INTEGER NOT NULL,"
    " stage TEXT NOT NULL, stage_since INTEGER, PRIMARY KEY (customer_id, as_of)) WITHOUT ROWID",
)
# Only changes are kept: a row is written where the latest earlier stage is another one, or none is known.
_CHANGES = (
    "INSERT INTO stage_history SELECT customer_id, as_of, stage, stage_since FROM loading.scores AS s"
    " WHERE stage IS NOT NULL AND stage <> coalesce((SELECT h.stage FROM stage_history AS h"
    " WHERE h.customer_id = s.customer_id AND h.as_of < s.as_of ORDER BY h.as_of DESC LIMIT 1), '')"
)
_PREVIOUS = (
    "SELECT h.customer_id, h.stage, h.stage_since FROM stage_history AS h"
    " WHERE h.customer_id BETWEEN :low AND :high AND h.as_of = (SELECT max(g.as_of) FROM stage_history AS g"
    " WHERE g.customer_id = h.customer_id AND g.as_of < :as_of) ORDER BY h.customer_id"
)
_MOVES = (
    "SELECT as_of, previous_stage, stage, count(*) FROM"
    " (SELECT as_of, stage, lag(stage) OVER (PARTITION BY customer_id ORDER BY as_of) AS previous_stage"
    " FROM stage_history) AS moves"
    " GROUP BY as_of, previous_stage, stage ORDER BY as_of"
)


def open_store(url: str) -> "Store":
    """The store at `sqlite:///relative/path.db` or `sqlite:////absolute/path.db`; touches no file yet.

    Raises InputError for another kind of URL.
    """
    path = url.removeprefix("sqlite:///")
    if path == url or not path:
        raise InputError(
            f"store: '{url}' is no score store; expected sqlite:///relative/path.db or sqlite:////absolute/path.db"
        )
    return Store(Path(path))


class Store:
    """A score store in one SQLite file; may be shared by threads (each gets its own connection)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()

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
        """Store a run of scores (Parquet files of schemas.SCORE, one row per customer) in one transaction.

        Adds the changes of stage at `as_of` (UTC microseconds), replacing those stored for it before; with
        `current`, the run also takes the place of the current scores. Repeating it changes nothing. After
        re-publishing an earlier as_of, publish the later ones again: they hold changes only. `progress` is
        called with the number of rows just loaded. `alerts` are the rules of the run's policy: who enters what
        they watch gets a row in the outbox, with `current` alone (see store_alerts).

        Returns the number of alerts written. Raises InputError for no rows, rows of another as_of, a customer
        met twice, or a store in use.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        loading = self.path.with_name(f"{self.path.name}.loading")
        columns = tuple(SCORE.names) if current else STAGED
        with (
            self._failing_clearly(),
            contextlib.closing(sqlite3.connect(self.path, timeout=60, isolation_level=None)) as writer,
        ):
            # Large pages: replacing a million scores on a cold disk reads a quarter as many of them.
            writer.execute("PRAGMA page_size = 16384")
            writer.execute("PRAGMA journal_mode = WAL")
            writer.execute("PRAGMA journal_size_limit = 67108864")
            # Taken before the load: writers queue here, so a file in the loading place is a dead one's.
            writer.execute("BEGIN IMMEDIATE")
            try:
                remove(loading)
                customers, release = load(loading, run, as_of, parts, columns, progress=progress)
                for table in _TABLES:
                    writer.execute(table)
                writer.execute("ATTACH ? AS loading", (str(loading),))
                writer.execute("DELETE FROM stage_history WHERE as_of = ?", (as_of,))
                writer.execute(_CHANGES)
                told = store_alerts.record(writer, as_of, alerts, current=current)
                if current:
                    writer.execute("DROP TABLE IF EXISTS main.scores")
                    writer.execute(create_scores(columns))
                    writer.execute("INSERT INTO main.scores SELECT * FROM loading.scores")
                writer.execute("DELETE FROM runs WHERE run = ?", (run,))
                writer.execute(
                    "INSERT INTO runs SELECT ?, ?, ?, ?, coalesce(max(published), 0) + 1, ? FROM runs",
                    (run, as_of, release, customers, int(current)),
                )
                remove(loading)  # its pages stay readable to this connection; the lock still guards the name
                writer.execute("COMMIT")
            finally:
                if writer.in_transaction:
                    remove(loading)
                    writer.execute("ROLLBACK")
            writer.execute("PRAGMA wal_checkpoint(PASSIVE)")
        return told

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection within one transaction, committed at the end unless an error leaves it."""
        with (
            self._failing_clearly(),
            contextlib.closing(sqlite3.connect(self.path, timeout=60, isolation_level=None)) as writer,
        ):
            writer.execute("BEGIN IMMEDIATE")
            yield writer
            writer.execute("COMMIT")

    # --- reading ---------------------------------------------------------------------------------------

    def previous(self, as_of: int, low: str, high: str) -> pa.Table:
        """One row per customer, low <= customer_id <= high: the latest stage stored with an earlier as_of.

        A table of schemas.PREVIOUS ordered by customer_id; without rows where nothing was stored yet.
        """
        rows = self._rows(_PREVIOUS, {"as_of": as_of, "low": low, "high": high})
        return _table(rows, PREVIOUS)

    def customer(self, customer_id: str) -> dict[str, Any] | None:
        """One customer's current score as JSON-able values: instants as ISO-8601 text in UTC; None: unknown.

        Raises InputError where no run was published as the current one.
        """
        found = self._rows("SELECT * FROM scores WHERE customer_id = ?", (customer_id,))
        if found:
            return {name: _plain(name, value) for name, value in zip(found.names, found[0], strict=True)}
        if not found.names:
            raise InputError(f"{self.path}: holds no scores yet; run python -m training.score first")
        return None

    def stage_history(self, customer_id: str) -> list[dict[str, Any]]:
        """One dict per change of a customer's stage: as_of, stage, stage_since; the oldest first."""
        rows = self._rows(
            "SELECT as_of, stage, stage_since FROM stage_history WHERE customer_id = ? ORDER BY as_of",
            (customer_id,),
        )
        return [{name: _plain(name, v) for name, v in zip(rows.names, row, strict=True)} for row in rows]

    def most_valuable(self) -> str | None:
        """The customer with the highest clv of the current scores; None where there are none."""
        found = self._rows("SELECT customer_id FROM scores ORDER BY clv DESC, customer_id LIMIT 1")
        return str(found[0][0]) if found else None

    def current(self) -> dict[str, Any] | None:
        """The run that the current scores come from: run, as_of (microseconds), release, customers."""
        rows = self._rows(
            "SELECT run, as_of, release, customers FROM runs WHERE is_current = 1"
            " ORDER BY published DESC LIMIT 1"
        )
        return dict(zip(rows.names, rows[0], strict=True)) if rows else None

    def rows(self, query: str, values: Sequence[Any] | dict[str, Any] = ()) -> list[Any]:
        """The rows of a query; none where its table does not exist yet."""
        return self._rows(query, values)

    def stages(self) -> dict[str, int]:
        """Number of customers in each stage of the current scores, the largest first."""
        rows = self._rows(
            "SELECT stage, count(*) FROM scores WHERE stage IS NOT NULL GROUP BY stage ORDER BY 2 DESC, 1"
        )
        return dict(rows)

    def flow(self) -> pa.Table:
        """One row per stored as_of, previous stage and stage: how many customers moved so, or stayed.

        A table of FLOW, in the order of as_of; the sum of `customers` over one as_of and stage is the number
        of customers in that stage on that day.
        """
        moves: dict[int, list[tuple[str | None, str, int]]] = {}
        for as_of, before, stage, customers in self._rows(_MOVES):
            moves.setdefault(as_of, []).append((before, stage, customers))
        days = {as_of for (as_of,) in self._rows("SELECT DISTINCT as_of FROM runs")} | set(moves)
        held: dict[str, int] = {}
        rows: list[tuple[int, str | None, str, int]] = []
        for as_of in sorted(days):
            flows: dict[tuple[str | None, str], int] = {(stage, stage): n for stage, n in held.items()}
            for before, stage, customers in moves.get(as_of, ()):
                if before is not None:
                    flows[before, before] -= customers
                flows[before, stage] = flows.get((before, stage), 0) + customers
            held = {}
            for (before, stage), customers in sorted(flows.items(), key=lambda f: (f[0][0] or "", f[0][1])):
                if customers:
                    held[stage] = held.get(stage, 0) + customers
                    rows.append((as_of, before, stage, customers))
        return _table(rows, FLOW)

    def _connection(self) -> sqlite3.Connection | None:
        """This thread's read-only connection; None where the file does not exist yet."""
        held: tuple[int, sqlite3.Connection] | None = getattr(self._local, "held", None)
        if held is not None and held[0] == os.getpid():  # a connection must not cross a fork
            return held[1]
        if not self.path.exists():
            return None
        uri = f"file:{quote(str(self.path.resolve()))}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None, check_same_thread=False)
        self._local.held = (os.getpid(), connection)
        return connection

    def _rows(self, query: str, values: Sequence[Any] | dict[str, Any] = ()) -> "_Rows":
        """The rows of a query; no rows and no names where its table does not exist yet."""
        with self._failing_clearly():
            connection = self._connection()
            if connection is None:
                return _Rows((), ())
            try:
                cursor = connection.execute(query, values)
            except sqlite3.OperationalError as error:
                if str(error).startswith("no such table"):
                    return _Rows((), ())
                raise
            return _Rows(cursor.fetchall(), [d[0] for d in cursor.description])

    @contextlib.contextmanager
    def _failing_clearly(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise InputError(f"{self.path}: {_advice(error)} (SQLite: {error})") from error


class _Rows(list[Any]):
    """Rows of a query, with the names of its columns."""

    def __init__(self, rows: Iterable[Any], names: Sequence[str]) -> None:
        super().__init__(rows)
        self.names = names


def _advice(error: sqlite3.DatabaseError) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "is being written by another run; try again when that has ended"
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR):
        return "cannot be opened; readers need a writable folder, too (SQLite keeps its locks there)"
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return "is no score store or is damaged; move it away and run python -m training.score"
    return "cannot be used; check the disk, or move the file away and run python -m training.score"


# --- values -----------------------------------------------------------------------------------------------

_KINDS = {field.name: field.type for field in SCORE}


def _plain(name: str, value: Any) -> Any:
    kind = _KINDS.get(name)
    if value is None or kind is None:
        return value
    if kind == INSTANT:
        return (EPOCH + timedelta(microseconds=value)).isoformat().replace("+00:00", "Z")
    if pa.types.is_nested(kind):
        return json.loads(value)
    return bool(value) if kind == pa.bool_() else value


def _table(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)
