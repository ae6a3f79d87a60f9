"""A table of a database, streamed batch by batch into the embedded engine.

The database reads, projects and filters; what a row means is decided by the embedded engine, as for any file: so the
same rows give the same history wherever they lie. Of a filter only those conditions are handed over that mean the
same in every SQL (`portable`); the whole filter is applied to what arrives.

PostgreSQL speaks through ADBC (binary COPY), every other database that Ibis reaches through Ibis. Passwords come
from the environment: libpq's PGPASSWORD or ~/.pgpass; for other databases LIFESTAGE_ENGINE_PASSWORD.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import ibis

from lifestage.errors import InputError
from lifestage.intake.engine import DuckDB, quoted, text
from lifestage.intake.mapping import columns_read
from lifestage.intake.portable import portable
from lifestage.intake.sources import Raw
from lifestage.schemas import Table
from lifestage.settings import Source

PASSWORD = "LIFESTAGE_ENGINE_PASSWORD"
_AS_IT_IS = re.compile(
    r"(boolean|smallint|integer|bigint|real|double precision|text|character varying(\(\d+\))?)"
)
_TIMES = re.compile(r"date|timestamp(\(\d\))? with(out)? time zone")
_NUMERIC = re.compile(r"numeric(?:\((\d+),(\d+)\))?")


def open_table(engine: DuckDB, table: Table, source: Source) -> Raw:
    """The columns that the mapping reads of a database's table, copied into the engine. Raises InputError."""
    url, name = str(engine.warehouse), str(source.table)
    parts = name.split(".")
    if not all(parts):
        raise InputError(f"sources.{table.name}.table: '{name}' is no table's name; write schema.table")
    if urlsplit(url).scheme in ("postgres", "postgresql"):
        return _from_postgres(engine, table, source, parts)
    return _from_ibis(engine, table, source, parts)


@contextmanager
def _spoken(url: str, place: str, *kinds: type[Exception]) -> Iterator[None]:
    try:
        yield
    except kinds as error:
        reason = re.sub(r"\s+", " ", str(error)).strip()
        raise InputError(
            f"{place}: {_shown(url)} does not give it ({reason[:300]}); check 'engine', the table's name, your "
            "rights, and the password in the environment"
        ) from None


def _shown(url: str) -> str:
    """The URL without what may be secret."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _from_postgres(engine: DuckDB, table: Table, source: Source, parts: list[str]) -> Raw:
    try:
        import adbc_driver_postgresql.dbapi as adbc
    except ImportError:
        raise InputError(
            "engine postgres: its driver is not installed; install lifestage[postgres]"
        ) from None
    place = f"sources.{table.name}.table"
    theirs = ".".join(quoted(part) for part in parts)
    relation, origin = f"raw_{table.name}", f"table {source.table}"
    with (
        _spoken(str(engine.warehouse), place, adbc.Error),
        adbc.connect(str(engine.warehouse)) as connection,
        connection.cursor() as cursor,
    ):
        # One snapshot for everything that is asked.
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute(
            "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attnum > 0 "
            f"AND NOT attisdropped AND attrelid = {text(theirs)}::regclass ORDER BY attnum"
        )
        kinds: dict[str, str] = dict(cursor.fetchall())
        engine.run(_nothing(relation, kinds))
        raw = Raw(relation, origin, engine.types(f"SELECT * FROM {quoted(relation)}"))
        columns = columns_read(table, source, raw)
        condition = portable(source.where, raw.types)
        filtered = 0
        if condition:
            cursor.execute(f"SELECT count(*) FROM {theirs} WHERE ({condition}) IS NOT TRUE")
            filtered = int(cursor.fetchone()[0])
        listed = ", ".join(f"{_sent(kinds[c], quoted(c))} AS {quoted(c)}" for c in columns)
        cursor.execute(f"SELECT {listed} FROM {theirs}" + (f" WHERE {condition}" if condition else ""))
        kept = {column: kinds[column] for column in columns}
        engine.copy(f"{relation}_sent", cursor.fetch_record_batch())
        connection.rollback()
    cast = ", ".join(f"TRY_CAST({quoted(c)} AS {_duckdb(kind)}) AS {quoted(c)}" for c, kind in kept.items())
    engine.run(
        f"CREATE OR REPLACE TABLE {quoted(relation)} AS SELECT {cast} FROM {quoted(relation + '_sent')}"
    )
    engine.drop(f"{relation}_sent")
    types = engine.types(f"SELECT * FROM {quoted(relation)}")
    return Raw(relation, origin, types, filtered=filtered)


def _sent(kind: str, column: str) -> str:
    """A column as PostgreSQL sends it: infinite times, which are no times, as NULL; rare types as text."""
    if _TIMES.fullmatch(kind):
        return f"CASE WHEN isfinite({column}) THEN {column} END"
    return column if _AS_IT_IS.fullmatch(kind) else f"CAST({column} AS text)"


def _duckdb(kind: str) -> str:
    """The embedded engine's type for one of PostgreSQL's."""
    if numeric := _NUMERIC.fullmatch(kind):
        digits = numeric.group(1)
        return f"DECIMAL({digits},{numeric.group(2)})" if digits and int(digits) <= 38 else "DOUBLE"
    if _TIMES.fullmatch(kind):
        return {"d": "DATE"}.get(kind[0], "TIMESTAMPTZ" if "without" not in kind else "TIMESTAMP")
    same = {"boolean", "smallint", "integer", "bigint", "real"}
    return kind.upper() if kind in same else {"double precision": "DOUBLE"}.get(kind, "VARCHAR")


def _nothing(relation: str, kinds: dict[str, str]) -> str:
    """An empty table of a PostgreSQL table's columns: what the mapping is judged by."""
    columns = ", ".join(f"{quoted(name)} {_duckdb(kind)}" for name, kind in kinds.items())
    return f"CREATE OR REPLACE TABLE {quoted(relation)} ({columns})"


def _from_ibis(engine: DuckDB, table: Table, source: Source, parts: list[str]) -> Raw:
    url = str(engine.warehouse)
    relation, origin = f"raw_{table.name}", f"table {source.table}"
    # Every database has errors of its own class.
    with _spoken(url, f"sources.{table.name}.table", Exception):
        connection = _connect(url)
        theirs = connection.table(parts[-1], database=tuple(parts[:-1]) or None)
        engine.copy(relation, theirs.schema().to_pyarrow().empty_table())
    raw = Raw(relation, origin, engine.types(f"SELECT * FROM {quoted(relation)}"))
    columns = columns_read(table, source, raw)
    engine.drop(relation)
    with _spoken(url, f"sources.{table.name}.table", Exception):
        engine.copy(relation, theirs.select(columns).to_pyarrow_batches(chunk_size=100_000))
    return Raw(relation, origin, {name: raw.types[name] for name in columns})


def _connect(url: str) -> Any:
    if password := os.environ.get(PASSWORD):
        parts = urlsplit(url)
        user, _, host = parts.netloc.rpartition("@")
        url = urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))
    return ibis.connect(url)
