"""The intake on Spark against the embedded engine: messy tables, the same words for bad input."""

import random
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifestage import engines
from lifestage.engines.spark import Spark
from lifestage.errors import InputError
from lifestage.localtime import midnight

ROOT = Path(__file__).parents[2]
LATE = 4_000_000_000_000_000  # 2096: nothing is in the future
Document = dict[str, Any]


def messy(seed: int) -> list[str]:
    """Lines of a CSV file of order lines as shops have them."""
    r = random.Random(seed)
    times = ["2021-11-07 01:30:00", "2021-11-07 01:30:00-04:00", "2021-03-14 02:30:00", "2021-11-07",
             " 2021-11-06 23:59:59.5 ",
             "2021-11-07T06:30:00Z", "soon", "", "2021-13-01", "1890-01-01"]  # fmt: skip
    amounts = [
        "0.1",
        "0.2",
        "1e9",
        "-1e9",
        " 7 ",
        "90000000.07",
        "123456.789012345",
        "nan",
        "x",
        "",
        "-0.0",
        "0x10",
        "1_000",
    ]
    lines = ["cust,at,price,n,oid,note"]
    for _ in range(400):
        who = r.choice(["7", "8.0", "7.50", " b ", "B", "é", "客", "\u3000a", "", " ", '"d,e"', '"f""g"'])
        at = (
            r.choice(times)
            if r.random() < 0.4
            else f"2021-{r.choice(['03', '11'])}-{r.randrange(1, 29):02d} {r.randrange(24):02d}:10"
        )
        price = r.choice(amounts) if r.random() < 0.5 else f"{r.randrange(-400, 1200) / 100}"
        lines.append(
            f"{who},{at},{price},{r.choice([1, 1, 3, -2])},o{r.randrange(90)},{r.choice(['paid', 'test', ''])}"
        )
    lines.insert(50, "too,few")
    lines.insert(90, "a,2021-11-01,1,1,o1,paid,one more")
    lines.insert(120, '"two\nlines",2021-11-02,5,1,o77,paid')
    return lines


def test_messy_lines_of_csv(both: type[Any], tmp_path: Path) -> None:
    """Local times twice or never, exact sums, ids, texts that are no numbers, lines that are no rows."""
    lines = messy(1)
    (tmp_path / "x1.csv").write_text("\ufeff" + "\n".join(lines[:201]) + "\n", encoding="utf-8")
    head = "at,cust,price,n,oid,note"
    (tmp_path / "x2.csv").write_text(
        "\r\n".join(
            [
                head,
                *(
                    f"{at},{who},1.5,1,z{i},paid"
                    for i, (at, who) in enumerate([("2021-11-07 01:45", "8"), ("2021-11-09", "客")])
                ),
            ]
        )
        + "\r\n",
        encoding="utf-8",
    )
    columns = {"customer_id": "cust", "ordered_at": "at", "amount": "price * n", "order_id": "oid"}
    source = {
        "path": str(tmp_path / "x*.csv"),
        "grain": "line",
        "columns": columns,
        "where": "note <> 'test'",
    }
    document = {"shop": "messy", "timezone": "America/New_York", "currency": "USD",
                "intake": {"max_reject_share": 1}, "sources": {"transactions": source}}  # fmt: skip
    pair = both(document, tmp_path)
    ours, theirs = pair.made()
    pair.alike(ours, theirs)
    reasons = ours.facts["report"]["tables"]["transactions"]["rejected"]
    assert {"line that is no CSV row", "amount not finite", "ordered_at before 1950"} <= reasons.keys()


def test_repeated_ids_and_typed_columns(both: type[Any], tmp_path: Path) -> None:
    """Ids used twice, instants in nanoseconds, rows at and after the as_of, a table of Spark's own."""
    r = random.Random(5)
    cut = midnight(date(2021, 2, 1), "Europe/Berlin")
    day = 86_400_000_000
    at = [cut + r.randrange(-40, 20) * day + r.randrange(3) * 1_000 for _ in range(300)]
    orders = pa.table({
        "id": pa.array([r.randrange(1, 25) for _ in at], pa.int32()),
        "when": pa.array([t * 1_000 for t in at], pa.timestamp("ns")),
        "amount": pa.array([r.randrange(-300, 900) for _ in at]).cast(pa.decimal128(21, 2)),
        "oid": pa.array([r.choice([None, *range(100)]) for _ in at], pa.float64()),
    })  # fmt: skip
    people = pa.table({
        "id": pa.array([r.randrange(1, 30) for _ in range(60)], pa.int64()),
        "since": pa.array([r.choice([None, t]) for t in at[:60]], pa.timestamp("us", tz="UTC")),
        "vip": pa.array([r.choice([None, True, False]) for _ in range(60)]),
        "city": pa.array([r.choice(["Köln", "Bonn ", ""]) for _ in range(60)]),
    })  # fmt: skip
    for name, table in (("orders", orders), ("people", people)):
        pq.write_table(table, tmp_path / f"{name}.parquet")
    document = {
        "shop": "typed", "timezone": "Europe/Berlin", "currency": "EUR", "intake": {"max_reject_share": 1},
        "sources": {
            "transactions": {"path": str(tmp_path / "orders.parquet"),
                             "columns": {"customer_id": "id", "ordered_at": "when", "amount": "amount",
                                         "order_id": "oid"}},
            "customers": {"path": str(tmp_path / "people.parquet"),
                          "columns": {"customer_id": "id", "signed_up_at": "since", "vip": "vip", "city": "city"}},
        },
    }  # fmt: skip
    pair = both(document, tmp_path)
    session = Spark(pair.pyspark.engine_options).session
    session.read.parquet(str(tmp_path / "people.parquet")).createOrReplaceTempView("people")
    sources = pair.pyspark.sources
    people_there = sources.customers.model_copy(update={"path": None, "table": "people"})
    sources = sources.model_copy(update={"customers": people_there})
    pair.pyspark = pair.pyspark.model_copy(update={"sources": sources})
    ours, theirs = pair.made(cut)
    for facts in (ours.facts, theirs.facts):
        assert facts["report"]["tables"]["customers"].pop("source")
    pair.alike(ours, theirs)
    rejected = {name: t["rejected"] for name, t in ours.facts["report"]["tables"].items()}
    assert rejected["transactions"]["repeated order_id"] > 10
    assert rejected["customers"]["repeated customer_id"] > 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"columns": {"amount": "price"}}, r"unknown column 'price'; did you mean 'prize'"),
        ({"columns": {"ordered_at": "prize"}}, r"ordered_at .*is of type DOUBLE, which is no time"),
        ({"path": None, "table": "none.such"}, r"engine pyspark: .*none.*such"),
        ({"path": "none.parquet"}, r"no file 'none\.parquet' exists"),
        ({"where": "prize > 9"}, r"transactions: '.*' holds no usable purchase"),
    ],
)
def test_bad_input_in_the_same_words(both: type[Any], tmp_path: Path, change: Document, message: str) -> None:
    pq.write_table(pa.table({"id": ["a"], "at": ["2021-01-01"], "prize": [1.0]}), tmp_path / "o.parquet")
    columns = {"customer_id": "id", "ordered_at": "at", "amount": "prize"}
    source = {
        "path": str(tmp_path / "o.parquet"),
        **change,
        "columns": {**columns, **change.get("columns", {})},
    }
    document = {"shop": "bad", "timezone": "UTC", "currency": "EUR", "sources": {"transactions": source}}  # fmt: skip
    shop = both.on("pyspark", document, tmp_path)
    with pytest.raises(InputError, match=message):
        engines.make_history(shop, LATE, None, shop.output / "history.parquet")
    assert not (shop.output / "history.parquet").exists()
