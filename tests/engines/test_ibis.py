"""Any other database that Ibis reaches, with a SQLite file in the place of a warehouse."""

import sqlite3
import sys
from pathlib import Path

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
    columns = zip(("cust", "at", "net", "n"), zip(*ROWS, strict=True), strict=True)
    pq.write_table(pa.table({name: list(values) for name, values in columns}), tmp_path / "orders.parquet")
    expected = history(
        shop_of(tmp_path / "a", "duckdb", path=str(tmp_path / "orders.parquet"), where="n < 2")
    )
    assert len(expected) == 2
    for name, table in (("b", "orders"), ("c", "main.orders")):
        shop = shop_of(tmp_path / name, f"sqlite://{tmp_path}/shop.sqlite", table=table, where="n < 2")
        assert history(shop).equals(expected)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, f"sqlite://{tmp_path}/shop.sqlite", table="none")
    with pytest.raises(InputError, match=r"sources\.transactions\.table: sqlite:.*does not give it.*none"):
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


def test_spark_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(
        InputError, match=r"engine pyspark: pyspark is not installed; install lifestage\[spark\]"
    ):
        history(shop_of(tmp_path, "pyspark", path="orders.parquet"))
