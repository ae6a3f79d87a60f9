"""DuckDB as evaluator of a policy: in memory, shut off from files and settings, one connection a thread and query.

Planning a policy's query takes ten times as long as running it on one customer. So a query is prepared once
over a feed, an Arrow source of fixed schema whose rows are exchanged before each run.
"""

import os
import threading
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, TypeAlias

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

BLOCK = "block"
_LIMIT = 16
"""Prepared queries a thread keeps, the most recently used."""
_LOCAL = threading.local()
FEW = 64
"""Up to so many rows plain Python values are faster than Arrow's streams; the result is the same."""
Answers: TypeAlias = Mapping[str, npt.NDArray[Any] | pa.Array]
"""Result columns: whole numbers without NULL as NumPy arrays, all others as Arrow arrays."""
_WHOLE = pa.int64()
_ARROW = {
    "SMALLINT": _WHOLE,
    "INTEGER": _WHOLE,
    "BIGINT": _WHOLE,
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "VARCHAR[]": pa.list_(pa.string()),
    "BOOLEAN": pa.bool_(),
}
# An extra copy is no matter: the statement is prepared, which the other interface does not offer.
warnings.filterwarnings("ignore", "Arrow output on a DB-API result", UserWarning)


def _connect() -> duckdb.DuckDBPyConnection:
    # One thread: a block is small, callers run side by side, and rows keep their order.
    config = {"threads": 1, "enable_external_access": "false", "python_enable_replacements": "false"}
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("SET lock_configuration = true")
    return connection


class _Feed:
    """An Arrow source that gives whichever table it holds at the time of the run."""

    def __init__(self, schema: pa.Schema) -> None:
        self.table: pa.Table = schema.empty_table()

    def __arrow_c_schema__(self) -> object:
        return self.table.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


class _Prepared:
    def __init__(self, sql: str, schema: pa.Schema) -> None:
        self.feed = _Feed(schema)
        self.nothing = self.feed.table
        self.connection = _connect()
        self.connection.register(BLOCK, self.feed)
        self.connection.execute(f"PREPARE decision AS {sql}")
        described = self.connection.execute("EXECUTE decision").description
        self.types = {name: _ARROW[str(type_)] for name, type_, *_ in described}

    def run(self, block: pa.Table) -> Answers:
        self.feed.table = block
        try:
            found = self.connection.execute("EXECUTE decision")
            if 0 < block.num_rows <= FEW:
                columns = zip(*found.fetchall(), strict=True)
                named = zip(self.types.items(), columns, strict=True)
                return {name: _few(column, type_) for (name, type_), column in named}
            table = found.to_arrow_table()
        finally:
            self.feed.table = self.nothing
        return {name: _many(table[name]) for name in table.column_names}


def _few(values: tuple[Any, ...], type_: pa.DataType) -> npt.NDArray[Any] | pa.Array:
    return np.array(values, np.int64) if type_ == _WHOLE else pa.array(values, type_)


def _many(column: pa.ChunkedArray) -> npt.NDArray[Any] | pa.Array:
    return column.to_numpy() if pa.types.is_integer(column.type) else column.combine_chunks()


class _Kept:
    """What one thread of one process keeps."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.checker = _connect()
        self.prepared: OrderedDict[tuple[str, pa.Schema], _Prepared] = OrderedDict()


def _kept() -> _Kept:
    kept: _Kept | None = getattr(_LOCAL, "kept", None)
    if kept is None or kept.pid != os.getpid():  # a forked process must not use its parent's connections
        kept = _LOCAL.kept = _Kept()
    return kept


def query(sql: str, block: pa.Table) -> Answers:
    """Result columns of `sql` over the table `block`, which it names BLOCK. Raises duckdb.Error."""
    prepared = _kept().prepared
    key = (sql, block.schema)
    if key not in prepared:
        prepared[key] = _Prepared(sql, block.schema)
        if len(prepared) > _LIMIT:
            prepared.popitem(last=False)
    prepared.move_to_end(key)
    return prepared[key].run(block)


def _sample(type_: pa.DataType) -> pa.Scalar:
    if pa.types.is_string(type_):
        return pa.scalar(None, type_)  # what a shop's texts look like is not known here
    return pa.scalar(1).cast(type_)


def type_of(expression: str, columns: Mapping[str, pa.DataType]) -> str:
    """DuckDB's type of an expression over a block with these columns, evaluated for one made-up customer.

    Raises duckdb.Error if it does not fit, or if a value of it can be computed for no such customer.
    """
    checker = _kept().checker
    schema = pa.schema(list(columns.items()))
    checker.register(BLOCK, pa.table([pa.array([_sample(field.type)]) for field in schema], schema=schema))
    try:
        answer = checker.execute(f"SELECT ({expression}) FROM {BLOCK}")
        answer.fetchall()
        return str(answer.description[0][1])
    finally:
        checker.unregister(BLOCK)
