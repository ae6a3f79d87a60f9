"""Segment reductions against loops, and list columns in every shape in which Arrow hands them over."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage.ragged import (
    Ragged,
    at,
    from_list_array,
    keep_rows,
    next_same,
    segment_max,
    segment_min,
    segment_sum,
)
from lifestage.schemas import PURCHASE
from tests.builders import make_table

LISTS = st.lists(
    st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 99).map(float)), max_size=5).map(sorted),
    max_size=8,
)


def column(lists: list[list[tuple[int, float]]]) -> pa.ListArray:
    return make_table([{"purchases": rows} for rows in lists]).column("purchases").combine_chunks()


def as_lists(rows: Ragged) -> list[list[tuple[int, float]]]:
    amounts = rows.columns["amount"].to_pylist()
    bounds = zip(rows.starts.tolist(), rows.ends.tolist(), strict=True)
    return [list(zip(rows.t[s:e].tolist(), amounts[s:e], strict=True)) for s, e in bounds]


@st.composite
def segments(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """values, starts, ends: ordered segments with gaps between them, some empty."""
    cuts = sorted(draw(st.lists(st.integers(0, 12), max_size=10).map(lambda c: c[: len(c) // 2 * 2])))
    values = draw(st.lists(st.integers(-1000, 1000), min_size=12, max_size=14))
    pairs = np.array(cuts, np.int64).reshape(-1, 2)
    return np.array(values, np.float64), pairs[:, 0], pairs[:, 1]


@given(segments())
def test_segment_reductions_equal_loops(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    values, starts, ends = case
    parts = [values[s:e].tolist() for s, e in zip(starts, ends, strict=True)]
    assert segment_sum(values, starts, ends).tolist() == [sum(p) for p in parts]
    for reduce, plain in ((segment_min, min), (segment_max, max)):
        expected = [plain(p) if p else math.nan for p in parts]
        assert reduce(values, starts, ends).tolist() == pytest.approx(expected, nan_ok=True)


def test_segment_that_ends_with_the_array() -> None:
    values = np.array([1.0, 2.0, 4.0])
    assert segment_sum(values, np.array([0, 1, 3]), np.array([1, 3, 3])).tolist() == [1.0, 6.0, 0.0]
    nothing = np.array([], np.int64)
    assert segment_sum(np.array([]), np.array([0, 0]), np.array([0, 0])).tolist() == [0.0, 0.0]
    assert segment_max(values, nothing, nothing).tolist() == []


def test_segment_sum_has_the_same_bits_alone_and_among_others() -> None:
    rng = np.random.default_rng(0)
    values = rng.lognormal(0, 12, 3_000)
    bounds = np.sort(np.concatenate([[0, 3_000], rng.integers(0, 3_000, 60)]))
    together = segment_sum(values, bounds[:-1], bounds[1:])
    for total, s, e in zip(together, bounds[:-1], bounds[1:], strict=True):
        alone = segment_sum(values[s:e].copy(), np.array([0]), np.array([e - s]))
        assert alone.tobytes() == total.tobytes()


@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 4)), max_size=40), st.booleans())
def test_next_same_equals_a_loop(rows: list[tuple[int, int]], many: bool) -> None:
    rows = rows * 8 if many else rows
    owner, codes = (np.array([row[i] for row in rows], np.int64) for i in range(2))
    expected = [
        next((j for j in range(i + 1, len(rows)) if rows[j] == row), len(rows)) for i, row in enumerate(rows)
    ]
    assert next_same(owner, codes).tolist() == expected


def test_at_reads_only_where_present() -> None:
    got = at(np.array([5, 6]), np.array([1, -7]), np.array([True, False]))
    assert got[0] == 6 and math.isnan(got[1])


@given(segments(), st.data())
def test_keep_rows_equals_filtering(
    case: tuple[np.ndarray, np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    values, starts, ends = case
    keep = np.array(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))), np.bool_)
    new_starts, new_ends = keep_rows(keep, starts, ends)
    kept = values[keep]
    for s, e, ns, ne in zip(starts, ends, new_starts, new_ends, strict=True):
        assert kept[ns:ne].tolist() == values[s:e][keep[s:e]].tolist()


@given(LISTS, st.integers(-60, 60), st.integers(-60, 60))
def test_before_and_between_equal_filters(
    lists: list[list[tuple[int, float]]], cutoff: int, other: int
) -> None:
    rows = from_list_array(column(lists))
    assert as_lists(rows.before(cutoff)) == [[r for r in one if r[0] < cutoff] for one in lists]
    low, high = sorted((cutoff, other))
    assert as_lists(rows.between(low, high)) == [[r for r in one if low <= r[0] < high] for one in lists]
    assert rows.rows_before(cutoff).tolist() == [sum(t < cutoff for t, _ in one) for one in lists]


@given(LISTS, st.integers(-60, 60))
def test_owned_marks_the_rows_of_segments(lists: list[list[tuple[int, float]]], cutoff: int) -> None:
    rows = from_list_array(column(lists)).before(cutoff)
    flat = [t for one in lists for t, _ in one]
    assert rows.owned().tolist() == [t < cutoff for t in flat]


@settings(max_examples=60, deadline=None)
@given(LISTS, st.integers(0, 8), st.integers(0, 8))
def test_slices_and_chunks_give_the_same_rows(
    lists: list[list[tuple[int, float]]], first: int, second: int
) -> None:
    low, high = sorted((min(first, len(lists)), min(second, len(lists))))
    whole = column(lists)
    assert as_lists(from_list_array(whole.slice(low, high - low))) == lists[low:high]
    chunked = pa.chunked_array([whole.slice(0, low), whole.slice(low, high - low), whole.slice(high)])
    assert as_lists(from_list_array(chunked)) == lists
    assert as_lists(from_list_array(pa.chunked_array([], whole.type))) == []


def test_null_lists_are_empty_even_over_hidden_rows() -> None:
    whole = column([[(1, 1.0)], [(2, 2.0), (3, 3.0)], [(4, 4.0)]])
    hidden = pa.ListArray.from_arrays(whole.offsets, whole.values, mask=pa.array([False, True, False]))
    rows = from_list_array(hidden)
    assert as_lists(rows) == [[(1, 1.0)], [], [(4, 4.0)]]
    assert rows.owned().tolist() == [True, False, False, True]
    assert as_lists(from_list_array(pa.nulls(2, pa.list_(PURCHASE)))) == [[], []]


def test_row_groups_read_back_give_the_same_rows(tmp_path: Path) -> None:
    lists = [[(i * 10 + j, float(j)) for j in range(i % 4)] for i in range(11)]
    table = make_table([{"purchases": rows} for rows in lists])
    pq.write_table(table, tmp_path / "h.parquet", row_group_size=3)
    with pq.ParquetFile(tmp_path / "h.parquet") as file:
        read = [file.read_row_group(i).column("purchases") for i in range(file.num_row_groups)]
    assert len(read) == 4
    assert [rows for group in read for rows in as_lists(from_list_array(group))] == lists
