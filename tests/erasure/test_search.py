"""Ids of digits and plain words, which stand in our files by chance: found where they name somebody, and only there."""

import json
import random
import sqlite3
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifestage.erasure.needles import Needles
from lifestage.erasure.search import traces

DIGITS = Needles(frozenset({"536412"}))
WORD = Needles(frozenset({"customer"}))


def database(path: Path, cells: list[tuple[str, str | None]]) -> Path:
    with sqlite3.connect(path) as store:
        store.execute("CREATE TABLE scores (customer_id TEXT, reasons TEXT, order_id TEXT, clv REAL)")
        store.executemany("INSERT INTO scores VALUES (?, ?, '536412', 536412.0)", cells)
    store.close()
    return path


def test_digits_of_chance_in_a_database_are_nobody(tmp_path: Path) -> None:
    """Neighbouring cells lie without a gap between them, and weights of reasons have many digits."""
    draw = random.Random(3)
    cells = [(str(draw.randrange(10**6)), json.dumps([draw.random()])) for _ in range(2_000)]
    cells = [cell for cell in cells if cell[0] != "536412"]
    cells += [("36", "x"), ("9", '["0.1536412"]'), ("85", "536412.25"), ("customers", "a536412b")]
    path = database(tmp_path / "store.db", cells)
    assert b"536412" in path.read_bytes()
    assert traces(path, DIGITS) == traces(path, WORD) == []


@pytest.mark.parametrize(
    ("cell", "found"),
    [(("536412", "x"), ["scores.customer_id"]), (("1", '{"as": "536412"}'), ["scores.reasons"])],
)
def test_digits_in_a_cell_are_somebody(tmp_path: Path, cell: tuple[str, str], found: list[str]) -> None:
    path = database(tmp_path / "store.db", [("7", None), cell])
    assert traces(path, DIGITS) == found
    assert traces(path, WORD) == []


def test_a_word_as_id_in_a_cell(tmp_path: Path) -> None:
    path = database(tmp_path / "store.db", [("customer", "the customer")])
    assert traces(path, WORD) == ["scores.customer_id"]


def test_rare_ids_are_found_in_what_a_database_has_freed(tmp_path: Path) -> None:
    path = database(tmp_path / "store.db", [("C-536412", "x"), ("123456789012", "y")])
    with sqlite3.connect(path) as store:
        store.execute("PRAGMA secure_delete = OFF")
        store.execute("DELETE FROM scores")
    store.close()
    for name in ("C-536412", "123456789012"):
        assert traces(path, Needles(frozenset({name}))) == ["bytes"]


@pytest.mark.parametrize(
    ("name", "text", "digits", "word"),
    [
        ("clv.json", '{"customer": 2, "customers": 536412, "kind": "customer"}', False, False),
        ("a.json", '{"sha": "ab536412cd", "x": 0.536412, "alias": ["1", {"customer_id": "customer"}]}', False, True),
        ("b.json", '{"examples": ["536412"]}', True, False),
        ("c.jsonl", '{"customer_id": "536412"}\n\n{"customer_id": "customer"}\n', True, True),
        ("policy.yaml", "stages:\n- name: customer\n  when: orders > 536412\n", False, False),
        ("d.yaml", "customer_id: customer\nalias: '536412'\n", True, True),
        ("model.txt", "tree\ncounts=1 536412 3\n", False, False),
        ("notes.txt", "call 536412, our customer, as id_536412", True, False),
        ("other.txt", "a536412 5364120 1.536412 536412.5 customers", False, False),
    ],
)  # fmt: skip
def test_texts_and_documents(tmp_path: Path, name: str, text: str, digits: bool, word: bool) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert bool(traces(path, DIGITS)) is digits
    assert bool(traces(path, WORD)) is word


def test_digits_in_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"order_id": ["536412"], "text": ["a536412"], "n": [536412], "w": ["customer"]})
    pq.write_table(table, path, compression="none", use_dictionary=False)
    assert b"536412" in path.read_bytes()
    assert traces(path, DIGITS) == traces(path, WORD) == []
    pq.write_table(pa.table({"customer_id": ["536412", "customer"]}), path)
    assert traces(path, DIGITS) == ["column customer_id", "statistics of customer_id"]
    assert traces(path, WORD) == ["column customer_id", "statistics of customer_id"]


def test_a_damaged_database_is_no_proof(tmp_path: Path) -> None:
    path = database(tmp_path / "store.db", [(str(i), "x" * 400) for i in range(2_000)])
    content = bytearray(path.read_bytes())
    content[4_096:] = bytes(random.Random(1).randbytes(len(content) - 4_096))
    path.write_bytes(content)
    assert traces(path, DIGITS) == ["not readable as what it is"]
