"""A person forgotten in a shop that was trained, scored, exported: nothing is left, and nobody else is touched."""

import csv
import shutil
import sqlite3
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from lifestage import engines, settings
from tests.training.conftest import script

FACTS = "facts"


@pytest.fixture
def folder(shop: Path, tmp_path: Path) -> Path:
    """The shop in a folder of the test's own, with a list, an alert file and an alias."""
    folder = tmp_path / "shop"
    shutil.copytree(shop, folder)
    document = yaml.safe_load((folder / "shop.yaml").read_text(encoding="utf-8"))
    document["sources"]["identities"] = {
        "path": "data/identities.csv",
        "columns": {"alias": "alias", "customer_id": "customer_id"},
    }
    (folder / "data" / "identities.csv").write_text(f"alias,customer_id\nweb-4711-x,{best(folder)}\n")
    (folder / "shop.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    for verb, *args in (("export", "--top", "40"), ("alerts", "--to", "parquet"), ("alerts", "--to", "csv")):
        done = script(folder, verb, "--config", "shop.yaml", *args)
        assert done.returncode == 0, done.stderr
    leftover = folder / "var" / "shop" / "runs" / ".as-of-x.part"
    leftover.write_text(best(folder))
    return folder


def best(folder: Path) -> str:
    with sqlite3.connect(folder / "var" / "shop" / "store.db") as store:
        return str(store.execute("SELECT customer_id FROM scores ORDER BY clv DESC").fetchone()[0])


def holding(folder: Path, name: str) -> list[str]:
    """Files below var that hold the bytes of a name, and Parquet files with a cell that does."""
    found = []
    for path in sorted((folder / "var").rglob("*")):
        if path.is_file():
            there = name.encode() in path.read_bytes()
            if path.suffix == ".parquet":
                there |= name in str(pq.read_table(path).to_pydict())
            found += [path.relative_to(folder).as_posix()] if there else []
    return found


def rows(path: Path) -> pa.Table:
    return pq.read_table(path)


def test_nothing_of_a_person_is_left(folder: Path) -> None:
    who = best(folder)
    before = {path: rows(path) for path in (folder / "var").rglob("*.parquet")}
    lists = {path: path.read_text("utf-8-sig") for path in (folder / "var" / "shop").glob("export.csv")}
    sources = {path: path.read_bytes() for path in (folder / "data").rglob("*.*")}

    dry = script(folder, "forget", "--config", "shop.yaml", "--customer", "web-4711-x", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "1 customer, 2 ids with their aliases" in dry.stdout
    held = holding(folder, who)
    assert {"var/shop/history.parquet", "var/shop/store.db", "var/shop/export.csv"} <= set(held)

    done = script(folder, "forget", "--config", "shop.yaml", "--customer", "web-4711-x")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing remains in what is ours" in done.stdout
    assert "yours, not changed: transactions in data/shop/transactions.parquet" in done.stdout
    assert holding(folder, who) == holding(folder, "web-4711-x") == []
    assert {path: path.read_bytes() for path in (folder / "data").rglob("*.*")} == sources

    for path, table in before.items():
        if "customer_id" in table.column_names:
            others = table.filter(pc.not_equal(table["customer_id"], who))
            assert rows(path).combine_chunks().equals(others.combine_chunks()), path
        else:
            assert rows(path).equals(table), path
    for path, text in lists.items():
        kept = [record for record in csv.reader(text.splitlines()) if record[0].strip() != who]
        assert list(csv.reader(path.read_text("utf-8-sig").splitlines())) == kept
    with sqlite3.connect(folder / "var" / "shop" / "store.db") as store:
        assert store.execute("PRAGMA freelist_count").fetchone() == (0,)

    after = {path: path.read_bytes() for path in (folder / "var").rglob("*.parquet")}
    again = script(folder, "forget", "--config", "shop.yaml", "--customer", who)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "nothing of ours names them" in again.stdout
    assert {path: path.read_bytes() for path in (folder / "var").rglob("*.parquet")} == after

    # What the sources still say does not bring them back; the history is that of a shop without them.
    anew = script(folder, "prepare", "--config", "shop.yaml")
    assert anew.returncode == 0, anew.stderr
    assert "rows of 1 forgotten customer left out" in anew.stdout
    history = folder / "var" / "shop" / "history.parquet"
    assert rows(history).equals(pa.Table.from_batches(rows(history).to_batches()))
    assert holding(folder, who) == []


def test_the_history_is_that_of_a_shop_without_the_person(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    who = best(folder)
    shop = settings.load("shop.yaml").model_copy(update={"output_dir": "var/other"})
    made = engines.make_history(shop, 2**60, None, shop.output / "history.parquet")
    (shop.output / "history.key").write_text("as it was")
    shutil.copytree("var/other", "var/third")
    document = yaml.safe_load((folder / "shop.yaml").read_text(encoding="utf-8"))
    for name in ("other", "third"):
        text = yaml.safe_dump({**document, "output_dir": f"var/{name}"})
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    done = script(folder, "forget", "--config", "other.yaml", "--customer", who)
    assert done.returncode == 0, done.stdout + done.stderr
    mended = engines.open_history(shop, made.path)
    lost = shop.model_copy(update={"output_dir": "var/third"})
    shutil.copy("var/other/forgotten.json", "var/third/forgotten.json")
    fresh = engines.make_history(lost, 2**60, None, lost.output / "history.parquet")
    assert mended.facts["fingerprint"] == fresh.facts["fingerprint"]
    own = ("customers", "buyers", "purchases", "refunds", "refunds_linked")
    assert {n: mended.facts["report"][n] for n in own} == {n: fresh.facts["report"][n] for n in own}
    assert mended.facts["customers"] == fresh.customers
    key = (folder / "var/other/history.key").read_text()
    assert key.startswith("as it was"[:2]) or key == ""


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "nobody is named; give --customer ID"),
        (("--customer", " "), "an id is empty"),
        (("--customers", "none.txt"), "none.txt: cannot be read"),
    ],
)
def test_who_is_not_named(shop: Path, args: tuple[str, ...], said: str) -> None:
    done = script(shop, "forget", "--config", "shop.yaml", *args)
    assert done.returncode == 2
    assert said in done.stderr
