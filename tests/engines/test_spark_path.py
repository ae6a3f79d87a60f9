"""The whole path on Spark and on the embedded engine: the same history, features, models and scores to the bit.

The shop is the simulated one with every table: orders in lines, some cancelled on their day, refunds, aliases in
chains and circles, events, feedback, subscriptions, labels; and rows that cannot be used.
"""

import random
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from lifestage import fitting, references, release, samples
from lifestage.datasets.simulated import World
from lifestage.datasets.simulated_files import simulate
from lifestage.history_file import HistoryFile
from lifestage.lifecycle import policy
from lifestage.localtime import midnight
from lifestage.order_columns import fit_orders
from lifestage.privacy import KEY, Forgotten, hasher
from lifestage.privacy.forgotten import write
from lifestage.readiness import assess
from lifestage.runs import score_run
from lifestage.store import open_store

ROOT = Path(__file__).parents[2]
CUSTOMERS = 900
HOUR = timedelta(hours=1)
Row = dict[str, Any]


def lines_of(r: random.Random, orders: list[Row]) -> list[Row]:
    """Each order as its lines; what is added to some is taken back hours later."""
    found = []
    for order in orders:
        amount, parts = order["amount"], r.choice([1, 1, 2, 3])
        for part in range(parts):
            each = {**order, "amount": round(amount / parts, 2) + (0.1 if part else 0)}
            found.append({**each, "category": r.choice([order["category"], "x", None, "é"])})
        if amount > 0 and r.random() < 0.05:
            late = {**order, "order_id": f"{order['order_id']}c"}
            found += [
                {**late, "amount": 7.1},
                {**late, "amount": -7.1, "ordered_at": order["ordered_at"] + HOUR},
            ]
    bad: list[Row] = [{"customer_id": None}, {"amount": float("nan")}, {"discount": -1.0}, {"order_id": None}]
    return found + [{**found[5], **change} for change in bad]


def aliases(r: random.Random, ids: list[str]) -> tuple[list[Row], Callable[[str], str]]:
    """Of every seventh customer an alias or a chain of two; a circle; an alias of two. And who calls themselves what."""
    named: dict[str, list[str]] = {}
    rows = []
    for i, who in enumerate(ids):
        if i % 7 == 0:
            chain = [who, f"a{i}", f"b{i}"][: r.choice([2, 3])]
            rows += [{"alias": b, "customer_id": a} for a, b in pairwise(chain)]
            named[who] = chain
    rows += [{"alias": ids[i], "customer_id": ids[j]} for i, j in ((1, 2), (2, 3), (3, 1))]
    rows += [{"alias": "both", "customer_id": ids[5]}, {"alias": "both", "customer_id": ids[6]}]
    rows += [{"alias": None, "customer_id": ids[8]}]
    named[ids[5]] = ["both", ids[5]]
    return rows, lambda who: r.choice(named.get(who, [who]))


def whole_shop(folder: Path) -> Row:
    """The files of the shop and its configuration."""
    simulate(folder / "data", CUSTOMERS, 3, World())
    r = random.Random(9)
    document: Row = yaml.safe_load((ROOT / "configs" / "shop.yaml").read_text(encoding="utf-8"))
    read = {name: pq.read_table(folder / "data" / f"{name}.parquet") for name in document["sources"]}
    tables: dict[str, list[Row]] = {name: table.to_pylist() for name, table in read.items()}
    schemas = {name: table.schema for name, table in read.items()}
    people = tables["customers"]
    ids = [row["customer_id"] for row in people]
    tables["transactions"] = lines_of(r, tables["transactions"])
    identities, called = aliases(r, ids)
    for name in ("transactions", "events", "feedback"):
        for row in tables[name]:
            row["customer_id"] = called(row["customer_id"])
    people += [{**row, "customer_id": called(row["customer_id"]), "region": None} for row in people[:140:7]]
    tables["feedback"] += [
        {**tables["feedback"][0], "kind": "rumour"},
        {**tables["feedback"][1], "kind": "NPS"},
    ]
    tables["identities"] = identities
    begin = World().end - timedelta(days=600)
    terms, labels = [], []
    for who in ids:
        start = begin + timedelta(days=r.randrange(100))
        for _ in range(r.choice([0, 2, 4, 6])):
            end = start + timedelta(days=r.choice([30, 90, 200]))
            running = r.random() < 0.2
            plan, price = r.choice([("basic", 9.9), ("plus", 19.9), (None, None)])
            terms.append({"customer_id": called(who), "started_at": str(start), "plan": plan,
                          "ended_at": None if running else str(end), "monthly_price": price})  # fmt: skip
            start = end + timedelta(days=r.choice([0, 10, 60]))
        for month in range(1, 7):
            labels.append(
                {"customer_id": who, "churned": r.random() < 0.3, "as_of": str(date(2025, month, 1))}
            )
    tables["subscriptions"] = [*terms, {**terms[0], "started_at": "2025-01-01", "ended_at": "2024-01-01"}]
    tables["labels"] = [*labels, {**labels[0], "churned": None}]
    for name, rows in tables.items():
        pq.write_table(pa.Table.from_pylist(rows, schema=schemas.get(name)), folder / f"{name}.parquet")
        source = document["sources"].setdefault(name, {"columns": {column: column for column in rows[0]}})
        source["path"] = str(folder / f"{name}.parquet")
    document["sources"]["transactions"]["grain"] = "line"
    document["intake"] = {"max_reject_share": 0.2}
    document["churn"] |= {"train_cutoffs": 1}
    document["scoring"] = {"block_customers": 300}
    document["readiness"] = {"refuse_customers": 10, "min_customers": 20}
    return document


def same(a: Any, b: Any) -> bool:
    return bool(a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.*")}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Row:
    return whole_shop(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def prepared(
    both: type[Any], document: Row, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, HistoryFile, HistoryFile]:
    """The shop on both engines and its histories, churn being a matter of purchases."""
    pair = both(document, tmp_path_factory.mktemp("prepared"))
    return pair, *pair.made()


def test_purchases_from_tables_to_scores(
    prepared: tuple[Any, HistoryFile, HistoryFile], tmp_path: Path
) -> None:
    pair, ours, theirs = prepared
    pair.alike(ours, theirs)
    assert len(theirs.files) > 1
    report = ours.facts["report"]
    assert report["refunds_linked"] > 20
    assert report["identities"]["cycles"] == report["identities"]["conflicts"] == 1
    assert report["identities"]["profiles_combined"] > 5
    assert all(report["identities"]["rows"][name] for name in ("transactions", "events", "customers"))
    assert all(
        report["tables"][name]["rejected"] for name in ("transactions", "feedback", "identities", "labels")
    )

    assert assess(pair.pyspark, theirs).to_json() == assess(pair.duckdb, ours).to_json()
    found = [(fitting.fit_clv(shop, file), fitting.fit_churn(shop, file))
             for shop, file in zip(pair.shops, (ours, theirs), strict=True)]  # fmt: skip
    for side, (clv, churn) in zip("ab", found, strict=True):
        clv.shipped.save(tmp_path / side / "clv", {})
        churn.shipped.model.save(tmp_path / side / "churn", {})
    assert files_in(tmp_path / "a") == files_in(tmp_path / "b")
    assert found[0][1].rows == found[1][1].rows

    moment = ours.facts["as_of"]
    clv, churn = found[0][0].shipped, found[0][1].shipped.model
    columns = [samples.reference_columns(file, moment, churn, clv) for file in (ours, theirs)]
    assert columns[0].keys() == columns[1].keys()
    assert all(same(columns[0][name], columns[1][name]) for name in columns[0])
    release.write(
        tmp_path / "releases",
        "r",
        churn=tmp_path / "a/churn",
        clv=tmp_path / "a/clv",
        policy=policy.load("ecommerce", churn.spec),
        reference=references.collect(columns[0]),
        meta={"shop": "shop", "timezone": ours.zone, "currency": "CNY", "as_of": moment},
    )

    # a past date first: some customers are not known then, and the stages of that run are those before the next
    store = f"sqlite:///{tmp_path / 'store.db'}"
    for day in (date(2025, 1, 1), date(2026, 1, 1)):
        cutoff = midnight(day, ours.zone)
        runs = [score_run(file, tmp_path / "releases/r", tmp_path / side, f"as-of-{day}", cutoff, store=store)
                for side, file in zip("ab", (ours, theirs), strict=True)]  # fmt: skip
        tables = [pa.concat_tables(pq.read_table(part) for part in run.parts) for run in runs]
        assert tables[0].equals(tables[1])
        assert runs[0].customers == runs[1].customers == len(tables[0]) > CUSTOMERS / 2
        open_store(store).publish(runs[1].name, cutoff, runs[1].parts, current=True)
    assert tables[1]["previous_stage"].null_count < len(tables[1])


@pytest.mark.parametrize("definition", ["subscription", "given"])
def test_other_definitions(both: type[Any], document: Row, tmp_path: Path, definition: str) -> None:
    churn = {**document["churn"], "definition": definition, "horizon_days": 60, "grace_days": 7}
    pair = both({**document, "churn": churn}, tmp_path)
    ours, theirs = pair.made()
    pair.alike(ours, theirs)
    assert assess(pair.pyspark, theirs).to_json() == assess(pair.duckdb, ours).to_json()


def test_hashed_ids_and_forgotten_people(
    both: type[Any], document: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, "k" * 32)
    pair = both({**document, "privacy": {"hash_ids": True}}, tmp_path)
    aliases = pq.read_table(document["sources"]["identities"]["path"])
    who = aliases["customer_id"][0].as_py()
    for shop in pair.shops:
        write(shop.output, Forgotten("salt").plus(hasher("k" * 32)([who])))
    ours, theirs = pair.made()
    pair.alike(ours, theirs)
    assert ours.facts["report"]["forgotten"]["customers"] == 1
    texts = str([pq.read_table(part).to_pylist() for part in theirs.files])
    assert "C0000" not in texts
    written = [path for path in tmp_path.rglob("*") if path.is_file()]  # Spark's history is a folder
    # A rejected row without a customer keeps its order's id, which here begins with the customer's.
    assert not [path.name for path in written if b'"customer_id": "C0000' in path.read_bytes()]


def test_samples_come_back_as_they_are_here(prepared: tuple[Any, HistoryFile, HistoryFile]) -> None:
    pair, here, there = prepared
    asked: Row = {
        "definition": fitting.definition_of(pair.duckdb),
        "spec": fitting.learn_features(pair.duckdb, here),
    }
    assert fitting.learn_features(pair.pyspark, there) == asked["spec"]
    cutoffs = [midnight(date(2025, month, 1), here.zone) for month in (3, 7)]
    done: list[int] = []
    mine = samples.churn_samples(here, cutoffs, **asked, families=("subscriptions",))
    other = samples.churn_samples(there, cutoffs, **asked, families=("subscriptions",), progress=done.append)
    assert done == [here.customers]
    for cutoff in cutoffs:
        ours, theirs = mine[cutoff], other[cutoff]
        assert ours.sample.categorical == theirs.sample.categorical
        assert same(ours.sample.churned, theirs.sample.churned)
        assert same(ours.sample.customer, theirs.sample.customer)
        assert ours.sample.names == theirs.sample.names
        for name, values in ours.sample.features.items():
            assert same(values, theirs.sample.features[name]), name
        assert fit_orders(ours.buyers) == fit_orders(theirs.buyers)
