import numpy as np
import pytest

from lifestage.clv.compress import compress, distinct
from lifestage.clv.summary import Summary
from lifestage.errors import InputError


def test_counts_equal_a_plain_dictionary(cdnow_sample: Summary) -> None:
    s = cdnow_sample
    counted: dict[tuple[float, float, float], int] = {}
    for row in zip(s.frequency.tolist(), s.recency.tolist(), s.T.tolist(), strict=True):
        counted[row] = counted.get(row, 0) + 1
    made = compress(s.frequency, s.recency, s.T)
    rows = zip(made.frequency.tolist(), made.recency.tolist(), made.T.tolist(), strict=True)
    assert dict(zip(rows, made.count.tolist(), strict=True)) == counted
    assert made.customers == len(s)


def test_distinct_gives_the_columns_back() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 4, 300).astype(float), rng.integers(0, 5, 300).astype(float)
    index, number = distinct(a, b)
    assert a[index][number].tolist() == a.tolist()
    assert b[index][number].tolist() == b.tolist()
    assert list(zip(a[index], b[index], strict=True)) == sorted(set(zip(a, b, strict=True)))


def test_weights_are_summed_and_zero_weights_dropped() -> None:
    made = compress(
        np.array([1.0, 1, 2]), np.array([2.0, 2, 3]), np.array([5.0, 5, 5]), np.array([2.0, 3, 0])
    )
    assert made.count.tolist() == [5]
    assert made.frequency.tolist() == [1]


def test_nobody_and_bad_weights_are_refused() -> None:
    with pytest.raises(InputError, match="no customer has a purchase before the cutoff"):
        compress(np.empty(0), np.empty(0), np.empty(0))
    with pytest.raises(InputError, match="weights must be one finite number >= 0 a row"):
        compress(np.ones(1), np.ones(1), np.ones(1), np.array([-1.0]))
