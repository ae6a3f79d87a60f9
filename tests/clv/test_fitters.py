"""Our fitters are lifetimes fitters: same interface, same numbers, plots that run."""

from typing import Any

import lifetimes
import matplotlib
import numpy as np
import pandas as pd
import pytest
from lifetimes import plotting

from lifestage.clv.fitters import BetaGeoFitter, GammaGammaFitter
from lifestage.clv.model import ClvModel
from lifestage.clv.summary import Summary
from lifestage.errors import InputError


@pytest.fixture(scope="module")
def orders(cdnow_sample: Summary) -> BetaGeoFitter:
    s = cdnow_sample
    return BetaGeoFitter().fit(s.frequency, s.recency, s.T, index=[f"c{i}" for i in range(len(s))])


@pytest.fixture(scope="module")
def spend(cdnow_sample: Summary) -> GammaGammaFitter:
    repeat = cdnow_sample.take(cdnow_sample.frequency > 0)
    return GammaGammaFitter().fit(repeat.frequency, repeat.monetary_value)


@pytest.mark.parametrize("name", ["bg_nbd", "gamma_gamma"])
def test_attributes_equal_those_of_lifetimes(
    name: str, orders: BetaGeoFitter, spend: GammaGammaFitter, lifetimes_says: dict[str, Any]
) -> None:
    ours, theirs = {"bg_nbd": orders, "gamma_gamma": spend}[name], lifetimes_says["fits"][name]
    np.testing.assert_allclose(ours.params_, list(theirs["params"].values()), rtol=1e-3)
    assert ours.params_.index.tolist() == list(theirs["params"])
    np.testing.assert_allclose(ours.standard_errors_, list(theirs["standard_errors"].values()), rtol=1e-2)
    assert ours._negative_log_likelihood_ == pytest.approx(theirs["negative_log_likelihood"], rel=1e-8)
    assert ours._negative_log_likelihood_ <= theirs["negative_log_likelihood"] + 1e-12
    assert list(ours.summary.columns) == ["coef", "se(coef)", "lower 95% bound", "upper 95% bound"]
    # of the matrix that lifetimes derives from its Hessian only the diagonal is right: the rest is not symmetric
    np.testing.assert_allclose(
        np.diag(ours._compute_variance_matrix()), np.diag(ours.variance_matrix_), rtol=1e-9
    )
    np.testing.assert_allclose(ours.variance_matrix_, ours.variance_matrix_.T, rtol=1e-9)
    assert "fitted with" in repr(ours)


def test_is_a_lifetimes_fitter(orders: BetaGeoFitter, spend: GammaGammaFitter, cdnow_sample: Summary) -> None:
    assert isinstance(orders, lifetimes.BetaGeoFitter)
    assert isinstance(spend, lifetimes.GammaGammaFitter)
    stock = lifetimes.BetaGeoFitter()
    stock.params_ = orders.params_
    s = cdnow_sample
    theirs = stock.conditional_expected_number_of_purchases_up_to_time(10, s.frequency, s.recency, s.T)
    np.testing.assert_allclose(orders.predict(10, s.frequency, s.recency, s.T), theirs, rtol=1e-9)
    value = spend.customer_lifetime_value(
        orders, *(pd.Series(c) for c in (s.frequency, s.recency, s.T, s.monetary_value)), time=3, freq="W"
    )
    assert np.isfinite(value).all()
    assert len(orders.generate_new_data(size=50)) == 50
    assert orders.data.index[0] == "c0"


def test_predict_keeps_the_kind_of_its_input(orders: BetaGeoFitter) -> None:
    assert isinstance(orders.predict(10, 2, 30.0, 38.0), float)
    series = orders.predict(10, pd.Series([2.0], index=["z"]), pd.Series([30.0], index=["z"]), 38.0)
    assert series.index.tolist() == ["z"]
    assert orders.predict(np.array([1.0, 10.0]), 2, 30.0, 38.0).shape == (2,)


@pytest.mark.parametrize(
    "plot",
    [
        "plot_frequency_recency_matrix",
        "plot_probability_alive_matrix",
        "plot_period_transactions",
        "plot_transaction_rate_heterogeneity",
        "plot_dropout_rate_heterogeneity",
    ],
)
def test_plots_of_lifetimes_run(plot: str, orders: BetaGeoFitter) -> None:
    matplotlib.use("Agg")
    assert getattr(plotting, plot)(orders) is not None
    matplotlib.pyplot.close("all")


def test_weights_and_start_as_in_lifetimes(orders: BetaGeoFitter, cdnow_sample: Summary) -> None:
    s = cdnow_sample
    twice = BetaGeoFitter().fit(
        s.frequency,
        s.recency,
        s.T,
        weights=np.full(len(s), 2),
        initial_params=np.zeros(4),
        tol=1e-4,
        maxiter=9,
    )
    np.testing.assert_allclose(twice.params_, orders.params_, rtol=1e-6)
    np.testing.assert_allclose(twice.standard_errors_ * 2**0.5, orders.standard_errors_, rtol=1e-4)


def test_from_model(model: ClvModel, cdnow_sample: Summary) -> None:
    s = cdnow_sample
    fitted = ClvModel.fit(
        cdnow_sample, horizon_days=52, yearly_discount_rate=0.1, margin=1.0, order_models=("bg_nbd",)
    )
    made, value = BetaGeoFitter.from_model(fitted), GammaGammaFitter.from_model(fitted)
    assert tuple(made.params_) == fitted.orders
    plain = GammaGammaFitter().fit(*(c[s.monetary_value > 0] for c in (s.frequency, s.monetary_value)))
    np.testing.assert_allclose(value.params_, plain.params_)  # the plain model beside the strata
    assert made.standard_errors_["r"] == fitted.standard_errors["orders"]["r"]
    np.testing.assert_allclose(
        made.predict(52, s.frequency, s.recency, s.T), fitted.predict(s)["expected_orders"], rtol=1e-12
    )
    assert len(value.summary) == 3
    assert BetaGeoFitter.from_model(model).standard_errors_.isna().all()


def test_refusals() -> None:
    with pytest.raises(InputError, match=r"penalizer_coef is 0\.1, expected 0"):
        BetaGeoFitter(penalizer_coef=0.1).fit([1], [1], [2])
    with pytest.raises(ValueError, match=r"frequency of customer number 0 is 1\.5"):
        BetaGeoFitter().fit([1.5], [1], [2])
    with pytest.raises(InputError, match="leave one-time buyers out"):
        GammaGammaFitter().fit([0, 1], [0.0, 5.0])


def test_an_undetermined_fit_says_so_and_still_plots() -> None:
    made = BetaGeoFitter().fit([0, 0, 1], [0, 0, 3], [9, 8, 7])
    assert "do not identify" in made.diagnostics_["fallback"]
    assert np.isfinite(made.conditional_probability_alive_matrix()).all()


def test_lifetime_value_is_that_of_lifetimes(
    orders: BetaGeoFitter, spend: GammaGammaFitter, cdnow_sample: Summary
) -> None:
    """At lifetimes' own steps; beside a plain fitter with our parameters."""
    s = cdnow_sample
    columns = [pd.Series(c) for c in (s.frequency, s.recency, s.T, s.monetary_value)]
    plain = lifetimes.BetaGeoFitter()
    plain.params_ = orders.params_
    plain.predict = plain.conditional_expected_number_of_purchases_up_to_time
    theirs = lifetimes.GammaGammaFitter.customer_lifetime_value(spend, plain, *columns, time=6, freq="W")
    found = spend.customer_lifetime_value(orders, *columns, time=6, freq="W")
    pd.testing.assert_series_equal(found, theirs, rtol=1e-9, check_names=False)
    pd.testing.assert_series_equal(spend.customer_lifetime_value(plain, *columns, time=6, freq="W"), theirs)


def test_impossible_histories_are_refused_by_name(orders: BetaGeoFitter) -> None:
    for given, text in (
        ((90, 3, 150, 100), "recency is 150 in row 0, expected from 0 to T"),
        ((90, -3, 5, 100), "frequency is -3 in row 0"),
        ((-90, 3, 5, 100), "t is -90 in row 0"),
        ((90, 3, 5, np.nan), "T is nan in row 0"),
    ):
        with pytest.raises(InputError, match=text):
            orders.predict(*given)
    for weights in ([-1, 2], [0, 0], [1], [np.nan, 1]):
        with pytest.raises(InputError, match="weights must be one finite number >= 0 a row"):
            GammaGammaFitter().fit([1, 2], [3.0, 5.0], weights=weights)
