"""Percentiles against a plain mid-rank, and references through their bytes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifestage.references import MAX_POINTS, References, collect, from_bytes

NUMBERS = st.one_of(st.integers(-5, 5).map(float), st.floats(allow_nan=False, allow_infinity=False))


def mid_rank(reference: list[float], x: float) -> float:
    """Share below x plus half the share equal to it."""
    if math.isnan(x) or not reference:
        return math.nan
    below = sum(value < x for value in reference)
    equal = sum(value == x for value in reference)
    return (below + equal / 2) / len(reference)


@given(
    reference=st.lists(NUMBERS, max_size=20),
    missing=st.integers(0, 3),
    extra=st.lists(st.one_of(NUMBERS, st.sampled_from([math.nan, math.inf, -math.inf])), max_size=8),
)
def test_percentile_equals_plain_mid_rank(reference: list[float], missing: int, extra: list[float]) -> None:
    made = collect({"clv": np.array(reference + [math.nan] * missing, np.float64)})
    x = np.array(extra + reference, np.float64)
    expected = [mid_rank(reference, float(v)) for v in x]
    got = made.percentile("clv", x)
    assert got.tolist() == pytest.approx(expected, nan_ok=True)
    alone = b"".join(made.percentile("clv", x[i : i + 1]).tobytes() for i in range(len(x)))
    assert got.tobytes() == alone


def test_percentile_of_known_values() -> None:
    made = References({"a": np.array([1.0, 2.0, 2.0, 4.0])})
    got = made.percentile("a", np.array([0.0, 1.0, 2.0, 3.0, 4.0, 9.0]))
    assert got.tolist() == [0, 0.125, 0.5, 0.75, 0.875, 1]


def test_percentile_of_an_empty_reference_is_missing() -> None:
    assert np.isnan(collect({"a": np.array([math.nan])}).percentile("a", np.array([1.0, 2.0]))).all()


def test_collect_drops_what_is_not_finite_and_sorts() -> None:
    made = collect({"a": np.array([3.0, math.nan, 1.0, math.inf, -math.inf])})
    assert made.values["a"].tolist() == [1.0, 3.0]


def test_collect_thins_a_large_distribution_but_keeps_its_percentiles() -> None:
    values = np.random.default_rng(5).lognormal(0, 2, 3 * MAX_POINTS + 17)
    made = collect({"a": values})
    kept = made.values["a"]
    assert len(kept) == MAX_POINTS
    assert (kept[0], kept[-1]) == (values.min(), values.max())
    assert np.isin(kept, values).all()
    x = np.quantile(values, [0.001, 0.2, 0.5, 0.9, 0.999])
    assert made.percentile("a", x).tolist() == pytest.approx([0.001, 0.2, 0.5, 0.9, 0.999], abs=2e-5)


@given(st.dictionaries(st.sampled_from(["clv", "spend_total", "空"]), st.lists(NUMBERS, max_size=6)))
def test_bytes_give_back_the_same_bits(columns: dict[str, list[float]]) -> None:
    made = collect({name: np.array(v, np.float64) for name, v in columns.items()})
    back = from_bytes(made.to_bytes())
    assert list(back.values) == list(made.values)
    for name, values in made.values.items():
        assert back.values[name].tobytes() == values.tobytes()
        assert back.values[name].dtype == np.float64
