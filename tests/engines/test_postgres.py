"""A PostgreSQL server of the test's own: what its tables hold gives what files of the same rows give."""

import getpass
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifestage import engines
from lifestage.errors import InputError
from lifestage.settings import Shop, parse
from tests import postgres_server

LATE = 4_000_000_000_000_000  # 2096: nothing is in the future
Connect = Callable[[], Any]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server that lives as long as this file's tests."""
    pytest.importorskip(
        "adbc_driver_postgresql", reason="its driver is not installed: pip install -e '.[postgres]'"
    )
    if reason := postgres_server.why_not():
        pytest.skip(reason)
    with postgres_server.running() as server:
        yield server.url


def query(url: str, *statements: str) -> None:
    import adbc_driver_postgresql.dbapi as adbc

    with adbc.connect(url) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        connection.commit()


ROWS = 500


@pytest.fixture(scope="module")
def filled(url: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The same rows in the database and in Parquet files."""
    import adbc_driver_postgresql.dbapi as adbc

    folder = tmp_path_factory.mktemp("files")
    r = random.Random(4)
    day = 86_400_000_000
    at = [1_609_459_200_000_000 + r.randrange(60 * day) for _ in range(ROWS)]
    orders = pa.table({
        "Customer No": pa.array([r.choice([None, *range(30)]) for _ in at], pa.int32()),
        "when": pa.array(at, pa.timestamp("us")),
        "net": pa.array([r.choice([0.1, 19.99, 1234.5, -5.25, None]) for _ in at], pa.float64()),
        "n": pa.array([r.randrange(4) for _ in at], pa.int16()),
        "oid": pa.array([f"o{r.randrange(400)}" for _ in at]),
        "status": pa.array([r.choice(["paid", "test", None, "pa'id"]) for _ in at]),
    })  # fmt: skip
    people = pa.table({
        "id": pa.array([str(i) for i in range(40)]),
        "since": pa.array([r.choice([None, t]) for t in at[:40]], pa.timestamp("us", tz="UTC")),
        "born": pa.array([r.choice([None, i]) for i in range(40)], pa.int32()).cast(pa.date32()),
        "vip": pa.array([r.choice([None, True, False]) for _ in range(40)]),
        "城市": pa.array([r.choice(["Köln", " 北京 "]) for _ in range(40)]),
    })  # fmt: skip
    with adbc.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA shop")
        for name, table in (("orders", orders), ("people", people)):
            pq.write_table(table, folder / f"{name}.parquet")
            cursor.adbc_ingest(name, table, db_schema_name="shop")
        cursor.execute(
            'ALTER TABLE shop.orders ALTER "oid" TYPE varchar(20), ADD price numeric(12,2), '
            "ADD free numeric, ADD extra jsonb"
        )
        cursor.execute("UPDATE shop.orders SET price = net, free = net, extra = '{}'")
        connection.commit()
    return url, folder


def shop_of(folder: Path, sources: dict[str, Any], engine: str, **more: Any) -> Shop:
    document = {"shop": "pg", "timezone": "Europe/Berlin", "currency": "EUR", "intake": {"max_reject_share": 1},
                "engine": engine, "output_dir": str(folder), "sources": sources, **more}  # fmt: skip
    return parse(document, "shop.yaml")


COLUMNS = {"customer_id": "Customer No", "ordered_at": "when", "amount": "net * n", "order_id": "oid"}
PEOPLE = {"customer_id": "id", "signed_up_at": "since", "born": "born", "vip": "vip", "city": "城市"}


@pytest.mark.parametrize("grain", ["order", "line"])
@pytest.mark.parametrize(
    "where",
    [None, "status = 'paid' AND n > 0 AND \"when\" >= '2021-01-10'", "upper(status) = 'PA''ID' OR n = 1"],
)
def test_tables_give_what_files_give(
    filled: tuple[str, Path], tmp_path: Path, grain: str, where: str | None
) -> None:
    url, folder = filled
    histories = []
    for engine, place in (("duckdb", "path"), (url, "table")):
        sources: dict[str, Any] = {
            "transactions": {"columns": COLUMNS, "grain": grain, **({"where": where} if where else {})},
            "customers": {"columns": PEOPLE},
        }
        for name, table in (("transactions", "orders"), ("customers", "people")):
            sources[name][place] = f"{folder}/{table}.parquet" if place == "path" else f"shop.{table}"
        shop = shop_of(tmp_path / place, sources, engine)
        histories.append(engines.make_history(shop, LATE, None, shop.output / "history.parquet"))
    ours, theirs = (history.facts for history in histories)
    for facts in (ours, theirs):
        for counts in facts["report"]["tables"].values():
            del counts["source"]
    assert theirs == ours
    assert pq.read_table(histories[0].path).equals(pq.read_table(histories[1].path))
    assert ours["report"]["tables"]["transactions"]["rows_read"] == ROWS
    assert (ours["report"]["tables"]["transactions"]["filtered"] > 0) == (where is not None)


@pytest.mark.parametrize("amount", ["price * n", "free * n"])
def test_exact_numbers(filled: tuple[str, Path], tmp_path: Path, amount: str) -> None:
    url, folder = filled
    places = {"duckdb": {"path": f"{folder}/orders.parquet"}, url: {"table": "shop.orders"}}
    tables = []
    for i, (engine, place) in enumerate(places.items()):
        columns = {**COLUMNS, "amount": amount if "table" in place else "net * n"}
        shop = shop_of(tmp_path / str(i), {"transactions": {**place, "columns": columns}}, engine)
        tables.append(pq.read_table(engines.make_history(shop, LATE, None, shop.output / "h.parquet").path))
    assert tables[0].equals(tables[1])


def test_times_without_end_and_rare_types(url: str, tmp_path: Path) -> None:
    query(
        url,
        "CREATE TABLE rare (id uuid, at timestamptz, amount money, ok boolean)",
        "INSERT INTO rare VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2021-11-07 01:30+01', 2.5, true), "
        "('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'infinity', 2.5, true), (NULL, '2021-01-01', 1, false)",
    )
    columns = {"customer_id": "id", "ordered_at": "at", "amount": "replace(amount, '$', '')"}
    shop = shop_of(tmp_path, {"transactions": {"table": "rare", "columns": columns, "where": "ok"}}, url)
    history = engines.make_history(shop, LATE, None, shop.output / "history.parquet")
    counts = history.facts["report"]["tables"]["transactions"]
    assert (counts["rows_read"], counts["filtered"]) == (3, 1)
    assert counts["rejected"] == {"missing ordered_at": 1}
    (row,) = pq.read_table(history.path).to_pylist()
    assert row["customer_id"] == "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    assert [p["amount"] for p in row["purchases"]] == [2.5]
    assert row["purchases"][0]["t"].isoformat() == "2021-11-07T00:30:00+00:00"


@pytest.mark.parametrize(
    ("table", "columns", "message"),
    [
        (
            "shop.none",
            {},
            r"sources\.transactions\.table: postgres://127\.0\.0\.1:\d+/postgres does not give it",
        ),
        ("shop..x", {}, r"'shop\.\.x' is no table's name"),
        ("shop.orders", {"amount": "nett"}, r"unknown column 'nett'; did you mean 'net'"),
        ("shop.orders", {"ordered_at": "n"}, r"is of type SMALLINT, which is no time"),
    ],
)
def test_bad_tables(
    filled: tuple[str, Path], tmp_path: Path, table: str, columns: dict[str, str], message: str
) -> None:
    source = {"table": table, "columns": {**COLUMNS, **columns}}
    shop = shop_of(tmp_path, {"transactions": source}, filled[0])
    with pytest.raises(InputError, match=message):
        engines.make_history(shop, LATE, None, shop.output / "history.parquet")


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("adbc_driver_postgresql")
    source = {"table": "a.b", "columns": COLUMNS}
    user = getpass.getuser()
    shop = shop_of(tmp_path, {"transactions": source}, f"postgres://{user}@127.0.0.1:1/none")
    with pytest.raises(InputError, match=r"postgres://127\.0\.0\.1:1/none does not give it .*check 'engine'"):
        engines.make_history(shop, LATE, None, shop.output / "history.parquet")
