"""The score store in a schema of a PostgreSQL database.

A run is loaded by COPY into a new table within the transaction that puts it in the place of the current scores, so
that readers see the old run or the new one, never a mixture, and nothing is left of a run that was killed. Writers
queue at an advisory lock. A reader's statement holds one snapshot, and a connection of its thread's own, which is made
again when the server was away.
"""

import contextlib
import io
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.csv as pv
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict

from lifestage.lifecycle.alerts import Alert
from lifestage.schemas import SCORE
from lifestage.store import publishing
from lifestage.store.base import STAGED, Rows, Store, StoreError
from lifestage.store.batches import Progress, checked, flat, holding, nothing, twice
from lifestage.store.postgres_sql import create_scores, spoken
from lifestage.store.postgres_url import Place

WAIT_SECONDS = 60
"""A writer waits so long for another one, and a run for readers of the earlier one."""
SWAP_SECONDS = 2
"""For so long a waiting run may hold new readers up; then it lets them by and tries again."""
SLOW_SECONDS = 0.5
"""Where trying to connect took longer than that, callers are told so at once until RETRY_SECONDS have passed."""
RETRY_SECONDS = 1.0
_ASKED_OF_THE_NETWORK = {
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A server that vanishes without a word is noticed in seconds; the URL may say otherwise."""


@dataclass(frozen=True, slots=True)
class _Writer:
    """A connection within one transaction, spoken to as SQLite is."""

    connection: psycopg.Connection[Any]

    def execute(self, query: str, values: Sequence[Any] | dict[str, Any] = (), /) -> Any:
        return self.connection.execute(spoken(query, bool(values)), values or None)

    def executemany(self, query: str, values: Iterable[Sequence[Any]], /) -> Any:
        cursor = self.connection.cursor()
        cursor.executemany(spoken(query, True), values)
        return cursor


class PostgresStore(Store):
    """A score store in one schema; may be shared by threads (each gets its own connection)."""

    HISTORY = (
        "(SELECT CAST(json_agg(json_build_array(h.as_of, h.stage, h.stage_since)) AS text) FROM stage_history AS h"
        " WHERE h.customer_id = s.customer_id)"
    )

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.name = place.shown
        self._local = threading.local()
        self._away: tuple[float, str] | None = None

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
        with self._writing() as connection:
            try:
                customers, release = _load(
                    *(connection, run, as_of, parts, columns), progress=progress, lasting=current
                )
            except errors.UniqueViolation:
                raise twice(run) from None
            told = publishing.record(
                *(_Writer(connection), run, as_of, alerts),
                release=release,
                customers=customers,
                current=current,
                scores="loading_scores",
                holding="loading_holding",
            )
            if current:
                _swap(connection)
        return told

    @contextlib.contextmanager
    def writing(self) -> Iterator[_Writer]:
        with self._writing() as connection:
            yield _Writer(connection)

    def forget(self, customer_id: str) -> dict[str, int]:
        """As Store.forget. The tables are written anew, since deleted rows stay in theirs; readers wait meanwhile.
        The server's log (WAL) and its backups are the administrator's to expire."""
        tables = self._naming()
        if not self._storable(customer_id) or not tables:
            return {}
        with self._writing() as connection:
            gone = publishing.forget(_Writer(connection), customer_id, tables)
        with self._failing_clearly(), self._connected(autocommit=True) as connection:
            for table in tables:
                connection.execute(sql.SQL("VACUUM FULL {}").format(sql.Identifier(table)))
        return {table: rows for table, rows in gone.items() if rows}

    @contextlib.contextmanager
    def _writing(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection within one transaction, alone among writers, in a schema that exists."""
        with self._failing_clearly(), self._connected() as connection:
            connection.execute(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'")
            connection.execute(
                "SELECT pg_advisory_xact_lock(hashtext('lifestage'), hashtext(%s))", (self.place.schema,)
            )
            there = connection.execute("SELECT to_regnamespace(%s)", (f'"{self.place.schema}"',)).fetchone()
            if there is None or there[0] is None:
                connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(self.place.schema)))
            yield connection

    # --- reading ---------------------------------------------------------------------------------------

    def rows(self, query: str, values: Sequence[Any] | dict[str, Any] = ()) -> Rows:
        with self._failing_clearly():
            connection, fresh = self._connection()
            try:
                return self._asked(connection, query, values)
            except psycopg.OperationalError:
                if fresh or not connection.closed:
                    raise
            # The server was away since the last question, and may be back.
            return self._asked(self._connection()[0], query, values)

    def _asked(
        self, connection: psycopg.Connection[Any], query: str, values: Sequence[Any] | dict[str, Any]
    ) -> Rows:
        try:
            cursor = connection.execute(spoken(query, bool(values)), values or None, prepare=True)
        except (errors.UndefinedTable, errors.InvalidSchemaName):
            return Rows((), ())
        return Rows(cursor.fetchall(), [c.name for c in cursor.description or ()])

    def _storable(self, customer_id: str) -> bool:
        return "\0" not in customer_id and super()._storable(customer_id)

    def _connection(self) -> tuple[psycopg.Connection[Any], bool]:
        """This thread's connection, and whether it was made just now."""
        held: tuple[int, psycopg.Connection[Any]] | None = getattr(self._local, "held", None)
        if held is not None and held[0] == os.getpid() and not held[1].closed:
            return held[1], False
        connection = self._connect(autocommit=True)
        self._local.held = (os.getpid(), connection)
        return connection, True

    @contextlib.contextmanager
    def _connected(self, autocommit: bool = False) -> Iterator[psycopg.Connection[Any]]:
        """A connection for one purpose; committed at the end unless an error leaves it."""
        with self._connect(autocommit) as connection:
            yield connection

    def _connect(self, autocommit: bool) -> psycopg.Connection[Any]:
        began = time.monotonic()
        if self._away is not None and began < self._away[0]:
            raise StoreError(self._away[1])
        try:
            given = conninfo_to_dict(self.place.conninfo)
            options = f"{given.get('options', '')} -c search_path={self.place.schema} -c lock_timeout=10s"
            more = {name: value for name, value in _ASKED_OF_THE_NETWORK.items() if name not in given}
            connection = psycopg.connect(
                self.place.conninfo,
                autocommit=autocommit,
                **{**more, "options": options, "client_encoding": "utf8"},
            )
        except psycopg.Error as error:
            told = f"{self.name}: {_advice(error)} (PostgreSQL: {_words(error)})"
            if time.monotonic() - began > SLOW_SECONDS:
                self._away = (time.monotonic() + RETRY_SECONDS, told)
            raise StoreError(told) from None
        self._away = None
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            connection.close()
            raise StoreError(
                f"{self.name}: its encoding is {encoding}, expected UTF8; make a database with ENCODING 'UTF8'"
            )
        return connection

    @contextlib.contextmanager
    def _failing_clearly(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise StoreError(f"{self.name}: {_advice(error)} (PostgreSQL: {_words(error)})") from None


def _load(
    connection: psycopg.Connection[Any],
    run: str,
    as_of: int,
    parts: Iterable[Path],
    columns: tuple[str, ...],
    *,
    progress: Progress | None,
    lasting: bool,
) -> tuple[int, str]:
    """Load `columns` of the parts into table loading_scores, and into loading_holding which alert rule holds for whom;
    number of rows and their release. A `lasting` table is one that may take the place of the current scores."""
    connection.execute(create_scores(columns, lasting=lasting))
    connection.execute(
        'CREATE TEMP TABLE loading_holding (customer_id TEXT COLLATE "C", alert TEXT COLLATE "C") ON COMMIT DROP'
    )
    rows, release = 0, ""
    for _, batch in checked(run, as_of, parts, columns):
        _copy(connection, "loading_scores", flat(batch))
        if "alerts" in columns and len(held := holding(batch)):
            _copy(connection, "loading_holding", held)
        release = release or str(batch["release"][0].as_py())
        rows += batch.num_rows
        if progress is not None:
            progress(batch.num_rows)
    if not rows:
        raise nothing(run)
    connection.execute("ALTER TABLE loading_scores ADD PRIMARY KEY (customer_id)")
    connection.execute("CREATE INDEX ON loading_holding (alert, customer_id)")
    connection.execute("ANALYZE loading_scores")
    connection.execute("ANALYZE loading_holding")
    return rows, release


def _copy(connection: psycopg.Connection[Any], table: str, rows: Any) -> None:
    """Append Arrow rows: as CSV, in which text is quoted and a null is nothing at all."""
    buffer = io.BytesIO()
    pv.write_csv(rows, buffer, pv.WriteOptions(include_header=False, quoting_style="needed"))
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY {} FROM STDIN (FORMAT csv)").format(sql.Identifier(table))) as copy,
    ):
        copy.write(buffer.getbuffer())


def _swap(connection: psycopg.Connection[Any]) -> None:
    """Put the loaded scores in the place of the current ones: the last step, since readers wait from here on."""
    connection.execute(f"SET LOCAL lock_timeout = '{SWAP_SECONDS}s'")
    for left in reversed(range(WAIT_SECONDS // SWAP_SECONDS)):
        try:
            with connection.transaction():
                connection.execute("DROP TABLE IF EXISTS scores")
            break
        except errors.LockNotAvailable:
            if not left:
                raise
    connection.execute("ALTER TABLE loading_scores RENAME TO scores")
    connection.execute("ALTER INDEX loading_scores_pkey RENAME TO scores_pkey")


def _words(error: psycopg.Error) -> str:
    """What the server says, without the values of rows (which its detail may show)."""
    return " ".join((error.diag.message_primary or str(error)).split())[:300]


def _advice(error: psycopg.Error) -> str:
    if isinstance(error, errors.LockNotAvailable):
        return "is being written by another run, or read by somebody who does not end; try again when that has ended"
    if isinstance(error, errors.DiskFull):
        return "its disk is full; free some space and run it again, the earlier scores are still there"
    if isinstance(error, errors.InsufficientPrivilege):
        return "its user may not do that; grant CREATE on the database, or make the schema and give it to the user"
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return "can only be read (a standby?); name the primary server in 'store'"
    if isinstance(error, psycopg.OperationalError):
        return (
            "cannot be reached; check 'store', that the server runs, and the password in the environment (PGPASSWORD or"
            " ~/.pgpass)"
        )
    return "cannot be used; check the server's log"
