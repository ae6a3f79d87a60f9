"""Where tables are worked on, spoken to through Ibis: by default one DuckDB in memory that spills to a folder."""

import shutil
import uuid
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

BATCH_ROWS = 100_000


def quoted(name: str) -> str:
    """A SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A SQL text literal."""
    return "'" + value.replace("'", "''") + "'"


def _drop(connection: Any, folder: Path) -> None:
    connection.close()
    shutil.rmtree(folder, ignore_errors=True)


class Engine(ABC):
    """Tables by name, and what the steps of the intake do with them. All instants in them are int64."""

    @abstractmethod
    def table(self, name: str) -> ir.Table:
        """A table that was kept or copied."""

    @abstractmethod
    def keep(self, name: str, table: ir.Table) -> ir.Table:
        """The table, computed once."""

    @abstractmethod
    def copy(self, name: str, table: pa.Table) -> None:
        """An Arrow table as a table of the engine's own."""

    @abstractmethod
    def stream(self, table: ir.Table) -> pa.RecordBatchReader:
        """A table's record batches, in its order. Several may be open."""

    def rows(self, table: ir.Table) -> list[dict[str, Any]]:
        """A small table as Python rows."""
        return [row for batch in self.stream(table) for row in batch.to_pylist()]

    def count(self, table: ir.Table) -> int:
        return int(self.rows(table.aggregate(n=table.count()))[0]["n"])


class DuckDB(Engine):
    """A connection whose naive times are local times of `zone`. What it spills vanishes with it."""

    def __init__(
        self,
        zone: str,
        spill_parent: Path,
        *,
        memory: str = "1500MB",  # beyond it rows spill to disk; the whole process then stays below 3 GB
        threads: int | None = None,
        warehouse: str | None = None,
    ) -> None:
        """`warehouse`: URL of the database in which a source's `table` lies."""
        spill_parent.mkdir(parents=True, exist_ok=True)
        folder = spill_parent / f".spill-{uuid.uuid4().hex}"
        self._zone = zone
        self.warehouse = warehouse
        self._ibis: Any = ibis.duckdb.connect()
        self._connection: Any = self._ibis.con
        self.close: Callable[[], object] = weakref.finalize(self, _drop, self._connection, folder)
        for setting, value in {
            "TimeZone": zone,
            "temp_directory": folder.as_posix(),
            "memory_limit": memory,
            **({} if threads is None else {"threads": str(threads)}),
            "autoinstall_known_extensions": "false",  # nothing is ever fetched
            "autoload_known_extensions": "false",
            "preserve_insertion_order": "false",  # every order that matters is asked for
        }.items():
            self._connection.execute(f"SET {setting} = {text(value)}")

    def __enter__(self) -> "DuckDB":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._connection.execute(sql).fetchall()
        return rows

    def types(self, sql: str) -> dict[str, str]:
        """DuckDB's type of each column of a query; nothing is read."""
        return {name: kind for name, kind, *_ in self.run(f"DESCRIBE {sql}")}

    def view(self, name: str, sql: str) -> ir.Table:
        self.run(f"CREATE OR REPLACE VIEW {quoted(name)} AS {sql}")
        return self.table(name)

    def table(self, name: str) -> ir.Table:
        return self._ibis.table(name)

    def keep(self, name: str, table: ir.Table) -> ir.Table:
        self.run(f"CREATE OR REPLACE TABLE {quoted(name)} AS {self._ibis.compile(table)}")
        return self.table(name)

    def borrow(self, name: str, table: pa.Table) -> None:
        """An Arrow table under a name, in the place of what had it; nothing is copied. `read` sees it."""
        self._connection.register(name, table)

    def read(self, table: ir.Table) -> pa.Table:
        """A table whole, borrowed ones included."""
        return self._connection.sql(self._ibis.compile(table)).to_arrow_table()

    def copy(self, name: str, table: pa.Table | pa.RecordBatchReader) -> None:
        """An Arrow table, or a stream of batches, as a table of the engine's own."""
        self._connection.register(f"arrow_{name}", table)
        self.run(f"CREATE TABLE {quoted(name)} AS SELECT * FROM {quoted(f'arrow_{name}')}")
        self._connection.unregister(f"arrow_{name}")

    def drop(self, name: str) -> None:
        self.run(f"DROP TABLE IF EXISTS {quoted(name)}")

    def stream(self, table: ir.Table) -> pa.RecordBatchReader:
        """Each stream has a cursor of its own."""
        cursor = self._connection.cursor()
        cursor.execute(f"SET TimeZone = {text(self._zone)}")  # a cursor begins with the machine's
        return cursor.sql(self._ibis.compile(table)).to_arrow_reader(BATCH_ROWS)
