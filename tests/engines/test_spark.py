"""Spark against the embedded engine: the same history, models and scores to the bit, the same words for bad input."""

import json
import random
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from lifestage import engines, fitting, references, release, samples
from lifestage.datasets.simulated import World
from lifestage.datasets.simulated_files import simulate
from lifestage.engines.spark import Spark
from lifestage.errors import InputError
from lifestage.history_file import HistoryFile
from lifestage.labels import Definition
from lifestage.lifecycle import policy
from lifestage.localtime import midnight
from lifestage.runs import score_run
from lifestage.settings import Shop, parse
from lifestage.store import open_store

ROOT = Path(__file__).parents[2]
LATE = 4_000_000_000_000_000  # 2096: nothing is in the future
Document = dict[str, Any]


def both(document: Document, spark: Document, folder: Path) -> dict[str, Shop]:
    """The shop on each engine."""
    return {
        engine: parse(
            {**document, "engine": engine, "engine_options": spark, "output_dir": str(folder / engine)},
            "shop.yaml",
        )
        for engine in ("duckdb", "pyspark")
    }


def made(shops: dict[str, Shop], as_of: int | None = None) -> tuple[HistoryFile, HistoryFile]:
    files = [engines.make_history(s, LATE, as_of, s.output / "history.parquet") for s in shops.values()]
    return files[0], files[1]


def rows(file: HistoryFile) -> list[dict[str, Any]]:
    tables = [pq.read_table(part) for part in file.files]
    return pa.concat_tables(tables).to_pylist()


def quarantined(shop: Shop) -> list[dict[str, Any]]:
    found = pq.read_table(shop.output / "quarantine.parquet").to_pylist()
    for row in found:
        if row["reason"] == "line that is no CSV row":
            row["row"] = json.loads(row["row"])["line"]  # each reader has its own words for what is wrong
    return sorted(found, key=str)


def alike(ours: HistoryFile, theirs: HistoryFile) -> None:
    assert theirs.facts == ours.facts  # the fingerprint of every bit among them
    assert theirs.path.is_dir()
    assert rows(theirs) == rows(ours)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory, spark_options: Document) -> dict[str, Shop]:
    folder = tmp_path_factory.mktemp("simulated")
    simulate(folder / "data", 1_000, 3, World())
    document = yaml.safe_load((ROOT / "configs" / "shop.yaml").read_text(encoding="utf-8"))
    for name, source in document["sources"].items():
        source["path"] = str(folder / "data" / f"{name}.parquet")
    document["churn"] |= {"train_cutoffs": 1}
    document["scoring"] = {"block_customers": 300}
    return both(document, spark_options, folder)


def same(a: Any, b: Any) -> bool:
    return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def test_training_and_scores_are_the_same_to_the_bit(simulated: dict[str, Shop], tmp_path: Path) -> None:
    ours, theirs = made(simulated)
    alike(ours, theirs)
    assert len(theirs.files) > 1
    assert all(rows(ours)[0][kind] is not None for kind in ("purchases", "refunds", "events", "feedback"))
    assert ours.facts["report"]["refunds_linked"] > 0
    found = [(fitting.fit_clv(shop, file), fitting.fit_churn(shop, file))
             for shop, file in zip(simulated.values(), (ours, theirs), strict=True)]  # fmt: skip
    for side, (clv, churn) in zip("ab", found, strict=True):
        clv.shipped.save(tmp_path / side / "clv", {})
        churn.shipped.model.save(tmp_path / side / "churn", {})
    models = [
        {p.relative_to(tmp_path / side): p.read_bytes() for p in (tmp_path / side).rglob("*.*")}
        for side in "ab"
    ]
    assert models[0] == models[1]
    assert found[0][1].rows == found[1][1].rows

    moment = ours.facts["as_of"]
    clv, churn = found[0][0].shipped, found[0][1].shipped.model
    columns = [samples.reference_columns(file, moment, churn, clv) for file in (ours, theirs)]
    assert columns[0].keys() == columns[1].keys()
    assert all(same(columns[0][name], columns[1][name]) for name in columns[0])
    meta = {"shop": "shop", "timezone": ours.zone, "currency": "CNY", "as_of": moment}
    reference = references.collect(columns[0])
    folders = {"churn": tmp_path / "a/churn", "clv": tmp_path / "a/clv"}
    release.write(
        tmp_path / "releases", "r", **folders, policy=policy.load("ecommerce"), reference=reference, meta=meta
    )

    # a past date first: some customers are not known then, and the stages of that run are those before the next
    store = f"sqlite:///{tmp_path / 'store.db'}"
    for day in (date(2025, 1, 1), date(2026, 1, 1)):
        cutoff = midnight(day, ours.zone)
        runs = [score_run(file, tmp_path / "releases/r", tmp_path / side, f"as-of-{day}", cutoff, store=store)
                for side, file in zip("ab", (ours, theirs), strict=True)]  # fmt: skip
        tables = [pa.concat_tables(pq.read_table(part) for part in run.parts) for run in runs]
        assert tables[0].equals(tables[1])
        assert runs[0].customers == runs[1].customers == len(tables[0]) > 500
        open_store(store).publish(runs[1].name, cutoff, runs[1].parts, current=True)
    assert tables[1]["previous_stage"].null_count < len(tables[1])


def test_samples_come_back_as_they_are_here(simulated: dict[str, Shop]) -> None:
    path = simulated["pyspark"].output / "history.parquet"
    here, there = HistoryFile(path), engines.open_history(simulated["pyspark"], path)
    cutoffs = [midnight(date(2025, month, 1), here.zone) for month in (3, 7)]
    asked: Document = {"definition": Definition(horizon_days=60), "spec": fitting.learn_features(simulated["duckdb"], here)}
    done: list[int] = []
    mine = samples.churn_samples(here, cutoffs, **asked)
    other = samples.churn_samples(there, cutoffs, **asked, progress=done.append)
    assert done == [here.customers]
    for cutoff in cutoffs:
        assert same(mine[cutoff].churned, other[cutoff].churned)
        for name, values in mine[cutoff].features.items():
            assert same(values, other[cutoff].features[name]), name


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


def test_messy_lines_of_csv(spark_options: Document, tmp_path: Path) -> None:
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
    shops = both(document, spark_options, tmp_path)
    ours, theirs = made(shops)
    assert quarantined(shops["pyspark"]) == quarantined(shops["duckdb"])
    alike(ours, theirs)
    reasons = ours.facts["report"]["tables"]["transactions"]["rejected"]
    assert {"line that is no CSV row", "amount not finite", "ordered_at before 1950"} <= reasons.keys()


def test_repeated_ids_and_typed_columns(spark_options: Document, tmp_path: Path) -> None:
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
    shops = both(document, spark_options, tmp_path)
    session = Spark(shops["pyspark"].engine_options).session
    session.read.parquet(str(tmp_path / "people.parquet")).createOrReplaceTempView("people")
    sources = shops["pyspark"].sources
    people_there = sources.customers.model_copy(update={"path": None, "table": "people"})
    shops["pyspark"] = shops["pyspark"].model_copy(
        update={"sources": sources.model_copy(update={"customers": people_there})}
    )
    ours, theirs = made(shops, cut)
    for facts in (ours.facts, theirs.facts):
        assert facts["report"]["tables"]["customers"].pop("source")
    assert quarantined(shops["pyspark"]) == quarantined(shops["duckdb"])
    alike(ours, theirs)
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
def test_bad_input_in_the_same_words(
    spark_options: Document, tmp_path: Path, change: Document, message: str
) -> None:
    pq.write_table(pa.table({"id": ["a"], "at": ["2021-01-01"], "prize": [1.0]}), tmp_path / "o.parquet")
    columns = {"customer_id": "id", "ordered_at": "at", "amount": "prize"}
    source = {
        "path": str(tmp_path / "o.parquet"),
        **change,
        "columns": {**columns, **change.get("columns", {})},
    }
    document = {"shop": "bad", "timezone": "UTC", "currency": "EUR", "sources": {"transactions": source},
                "engine": "pyspark", "engine_options": spark_options, "output_dir": str(tmp_path / "out")}  # fmt: skip
    shop = parse(document, "shop.yaml")
    with pytest.raises(InputError, match=message):
        engines.make_history(shop, LATE, None, shop.output / "history.parquet")
    assert not (shop.output / "history.parquet").exists()
