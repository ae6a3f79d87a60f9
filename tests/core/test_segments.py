"""Segments with several columns, overlapping windows, and the two ways to count texts, against loops."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage import ragged
from lifestage.features import habits
from lifestage.features.windows import Windows
from lifestage.localtime import DAY
from lifestage.ragged import Coded, Segments, own_codes, window_sums


@settings(deadline=None)
@given(st.lists(st.lists(st.floats(-1e9, 1e9), max_size=6), max_size=6))
def test_several_columns_reduce_like_each_alone(lists: list[list[float]]) -> None:
    flat = np.array([v for one in lists for v in one], np.float64)
    ends = np.cumsum([len(one) for one in lists], dtype=np.int64)
    starts = ends - np.array([len(one) for one in lists], np.int64)
    segments = Segments(starts, ends)
    both = np.stack([flat, -2 * flat]) if len(flat) else np.empty((2, 0))
    for reduce in (segments.sum, segments.min, segments.max):
        together = reduce(both)
        assert together.shape == (2, len(lists))
        assert together[0].tobytes() == reduce(flat).tobytes()
        assert together[1].tobytes() == reduce(-2 * flat).tobytes()


def test_windows_that_overlap_and_end_with_the_array() -> None:
    values = np.array([1.0, 2.0, 4.0, 8.0])
    starts, ends = np.array([[0, 1, 2], [2, 3, 4]]), np.array([[2, 2, 2], [4, 4, 4]])
    assert window_sums(values, starts, ends).tolist() == [[3.0, 2.0, 0.0], [12.0, 8.0, 0.0]]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 90), st.integers(-1, 3)), max_size=20))
def test_windows_equal_a_loop(rows: list[tuple[int, int, int]]) -> None:
    rows = sorted(rows)
    owner, age, code = (np.array([row[i] for row in rows], np.int64) for i in range(3))
    cutoff = 1000 * DAY
    found = Windows(owner, cutoff - age * DAY, 4, cutoff, (30, 7))
    for w in (7, 30, None):
        held = [
            row for row in rows if w is None or row[1] <= w
        ]  # a window begins at cutoff - w days, inclusive
        assert found.counts()[w].tolist() == [sum(row[0] == who for row in held) for who in range(4)]
        by = found.counts_by(code, 4)[w]
        assert by.tolist() == [
            [sum(row[::2] == (who, c) for row in held) for who in range(4)] for c in range(4)
        ]


def test_breadth_is_the_same_by_grid_and_by_sort(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    owner = np.sort(rng.integers(0, 40, 900))
    coded = Coded(rng.integers(-1, 30, 900), tuple(map(str, range(30))))
    picked = rng.random(900) < 0.5
    dense = [*habits._breadth(owner, coded, 41), habits._distinct(owner, coded, picked, 41)]
    monkeypatch.setattr(habits, "_grid", lambda *_: None)
    sparse = [*habits._breadth(owner, coded, 41), habits._distinct(owner, coded, picked, 41)]
    for one, other in zip(dense, sparse, strict=True):
        assert one.tobytes() == other.tobytes()


def test_c_log_c_has_the_same_bits_in_and_out_of_the_table() -> None:
    counts = np.array([0, 1, 7, habits.TABLED - 1])
    alone = habits._c_log_c(counts)
    longer = habits._c_log_c(np.append(counts, 3 * habits.TABLED))
    assert alone.tobytes() == longer[:-1].tobytes()
    assert longer[-1] == pytest.approx(3 * habits.TABLED * math.log(3 * habits.TABLED))
    assert alone.tolist()[:2] == [0.0, 0.0]


def test_quarters_by_table_equal_the_calendar() -> None:
    day = np.arange(-800, 40_000, 7)
    assert habits._quarters(np.tile(day, 8)).tolist() == habits._quarter(np.tile(day, 8)).tolist()


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", None]), max_size=5), max_size=9), st.integers(1, 8))
def test_ids_are_told_apart_within_each_customer(lists: list[list[str | None]], together: int) -> None:
    flat = [text for one in lists for text in one]
    ends = np.cumsum([len(one) for one in lists], dtype=np.int64)
    starts = ends - np.array([len(one) for one in lists], np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ragged, "TOGETHER", together)
        codes = own_codes(pa.array(flat, pa.string()), starts)
    for one, start, end in zip(lists, starts, ends, strict=True):
        mine = codes[start:end].tolist()
        assert [code == -1 for code in mine] == [text is None for text in one]
        assert [[a == b for a in mine] for b in mine] == [[a == b for a in one] for b in one]
