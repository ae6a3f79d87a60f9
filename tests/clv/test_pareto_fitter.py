"""Our ParetoNBDFitter is a lifetimes fitter: same interface, same numbers, plots that run."""

from typing import Any

import lifetimes
import matplotlib
import numpy as np
import pandas as pd
import pytest
from lifetimes import plotting
from lifetimes.utils import expected_cumulative_transactions

from lifestage.clv.pareto_fitter import ParetoNBDFitter
from lifestage.clv.summary import Summary
from lifestage.errors import InputError


@pytest.fixture(scope="module")
def orders(cdnow_sample: Summary) -> ParetoNBDFitter:
    s = cdnow_sample
    return ParetoNBDFitter().fit(s.frequency, s.recency, s.T, index=[f"c{i}" for i in range(len(s))])


@pytest.fixture(scope="module")
def stock(orders: ParetoNBDFitter) -> lifetimes.ParetoNBDFitter:
    """lifetimes' own class with our parameters."""
    made = lifetimes.ParetoNBDFitter()
    made.params_ = orders.params_
    return made


def test_attributes_equal_those_of_lifetimes(
    orders: ParetoNBDFitter, lifetimes_says_of_pareto: dict[str, Any]
) -> None:
    theirs = lifetimes_says_of_pareto["fit"]
    assert orders.params_.index.tolist() == list(theirs["params"])
    np.testing.assert_allclose(orders.params_, list(theirs["params"].values()), rtol=1e-4)
    assert orders._negative_log_likelihood_ <= theirs["negative_log_likelihood"] + 1e-9
    assert orders._negative_log_likelihood_ == pytest.approx(theirs["negative_log_likelihood"], rel=1e-8)
    assert list(orders.summary.columns) == ["coef", "se(coef)", "lower 95% bound", "upper 95% bound"]
    assert (orders.standard_errors_ > 0).all()
    np.testing.assert_allclose(orders.variance_matrix_, orders.variance_matrix_.T, rtol=1e-9)
    assert "fitted with 2357 subjects" in repr(orders)
    assert orders.diagnostics_["converged"] and orders.diagnostics_["fallback"] is None


def test_standard_errors_equal_the_curvature_of_lifetimes_likelihood(
    orders: ParetoNBDFitter, cdnow_sample: Summary
) -> None:
    """Second differences of lifetimes' own likelihood in the parameters themselves."""
    s, at = cdnow_sample, orders.params_.to_numpy()

    def total(params: np.ndarray) -> float:
        theirs = lifetimes.ParetoNBDFitter._conditional_log_likelihood(params, s.frequency, s.recency, s.T)
        return float(theirs.sum())

    steps = np.eye(4) * at * 1e-3
    hessian = [
        [
            (total(at + a + b) - total(at + a - b) - total(at - a + b) + total(at - a - b))
            / (4 * a.sum() * b.sum())
            for a in steps
        ]
        for b in steps
    ]
    errors = np.sqrt(np.diag(np.linalg.inv(-np.array(hessian))))
    np.testing.assert_allclose(orders.standard_errors_, errors, rtol=2e-3)


def test_methods_equal_those_of_lifetimes(
    orders: ParetoNBDFitter, stock: lifetimes.ParetoNBDFitter, cdnow_sample: Summary
) -> None:
    x, t_x, T = cdnow_sample.frequency, cdnow_sample.recency, cdnow_sample.T
    assert isinstance(orders, lifetimes.ParetoNBDFitter)
    theirs = stock.conditional_expected_number_of_purchases_up_to_time(10, x, t_x, T)
    np.testing.assert_allclose(orders.predict(10, x, t_x, T), theirs, rtol=1e-8)
    theirs = stock.conditional_probability_alive(x, t_x, T)
    np.testing.assert_allclose(orders.conditional_probability_alive(x, t_x, T), theirs, rtol=1e-8)
    theirs = stock.conditional_probability_alive_matrix(5, 20)
    np.testing.assert_allclose(orders.conditional_probability_alive_matrix(5, 20), theirs, rtol=1e-8)
    t = np.array([0.0, 1.0, 39.0, 500.0])
    theirs = stock.expected_number_of_purchases_up_to_time(t)
    np.testing.assert_allclose(orders.expected_number_of_purchases_up_to_time(t), theirs, rtol=1e-9)
    for n in (0, 1, 4):
        theirs = stock.conditional_probability_of_n_purchases_up_to_time(n, 39, x[:200], t_x[:200], T[:200])
        found = orders.conditional_probability_of_n_purchases_up_to_time(n, 39, x[:200], t_x[:200], T[:200])
        np.testing.assert_allclose(found, theirs, rtol=1e-6)


def test_what_overflows_or_cancels_in_lifetimes_does_not_here(
    orders: ParetoNBDFitter, stock: lifetimes.ParetoNBDFitter
) -> None:
    with np.errstate(all="ignore"):
        broken = stock.conditional_expected_number_of_purchases_up_to_time(10, 2000.0, 500.0, 500.0)
    assert not np.isfinite(broken)
    assert orders.predict(10, 2000, 500.0, 500.0) == pytest.approx(40, rel=0.03)
    assert orders.conditional_probability_alive(2000, 500.0, 500.0) == 1.0
    exactly_one = ParetoNBDFitter()
    exactly_one.params_ = pd.Series({"r": 0.5, "alpha": 10.0, "s": 1.0, "beta": 10.0})
    expected = 0.5 / 10 * 10 * np.log(2)
    assert exactly_one.expected_number_of_purchases_up_to_time(10.0) == pytest.approx(expected, rel=1e-12)


def test_answers_keep_the_kind_of_their_input(orders: ParetoNBDFitter) -> None:
    assert isinstance(orders.predict(10, 2, 30.0, 38.0), float)
    series = pd.Series([2.0, 3.0], index=["z", "y"])
    assert orders.predict(10, series, 30.0, 38.0).index.tolist() == ["z", "y"]
    assert orders.conditional_probability_alive(series, 30.0, 38.0).index.tolist() == ["z", "y"]
    assert orders.predict(np.array([1.0, 10.0]), 2, 30.0, 38.0).shape == (2,)
    assert len(orders.generate_new_data(size=20)) == 20
    assert orders.data.index[0] == "c0"


@pytest.mark.parametrize(
    "plot",
    [
        "plot_frequency_recency_matrix",
        "plot_probability_alive_matrix",
        "plot_transaction_rate_heterogeneity",
    ],
)
def test_plots_of_lifetimes_run(plot: str, orders: ParetoNBDFitter) -> None:
    matplotlib.use("Agg")
    assert getattr(plotting, plot)(orders) is not None
    matplotlib.pyplot.close("all")


def test_cumulative_transactions_of_lifetimes_run(orders: ParetoNBDFitter) -> None:
    days = pd.to_datetime(["2024-01-01", "2024-01-03", "2024-01-09", "2024-01-02"])
    log = pd.DataFrame({"who": ["a", "a", "a", "b"], "day": days})
    table = expected_cumulative_transactions(orders, log, "day", "who", 20)
    assert np.isfinite(table["predicted"]).all()


def test_weights_and_start_as_in_lifetimes(orders: ParetoNBDFitter, cdnow_sample: Summary) -> None:
    s = cdnow_sample
    twice = ParetoNBDFitter().fit(
        s.frequency,
        s.recency,
        s.T,
        weights=np.full(len(s), 2),
        initial_params=np.ones(4),
        iterative_fitting=3,
        fit_method="Nelder-Mead",
        tol=1e-4,
    )
    np.testing.assert_allclose(twice.params_, orders.params_, rtol=1e-6)
    np.testing.assert_allclose(twice.standard_errors_ * 2**0.5, orders.standard_errors_, rtol=1e-4)
    assert twice.diagnostics_["starts_agreeing"] == 4


def test_refusals() -> None:
    with pytest.raises(InputError, match=r"penalizer_coef is 0\.1, expected 0"):
        ParetoNBDFitter(penalizer_coef=0.1).fit([1], [1], [2])
    with pytest.raises(ValueError, match=r"frequency of customer number 0 is 1\.5"):
        ParetoNBDFitter().fit([1.5], [1], [2])
    with pytest.raises(InputError, match="T is 0 for every customer"):
        ParetoNBDFitter().fit([0, 0], [0, 0], [0, 0])
    with pytest.raises(
        InputError, match=r"initial_params is \[1\.0, 0\.0, 1\.0, 1\.0\], expected four numbers above 0"
    ):
        ParetoNBDFitter().fit([1], [1], [2], initial_params=[1, 0, 1, 1])


def test_an_undetermined_fit_says_so_and_still_answers() -> None:
    made = ParetoNBDFitter().fit([0, 0, 1], [0, 0, 3], [9, 8, 7])
    assert "do not identify" in made.diagnostics_["fallback"]
    assert np.isfinite(made.conditional_probability_alive_matrix()).all()
