"""Any other database that Ibis reaches, with DuckDB and SQLite files in the place of a warehouse."""

import sqlite3
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifestage import engines
from lifestage.errors import InputError
from lifestage.settings import Shop, parse

LATE = 4_000_000_000_000_000
COLUMNS = {"customer_id": "cust", "ordered_at": "at", "amount": "net * n"}
ROWS = [
    ("a", "2021-01-01 10:00", 1.5, 2),
    ("b", "2021-02-01", 3.25, 1),
    ("a", "soon", 1.0, 1),
    ("a", "2021-01-28 02:30", -1.0, 1),
]


def shop_of(folder: Path, engine: str, **source: object) -> Shop:
    document = {"shop": "ibis", "timezone": "Europe/Berlin", "currency": "EUR", "intake": {"max_reject_share": 1},
                "engine": engine, "output_dir": str(folder),
                "sources": {"transactions": {"columns": COLUMNS, **source}}}  # fmt: skip
    return parse(document, "shop.yaml")


def history(shop: Shop) -> pa.Table:
    return pq.read_table(engines.make_history(shop, LATE, None, shop.output / "history.parquet").path)


def test_a_table_gives_what_a_file_gives(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.sqlite") as lite:
        lite.execute("CREATE TABLE orders (cust TEXT, at TEXT, net REAL, n INTEGER, more BLOB)")
        lite.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, NULL)", ROWS)
    lite.close()
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as duck:
        duck.execute(
            'CREATE SCHEMA s; CREATE TABLE s.orders (cust TEXT, "at" TEXT, net DOUBLE, n INTEGER, more TEXT[])'
        )
        duck.executemany("INSERT INTO s.orders VALUES (?, ?, ?, ?, NULL)", ROWS)
        duck.execute(f"COPY (SELECT * EXCLUDE more FROM s.orders) TO '{tmp_path}/orders.parquet'")
    expected = history(
        shop_of(tmp_path / "a", "duckdb", path=str(tmp_path / "orders.parquet"), where="n < 2")
    )
    assert len(expected) == 2
    for name, url, table in (
        ("b", f"sqlite://{tmp_path}/shop.sqlite", "orders"),
        ("c", f"duckdb://{tmp_path}/shop.duckdb", "s.orders"),
    ):
        assert history(shop_of(tmp_path / name, url, table=table, where="n < 2")).equals(expected)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    duckdb.connect(str(tmp_path / "shop.duckdb")).close()
    shop = shop_of(tmp_path, f"duckdb://{tmp_path}/shop.duckdb", table="none")
    with pytest.raises(InputError, match=r"sources\.transactions\.table: duckdb:.*does not give it.*none"):
        history(shop)


@pytest.mark.parametrize(
    ("engine", "source", "message"),
    [
        ("duckdb", {"table": "a.b"}, r"engine 'duckdb' has no tables of its own"),
        ("spark", {"path": "x.csv"}, r"engine 'spark' is not known; did you mean 'pyspark'"),
        (
            "postgres://me:secret@host/shop",
            {"table": "a"},
            r"a password does not belong into a file.*PGPASSWORD",
        ),
        (
            "postgres://me@host/shop?password=secret",
            {"table": "a"},
            r"a password does not belong into a file",
        ),
        ("pyspark", {"path": "x", "table": "a"}, r"give exactly one of 'path' .*, 'table' .* and 'dataset'"),
    ],
)
def test_engines_that_are_refused(tmp_path: Path, engine: str, source: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        shop_of(tmp_path, engine, **source)
    assert "secret" not in str(error.value)
