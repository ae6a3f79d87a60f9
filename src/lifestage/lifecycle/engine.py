"""The DuckDB connection that evaluates conditions: in memory, one a thread, shut off from everything else."""

import os
import threading
from collections.abc import Mapping
from typing import Any

import duckdb
import numpy.typing as npt
import pyarrow as pa

_LOCAL = threading.local()
BLOCK = "block"


def connection() -> duckdb.DuckDBPyConnection:
    """This thread's connection; a process that was forked opens its own."""
    if getattr(_LOCAL, "pid", None) != os.getpid():
        # One thread: a block is small, the callers run side by side, and rows keep their order.
        _LOCAL.connection = duckdb.connect(
            ":memory:",
            config={"threads": 1, "enable_external_access": "false", "python_enable_replacements": "false"},
        )
        _LOCAL.connection.execute("SET lock_configuration = true")
        _LOCAL.pid = os.getpid()
    return _LOCAL.connection


def query(sql: str, block: pa.Table) -> dict[str, npt.NDArray[Any]]:
    """Result columns of `sql` over the table `block`, which it names BLOCK."""
    con = connection()
    con.register(BLOCK, block)
    try:
        result: dict[str, npt.NDArray[Any]] = con.execute(sql).fetchnumpy()
    finally:
        con.unregister(BLOCK)
    return result


def type_of(expression: str, columns: Mapping[str, pa.DataType]) -> str:
    """DuckDB's type of an expression over a block with these columns. Raises duckdb.Error if it does not fit."""
    con = connection()
    con.register(BLOCK, pa.schema(list(columns.items())).empty_table())
    try:
        return str(con.execute(f"SELECT ({expression}) FROM {BLOCK}").description[0][1])
    finally:
        con.unregister(BLOCK)
