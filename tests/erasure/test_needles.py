"""What counts as a trace."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifestage.erasure.needles import Needles, _alternatives, holding


def needles(*ids: str, others: tuple[str, ...] = ()) -> Needles:
    return Needles(frozenset(ids), others)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\x06\x00\x00\x00C-1001gold", True),
        (b"...C-1001", True),
        (b"C-100", False),
        (b"\x07\x00\x00\x00C-10017", False),
        (b"xC-1001", True),
        (b"C-10017 and C-1001", True),
    ],
)
def test_bytes_of_an_id_but_not_those_of_a_longer_one(data: bytes, found: bool) -> None:
    assert needles("C-1001", others=("C-10017",)).mentioned(data, text=False) is found


@pytest.mark.parametrize(
    ("text", "found"),
    [("id 100001,", True), ("0.100001", False), ("1000012", False), ("3100001", False), ("100001.5", False), ("100001.", True)],
)  # fmt: skip
def test_digits_within_a_number_are_no_id(text: str, found: bool) -> None:
    assert needles("100001").said(text) is found


def test_a_short_id_is_not_looked_for_as_bytes() -> None:
    assert not needles("12345").said("12345")
    assert needles("12345", "客户").long == {"客户"}


def test_an_id_is_found_as_json_and_html_write_it() -> None:
    assert needles("Zoë & Co").said("<td>Zoë &amp; Co</td>")
    assert needles("客户001").said('{"a": "\\u5ba2\\u6237001"}')


def test_other_ids_that_hold_one() -> None:
    assert holding(frozenset({"C-1001"}), ["C-1001", "C-10012", "C-2", "xC-1001"]) == ("C-10012", "xC-1001")


@given(st.sets(st.text("ab", min_size=1, max_size=6), min_size=1, max_size=9), st.text("ab", max_size=7))
def test_one_pattern_for_all_words(words: set[str], asked: str) -> None:
    pattern = _alternatives({word.encode() for word in words})
    assert bool(re.fullmatch(pattern, asked.encode())) is (asked in words)
