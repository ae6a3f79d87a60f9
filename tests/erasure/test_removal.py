"""One file without one person: the rest of it as it was."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifestage.erasure.needles import Needles
from lifestage.erasure.removal import from_csv, from_lines, from_page, from_parquet
from lifestage.erasure.search import traces

WHO = Needles(frozenset({"C-100001", "7"}))


def test_a_list_loses_its_lines_and_no_other_byte(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    head = "\ufeff客户,CLV,Reasons\r\n"
    others = '7000,7,"two\r\nlines, ""quoted"""\r\nC-2,1.50,\r\n'
    path.write_bytes(f'{head}7\t,5,x\r\n{others}"C-100001",5,"a\nb"\r\n'.encode())
    assert traces(path, WHO) == ["column of the ids"]
    assert from_csv(path, WHO) == 2
    assert path.read_bytes() == (head + others).encode()
    assert traces(path, WHO) == []
    stamp = path.stat().st_mtime_ns
    assert from_csv(path, WHO) == 0
    assert path.stat().st_mtime_ns == stamp


def test_dead_letters(tmp_path: Path) -> None:
    path = tmp_path / "dead_letters.jsonl"
    lines = [
        {"message": "a", "alerts": [{"customer_id": "7"}, {"customer_id": "8"}]},
        {"message": "b", "alerts": [{"customer_id": "C-100001"}]},
        {"message": "c", "alerts": [{"customer_id": "9"}]},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert traces(path, WHO) == ["customer_id"]
    assert from_lines(path, WHO) == 2
    left = [json.loads(line) for line in path.read_text().splitlines()]
    assert left == [{"message": "a", "alerts": [{"customer_id": "8"}]}, lines[2]]


@pytest.mark.parametrize(
    ("text", "gone"),
    [("<td>7</td>", 1), ("<td>77</td><p>7 days</p>", 0), ("<td>C-100001</td>", 1), ('{"id":"7"}', 1)],
)
def test_a_page_that_shows_them_goes(tmp_path: Path, text: str, gone: int) -> None:
    path = tmp_path / "page.html"
    path.write_text(text)
    assert len(traces(path, WHO)) == gone
    assert from_page(path, WHO) == gone
    assert path.exists() is not bool(gone)


def test_rejected_rows_that_name_them(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.parquet"
    rows = [
        {"cust": " 7.0", "n": "1"},
        {"cust": "8", "n": "70"},
        {"cust": "9", "mail": "C-100001@shop.example"},
        {"line": "7,2024,1,2", "problem": "too many"},
        {"line": "8,2024,1,2", "problem": "too many"},
    ]
    table = pa.table({"table": ["t"] * 5, "reason": ["r"] * 5, "row": [json.dumps(row) for row in rows]})
    pq.write_table(table, path, compression="zstd")
    assert traces(path, WHO) == ["column row"]
    assert from_parquet(path, WHO) == 3
    assert [json.loads(text) for text in pq.read_table(path)["row"].to_pylist()] == [rows[1], rows[4]]
    assert traces(path, WHO) == []


def test_the_last_one_of_a_part(tmp_path: Path) -> None:
    path = tmp_path / "part-000000.parquet"
    pq.write_table(pa.table({"customer_id": ["7"]}), path)
    assert from_parquet(path, WHO) == 1
    assert not path.exists()


def test_traces_in_statistics_texts_and_damaged_files(tmp_path: Path) -> None:
    first, notes, broken = tmp_path / "a.parquet", tmp_path / "notes.txt", tmp_path / "b.parquet"
    pq.write_table(pa.table({"other": ["C-100001", "D"], "deep": [[{"x": "C-100001"}], []]}), first)
    notes.write_text("seen: C-100001")
    broken.write_bytes(b"PAR1 C-100001")
    assert traces(first, WHO) == [
        *("column other", "column deep.x", "statistics of other", "statistics of deep.list.element.x")
    ]
    assert traces(notes, WHO) == traces(broken, WHO) == ["bytes"]
