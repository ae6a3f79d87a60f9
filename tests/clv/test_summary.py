"""The summary against a plain loop, and what it refuses."""

from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
from lifetimes import utils

from lifestage.clv.summary import Summary, concatenate, summarise
from lifestage.errors import InputError


def plain_loop(days: list[int], amounts: list[float], cutoff_day: int) -> tuple[float, float, float, float]:
    """The definition, one customer at a time."""
    by_day: dict[int, float] = defaultdict(float)
    for day, amount in zip(days, amounts, strict=True):
        by_day[day] += amount
    first, last = min(by_day), max(by_day)
    repeat = [spend for day, spend in by_day.items() if day != first]
    mean = sum(repeat) / len(repeat) if repeat else 0.0
    return len(by_day) - 1, last - first, cutoff_day - first, mean


def random_block(n: int, seed: int) -> tuple[list[list[int]], list[list[float]]]:
    rng = np.random.default_rng(seed)
    days = [sorted(rng.integers(0, 60, rng.integers(0, 25)).tolist()) for _ in range(n)]
    amounts = [(rng.gamma(1.0, 40.0, len(d)) * (rng.random(len(d)) > 0.1)).tolist() for d in days]
    return days, amounts


def flat(days: list[list[int]], amounts: list[list[float]]) -> tuple[np.ndarray, ...]:
    ends = np.cumsum([len(d) for d in days]).astype(np.int64)
    starts = ends - np.array([len(d) for d in days])
    return (
        starts,
        ends,
        np.array([v for d in days for v in d], np.int64),
        np.array([v for d in amounts for v in d], float),
    )


def test_equals_a_plain_loop() -> None:
    days, amounts = random_block(400, 1)
    made = summarise(*flat(days, amounts), 70)
    for i, (d, a) in enumerate(zip(days, amounts, strict=True)):
        got = (made.frequency[i], made.recency[i], made.T[i], made.monetary_value[i])
        if d:
            assert got == pytest.approx(plain_loop(d, a, 70), rel=1e-13)
        else:
            assert np.isnan(got).all()
    assert made.has_purchase.tolist() == [bool(d) for d in days]
    made.check()


def test_one_customer_alone_has_the_same_bits() -> None:
    days, amounts = random_block(200, 2)
    block = summarise(*flat(days, amounts), 70)
    for i in range(200):
        alone = summarise(*flat(days[i : i + 1], amounts[i : i + 1]), 70)
        for name in ("frequency", "recency", "T", "monetary_value", "has_purchase"):
            assert getattr(alone, name).tobytes() == getattr(block, name)[i : i + 1].tobytes()


def test_rows_of_nobody_are_ignored() -> None:
    """Bounds cut at a cutoff leave later rows of each customer outside every segment."""
    day = np.array([1, 5, 90, 2, 91, 3], np.int64)
    amount = np.array([1.0, 2.0, 1e6, 4.0, 1e6, 8.0])
    made = summarise(np.array([0, 3, 5]), np.array([2, 4, 6]), day, amount, 10)
    assert made.frequency.tolist() == [1, 0, 0]
    assert made.monetary_value.tolist() == [2, 0, 0]
    assert made.T.tolist() == [9, 8, 7]


@pytest.mark.parametrize("n", [0, 3])
def test_nobody_bought(n: int) -> None:
    made = summarise(np.zeros(n, np.int64), np.zeros(n, np.int64), np.empty(0, np.int64), np.empty(0), 9)
    assert len(made) == n
    assert not made.has_purchase.any()
    assert np.isnan(made.frequency).all()


def test_agrees_with_lifetimes_on_cdnow(cdnow_log: list[tuple[int, int, float]]) -> None:
    customer, day, amount = (np.array(c) for c in zip(*cdnow_log, strict=True))
    until = int(day.max()) + 1
    frame = pd.DataFrame({"id": customer, "date": pd.to_datetime(day, unit="D"), "amount": amount})
    theirs = utils.summary_data_from_transaction_data(
        frame, "id", "date", "amount", observation_period_end=pd.Timestamp(until, unit="D")
    ).sort_index()
    ids, starts = np.unique(customer, return_index=True)
    ends = np.append(starts[1:], len(customer))
    ours = summarise(starts.astype(np.int64), ends.astype(np.int64), day, amount, until)
    assert theirs.index.tolist() == ids.tolist()
    for name in ("frequency", "recency", "T", "monetary_value"):
        np.testing.assert_allclose(getattr(ours, name), theirs[name], rtol=1e-12, err_msg=name)


def test_a_purchase_after_the_cutoff_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"a purchase falls on day 12, expected none after the cutoff's day 10"
    ):
        summarise(np.array([0]), np.array([2]), np.array([3, 12]), np.ones(2), 10)


@pytest.mark.parametrize(
    ("x", "t_x", "T", "m", "message"),
    [
        (1, 9, 8, 5, r"recency of customer number 1 is 9, expected 0 <= recency <= T"),
        (-1, 0, 8, 5, r"frequency of customer number 1 is -1, expected a whole number >= 0"),
        (1.5, 2, 8, 5, r"frequency of customer number 1 is 1.5, expected a whole number"),
        (np.nan, 2, 8, 5, r"frequency of customer number 1 is nan"),
        (np.inf, 2, 8, 5, r"frequency of customer number 1 is inf"),
        (1, np.nan, 8, 5, r"recency of customer number 1 is nan"),
        (0, 2, 8, 0, r"recency of customer number 1 is 2, expected 0 where frequency is 0"),
        (0, 0, -1, 0, r"T of customer number 1 is -1, expected a finite time >= 0"),
        (0, 0, np.inf, 0, r"T of customer number 1 is inf"),
        (1, 2, 8, -5, r"monetary_value of customer number 1 is -5, expected a finite number >= 0"),
        (1, 2, 8, np.nan, r"monetary_value of customer number 1 is nan"),
    ],
)
def test_impossible_values_are_named(x: float, t_x: float, T: float, m: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Summary.of([2, x], [3, t_x], [9, T], [4, m])


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(InputError, match="expected one number a customer in each"):
        Summary.of([1, 2], [1], [3, 4])


def test_take_and_concatenate_are_inverse(crowd: Summary) -> None:
    again = concatenate([crowd.take(np.arange(10)), crowd.take(np.arange(10, len(crowd)))])
    assert again.frequency.tobytes() == crowd.frequency.tobytes()
    assert again.has_purchase.tolist() == crowd.has_purchase.tolist()
    assert len(concatenate([])) == 0
