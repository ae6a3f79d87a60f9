"""A person forgotten in a shop that was trained, scored, exported: nothing is left, and nobody else is touched."""

import csv
import shutil
import sqlite3
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from lifestage import settings
from tests.training.conftest import release_locks, script
from training.export import export
from training.forget import forget
from training.prepare import describe, history


@pytest.fixture
def folder(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shop in a folder of the test's own, where it runs, with a list, an alert file and an alias."""
    folder = tmp_path / "shop"
    shutil.copytree(shop, folder)
    monkeypatch.chdir(folder)
    document = yaml.safe_load(Path("shop.yaml").read_text(encoding="utf-8"))
    document["sources"]["identities"] = {
        "path": "data/identities.csv",
        "columns": {"alias": "alias", "customer_id": "customer_id"},
    }
    Path("data/identities.csv").write_text(f"alias,customer_id\nweb-4711-x,{best(folder)}\n")
    Path("shop.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    own = settings.load("shop.yaml")
    assert export(own, None, 40) is not None
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


def test_nothing_of_a_person_is_left(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    who, own = best(folder), settings.load("shop.yaml")
    before = {path: pq.read_table(path) for path in (folder / "var").rglob("*.parquet")}
    listed = list(csv.reader((own.output / "export.csv").read_text("utf-8-sig").splitlines()))
    sources = {path: path.read_bytes() for path in (folder / "data").rglob("*.*")}
    capsys.readouterr()

    assert forget(own, ["web-4711-x"], dry_run=True, aliases=True)
    assert "1 customer, 2 ids with their aliases" in capsys.readouterr().out
    assert {"var/shop/history.parquet", "var/shop/store.db", "var/shop/export.csv"} <= set(
        holding(folder, who)
    )

    assert forget(own, ["web-4711-x"], dry_run=False, aliases=True)
    told = capsys.readouterr().out
    assert "nothing remains in what is ours" in told
    assert "yours, not changed: transactions in data/shop/transactions.parquet" in told
    assert holding(folder, who) == holding(folder, "web-4711-x") == []
    assert {path: path.read_bytes() for path in (folder / "data").rglob("*.*")} == sources
    for path, table in before.items():
        if "customer_id" in table.column_names:
            table = table.filter(pc.not_equal(table["customer_id"], who))  # noqa: PLW2901
        assert pq.read_table(path).combine_chunks().equals(table.combine_chunks()), path
    left = list(csv.reader((own.output / "export.csv").read_text("utf-8-sig").splitlines()))
    assert left == [record for record in listed if record[0].strip() != who]
    assert len(left) < len(listed)
    with sqlite3.connect(own.output / "store.db") as store:
        assert store.execute("PRAGMA freelist_count").fetchone() == (0,)

    after = {path: path.read_bytes() for path in (folder / "var").rglob("*.parquet")}
    assert forget(own, [who], dry_run=False, aliases=True)
    assert "nothing of ours names them" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in (folder / "var").rglob("*.parquet")} == after

    # What the sources still say does not bring them back.
    describe(history(own, None, fresh=True))
    assert "rows of 1 forgotten customer left out" in capsys.readouterr().out
    assert holding(folder, who) == []


def test_a_remaining_trace_is_told_by_the_exit_code(folder: Path) -> None:
    """A text that nothing of ours writes is not changed: the person is to be told where it is."""
    notes = folder / "var" / "shop" / "notes.txt"
    notes.write_text(f"call {best(folder)} back")
    release_locks()  # the list was written by this process
    done = script(folder, "forget", "--config", "shop.yaml", "--customer", best(folder), "--without-aliases")
    assert done.returncode == 1, done.stderr
    assert "REMAINS in 1 place" in done.stdout
    assert "var/shop/notes.txt" in done.stdout


def test_nobody_is_known_by_a_mistyped_id(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = settings.load("shop.yaml")
    capsys.readouterr()
    assert forget(own, ["536412", "customer", best(folder)], dry_run=True, aliases=True)
    told = capsys.readouterr().out
    assert "nobody of these ids is known here" in told
    assert "'536412', 'customer'; check the spelling\n" in told
    assert best(folder) not in told
    assert forget(own, ["536412"], dry_run=False, aliases=True)
    told = capsys.readouterr().out
    assert "nobody of this id is known here (no row of history, runs or store): '536412'" in told
    assert "Forgotten all the same" in told
    assert "1 id of fewer than 12 digits: not looked for byte by byte" in told
    assert forget(own, ["536412"], dry_run=False, aliases=True)
    assert "forgotten before: '536412'" in capsys.readouterr().out


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
