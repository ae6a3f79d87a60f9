"""The Gamma-Gamma against an integral over its definition, published values, lifetimes and simulation."""

import json
from math import exp, log
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import gamma as gamma_law

from lifestage.clv import gamma_gamma
from lifestage.clv.gamma_gamma import GammaGammaParams, expected_order_value, fit, log_likelihood
from lifestage.clv.summary import Summary
from lifestage.errors import InputError

CDNOW = GammaGammaParams(6.25, 3.74, 15.44)


def integral(params: GammaGammaParams, x: int, m: float, function: Any) -> float:
    """Over nu of function x density of nu x density of the mean m of x orders, each Gamma(p, nu)."""
    p, q, v = params
    top = gamma_law.isf(1e-14, q + p * x, scale=1 / (v + x * m)) * 3

    def integrand(nu: float) -> float:
        return function(nu) * gamma_law.pdf(nu, q, scale=1 / v) * gamma_law.pdf(m, p * x, scale=1 / (nu * x))

    return quad(integrand, 0, top, epsabs=0, epsrel=1e-11, limit=200)[0]


@pytest.mark.parametrize(("x", "m"), [(1, 20.0), (3, 35.0), (12, 80.0), (2, 400.0)])
def test_equals_the_integral_over_the_definition(x: int, m: float) -> None:
    density = integral(CDNOW, x, m, lambda _: 1.0)
    xs, ms = np.array([float(x)]), np.array([m])
    assert log_likelihood(CDNOW, xs, ms)[0] == pytest.approx(log(density), rel=1e-9)
    # an order's mean given nu is p / nu
    value = integral(CDNOW, x, m, lambda nu: CDNOW.p / nu) / density
    assert expected_order_value(CDNOW, xs, ms)[0] == pytest.approx(value, rel=1e-8)


def test_equals_the_frozen_outputs_of_lifetimes(lifetimes_says: dict[str, Any]) -> None:
    grid = lifetimes_says["gamma_gamma"]
    found = expected_order_value(GammaGammaParams(**grid["params"]), np.array(grid["x"]), np.array(grid["m"]))
    np.testing.assert_allclose(found, grid["expected_order_value"], rtol=1e-12)


def test_a_one_time_buyer_gets_the_population_mean() -> None:
    found = expected_order_value(CDNOW, np.zeros(1), np.zeros(1))[0]
    assert found == pytest.approx(6.25 * 15.44 / 2.74, rel=1e-14)
    assert found == pytest.approx(gamma_gamma.population_mean(CDNOW))


def test_published_fit_of_cdnow(cdnow_sample: Summary, published: dict[str, Any]) -> None:
    paper, found = published["gamma_gamma"], fit(cdnow_sample.frequency, cdnow_sample.monetary_value)
    for name, value in found.params._asdict().items():
        assert value == pytest.approx(paper[name], abs=0.0101)
    assert found.diagnostics["fallback"] is None
    assert found.diagnostics["customers"] == 946
    repeat = cdnow_sample.frequency > 0
    expected = np.corrcoef(cdnow_sample.frequency[repeat], cdnow_sample.monetary_value[repeat])[0, 1]
    assert found.diagnostics["correlation_frequency_spend"] == pytest.approx(expected, rel=1e-10)


def test_not_worse_than_lifetimes(cdnow_sample: Summary, lifetimes_says: dict[str, Any]) -> None:
    theirs = lifetimes_says["fits"]["gamma_gamma"]
    repeat = cdnow_sample.take(cdnow_sample.frequency > 0)
    found = fit(repeat.frequency, repeat.monetary_value)
    at_theirs = log_likelihood(GammaGammaParams(**theirs["params"]), repeat.frequency, repeat.monetary_value)
    assert found.log_likelihood >= at_theirs.sum() - 1e-9  # rounding
    for name, value in theirs["params"].items():
        assert found.params._asdict()[name] == pytest.approx(value, rel=1e-3)
        assert found.standard_errors[name] == pytest.approx(theirs["standard_errors"][name], rel=1e-2)


def test_objective_and_gradient(cdnow_sample: Summary) -> None:
    s = cdnow_sample.take(cdnow_sample.frequency > 0)
    objective = gamma_gamma.likelihood(s.frequency, s.monetary_value, np.ones(len(s)))
    z = np.log(np.array([5.0, 2.0, 30.0]))
    value, gradient = objective(z)
    rows = log_likelihood(GammaGammaParams(5.0, 2.0, 30.0), s.frequency, s.monetary_value)
    assert value == pytest.approx(rows.sum(), rel=1e-12)
    for k, e in enumerate(np.eye(3) * 1e-5):
        slope = (objective(z + e)[0] - objective(z - e)[0]) / 2e-5
        assert gradient[k] == pytest.approx(slope, rel=1e-6)


def simulate(params: GammaGammaParams, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.geometric(0.3, n).astype(float)
    nu = rng.gamma(params.q, 1 / params.v, n)
    return x, rng.gamma(params.p * x) / (nu * x)


@pytest.mark.parametrize("unit", [1.0, 1e12, 1e-3])
def test_recovers_simulated_parameters_in_any_currency(unit: float) -> None:
    true = GammaGammaParams(4.0, 3.0, 25.0 * unit)
    found = fit(*simulate(true, 20_000, 3))
    assert found.diagnostics["fallback"] is None
    for name, value in true._asdict().items():
        error = found.standard_errors[name]
        assert error is not None
        assert abs(found.params._asdict()[name] - value) < 3.5 * error


def test_weights_equal_repeated_rows() -> None:
    x, m = simulate(CDNOW, 400, 4)
    once, thrice = fit(x, m, np.full(400, 3.0)), fit(np.tile(x, 3), np.tile(m, 3))
    assert once.params == pytest.approx(thrice.params, rel=1e-7)


def test_a_tail_too_heavy_for_a_mean_holds_the_observed_one() -> None:
    x, m = simulate(GammaGammaParams(4.0, 0.7, 10.0), 3_000, 6)
    found = fit(x, m)
    assert "so heavy (q = 0.7" in found.diagnostics["fallback"]
    assert found.params.q > 1
    observed = (x * m).sum() / x.sum()
    assert gamma_gamma.population_mean(found.params) == pytest.approx(observed, rel=1e-9)
    assert json.loads(json.dumps(found.diagnostics, allow_nan=False)) == found.diagnostics


@pytest.mark.parametrize(
    ("x", "m"),
    [([2.0], [30.0]), ([2.0] * 50, [30.0] * 50), ([1.0, 4.0], [1e12, 2e12]), ([3.0, 1.0], [1e-9, 5.0])],
)
def test_too_little_to_learn_from_says_so_and_stays_finite(x: list[float], m: list[float]) -> None:
    found = fit(np.array(x), np.array(m))
    assert "do not identify" in found.diagnostics["fallback"]
    value = expected_order_value(found.params, np.array([0.0, 1, 2000]), np.array([0.0, max(m), max(m)]))
    assert np.isfinite(value).all()
    assert (value > 0).all()
    assert value[2] == pytest.approx(max(m), rel=0.05)
    assert json.loads(json.dumps(found.diagnostics, allow_nan=False)) == found.diagnostics


def test_customers_without_positive_spend_are_left_out_and_counted(cdnow_sample: Summary) -> None:
    s = cdnow_sample
    more = fit(np.append(s.frequency, [3.0, 1.0]), np.append(s.monetary_value, [0.0, 0.0]))
    assert more.params == fit(s.frequency, s.monetary_value).params
    assert more.diagnostics["left_out_without_positive_spend"] == 2


def test_nobody_with_a_repeat_is_refused() -> None:
    with pytest.raises(InputError, match="no customer has a repeat purchase with positive spend"):
        fit(np.zeros(5), np.zeros(5))


def test_log_likelihood_is_a_density() -> None:
    x = np.array([2.0])
    total = quad(lambda m: exp(log_likelihood(CDNOW, x, np.array([m]))[0]), 0, np.inf, limit=200)[0]
    assert total == pytest.approx(1.0, rel=1e-7)
