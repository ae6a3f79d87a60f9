"""Rows of the last weeks beside the shop's past, silent tables, rejects."""

import numpy as np
import pytest

from lifestage.drift.population import Rows, add_rows
from lifestage.drift.volume import WINDOW, freshness, rejects_since, volume, windows

FIRST = 10_000


def poisson(rate: np.ndarray, seed: int) -> Rows:
    return Rows(FIRST, np.random.default_rng(seed).poisson(rate).astype(np.int64))


def test_windows_end_with_the_last_day_and_leave_out_a_cut_one() -> None:
    rows = Rows(FIRST, np.arange(10))
    assert windows(rows, FIRST + 10, 3).tolist() == [1 + 2 + 3, 4 + 5 + 6, 7 + 8 + 9]
    assert windows(rows, FIRST + 13, 3).tolist() == [1 + 2 + 3, 4 + 5 + 6, 7 + 8 + 9, 0]
    assert windows(Rows(0, np.zeros(0, np.int64)), 5, 3).tolist() == []
    assert add_rows(
        [Rows(3, np.array([1, 2])), Rows(2, np.array([5])), Rows(0, np.zeros(0, np.int64))]
    ) == Rows(2, pytest.approx(np.array([5, 1, 2])))


def test_a_steady_shop_is_not_warned_and_a_halved_one_is() -> None:
    false, found = 0, 0
    for seed in range(100):
        rows = poisson(np.full(8 * WINDOW, 20.0), seed)
        end = FIRST + len(rows.counts)
        usual = volume("events", rows, end)
        false += usual.unusual and abs(usual.change or 0) > 0.3
        cut = rows.counts.copy()
        cut[-WINDOW:] = cut[-WINDOW:] // 3
        broken = volume("events", Rows(FIRST, cut), end)
        found += broken.unusual and (broken.change or 0) < -0.5
        assert not usual.by_year
    assert false <= 2 and found == 100


def test_a_season_that_comes_every_year_is_no_news() -> None:
    """Three times the orders each December, growth of half a year on year."""
    days = np.arange(3 * 364)
    rate = 30 * 1.5 ** (days / 364) * np.where(days % 364 >= 336, 3.0, 1.0)
    end = FIRST + len(days)
    rows = poisson(rate, 3)
    told = volume("transactions", rows, end)
    assert told.by_year and not told.unusual
    assert told.expected == pytest.approx(rate[-WINDOW:].sum(), rel=0.1)
    missed = Rows(FIRST, rows.counts.copy())
    missed.counts[-WINDOW:] //= 3  # December as quiet as the other months
    assert volume("transactions", missed, end).unusual
    young = volume("transactions", Rows(FIRST + 2 * 364, rows.counts[2 * 364 :]), end)
    assert young.unusual and not young.by_year  # one year cannot know its season


def test_a_short_past_says_nothing() -> None:
    told = volume("events", Rows(FIRST, np.full(3 * WINDOW, 9)), FIRST + 3 * WINDOW)
    assert told.expected is None and told.change is None and not told.unusual and told.rows == 9 * WINDOW


def test_silence_beside_the_gaps_of_before() -> None:
    weekly = Rows(FIRST, (np.arange(100) % 7 == 0).astype(np.int64))  # the last row on day 98
    told = freshness("feedback", weekly, FIRST + 104)
    assert told is not None
    assert (told.newest, told.silent, told.usual) == (FIRST + 98, 5, 6)
    assert freshness("feedback", Rows(0, np.zeros(0, np.int64)), 9) is None


def test_rejects_are_told_of_the_new_rows_alone() -> None:
    then, now = {"kept": 10_000, "rejected": 10}, {"kept": 10_900, "rejected": 110}
    assert rejects_since(then, now) == (1_000, 0.1)
    assert rejects_since(None, now) == (11_010, pytest.approx(110 / 11_010))
    assert rejects_since(then, {"kept": 10_020, "rejected": 10}) is None  # too few
    assert rejects_since(then, {"kept": 9_000, "rejected": 10}) is None  # another table
