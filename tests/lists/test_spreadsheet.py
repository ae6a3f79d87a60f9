"""Cells that a spreadsheet would change, after Excel's and LibreOffice's documented guesses at what was typed."""

import csv
import io
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifestage.lists.spreadsheet import csv_pieces, day_cell, text_cell


@pytest.mark.parametrize(
    "text",
    [
        *("1234567890123456789", "123456789012", "0042", "00", "-0042", "1E5", "12e-3", "1.5", "1,000", ".5"),
        *(
            "1-2",
            "3/4",
            "2026-01-31",
            "12:30",
            "2026年1月31日",
            "1-2-3 4:05 pm",
            "10%",
            "$5",
            "￥12",
            "1 1/2",
        ),
        *("MAR1", "Sept 12", "1-Dec", "12 may", "TRUE", "false", "-5", "+49301234567"),
    ],
)
def test_what_would_change_stays_text(text: str) -> None:
    assert text_cell(text) == f"{text}\t"


@pytest.mark.parametrize(
    "text",
    [
        "7",
        "12345678901",
        "0",
        "",
        "C0001",
        "张三",
        "2nd",
        "a-1",
        "marco",
        "decade",
        "9fe1-22b",
        "3 orders",
        "truely",
    ],
)
def test_what_stays_as_it_is(text: str) -> None:
    assert text_cell(text) == text


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "\t=1", "＝1+1", "-1+1"])
def test_formulas_are_inert(text: str) -> None:
    assert text_cell(text).startswith("'") or text_cell(text).endswith("\t")
    assert not text_cell(text).startswith("=")


@given(st.text(max_size=12))
def test_the_text_comes_back_and_never_begins_a_formula(text: str) -> None:
    cell = text_cell(text)
    assert cell in (text, f"{text}\t", f"'{text}")
    if cell[:1] in "=@" and cell:
        pytest.fail(cell)
    rows = list(csv.reader(io.StringIO("".join(csv_pieces(["a", "b"], [[cell, "x"]])), newline="")))
    assert rows == [["a", "b"], [cell, "x"]]


def test_pieces_of_many_rows_are_one_file() -> None:
    rows = [[str(i), '中文,\n"q"'] for i in range(25_000)]
    pieces = list(csv_pieces(["n", "t"], rows))
    assert len(pieces) == 3
    text = "".join(pieces)
    assert text.startswith("n,t\r\n0,")
    assert list(csv.reader(io.StringIO(text, newline="")))[1:] == rows
    assert "".join(csv_pieces(["n"], [])) == "n\r\n"


def test_days_are_local() -> None:
    moment = datetime(2026, 1, 31, 17, tzinfo=UTC)
    assert day_cell(moment, ZoneInfo("Asia/Shanghai")) == "2026-02-01"
    assert day_cell(moment, ZoneInfo("America/New_York")) == "2026-01-31"
    assert day_cell(None, None) == ""
