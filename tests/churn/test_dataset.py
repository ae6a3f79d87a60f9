"""Samples and the feature matrix."""

import numpy as np
import pytest

from lifestage.churn.dataset import Sample, concatenate, matrix, sample_at
from lifestage.errors import InputError

KEYS = np.array([7, 8, 9], np.uint64)


def sample(names: tuple[str, ...] = ("a", "b"), n: int = 3, customer: bool = True) -> Sample:
    return Sample(
        {name: np.arange(n) + float(i) for i, name in enumerate(names)},
        np.arange(n) % 2 == 0,
        np.zeros(n, np.int64),
        np.array([f"c{i}" for i in range(n)], object) if customer else None,
    )


def test_only_eligible_customers_enter() -> None:
    made = sample_at(
        5,
        {"a": np.array([1.0, 2.0, np.nan])},
        np.array([True, False, True]),
        np.array([True, True, False]),
        np.array(["x", "y", "z"], object),
    )
    np.testing.assert_array_equal(made.features["a"], [1.0, np.nan])
    assert made.churned.tolist() == [True, False]
    assert made.cutoff.tolist() == [5, 5]
    assert made.customer is not None
    assert made.customer.tolist() == ["x", "z"]
    assert made.base_rate == 0.5


def test_concatenate_keeps_rows_in_order_and_ids_only_if_all_have_them() -> None:
    both = concatenate([sample(n=2), sample(n=3)])
    assert both.features["b"].tolist() == [1.0, 2.0, 1.0, 2.0, 3.0]
    assert both.customer is not None
    assert both.customer.tolist() == ["c0", "c1", "c0", "c1", "c2"]
    assert concatenate([sample(), sample(customer=False)]).customer is None


def test_concatenate_refuses_different_columns() -> None:
    with pytest.raises(InputError, match=r"differ in their features \(b, c\); build all alike"):
        concatenate([sample(("a", "b")), sample(("a", "c"))])
    with pytest.raises(InputError, match=r"\(the order\)"):
        concatenate([sample(("a", "b")), sample(("b", "a"))])
    with pytest.raises(InputError, match="no churn sample to join"):
        concatenate([])


def test_lengths_must_agree() -> None:
    with pytest.raises(InputError, match="'a' has 2 rows, but 'churned' has 3"):
        Sample({"a": np.zeros(2)}, np.zeros(3, bool), np.zeros(3, np.int64))
    with pytest.raises(InputError, match="at least one feature"):
        Sample({}, np.zeros(3, bool), np.zeros(3, np.int64))


def test_matrix_orders_columns_by_name_and_names_what_is_wrong() -> None:
    rows = matrix({"b": np.array([3.0, 4.0]), "a": np.array([1.0, np.nan])}, ("a", "b"))
    np.testing.assert_array_equal(rows, [[1.0, 3.0], [np.nan, 4.0]])
    assert rows.flags.c_contiguous
    with pytest.raises(InputError, match=r"missing: b; unknown: c, d"):
        matrix({"a": np.zeros(1), "c": np.zeros(1), "d": np.zeros(1)}, ("a", "b"))
    with pytest.raises(InputError, match=r"feature 'b' has 2 rows, but 'a' has 1"):
        matrix({"a": np.zeros(1), "b": np.zeros(2)}, ("a", "b"))


def test_rows_taken_keep_their_customers_and_categories() -> None:
    whole = Sample({"a": np.arange(3.0)}, np.array([True, False, True]), np.zeros(3, np.int64), KEYS, ("a",))
    some = whole.take(np.array([True, False, True])).having({"b": np.ones(2)})
    assert some.features["a"].tolist() == [0, 2]
    assert some.churned.tolist() == [True, True]
    assert some.customer is not None
    assert some.customer.tolist() == [7, 9]
    assert (some.names, some.categorical) == (("a", "b"), ("a",))
