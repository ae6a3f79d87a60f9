"""Spend that hangs on frequency: simulated shops with and without it, and slow sums of the definition."""

import json
from math import exp, lgamma, log

import numpy as np
import pytest
from scipy.stats import kstest

from lifestage.clv import gamma_gamma
from lifestage.clv.gamma_gamma import (
    GammaGammaParams,
    StratifiedParams,
    expected_order_value,
    log_likelihood,
    params_from_json,
    params_to_json,
    population_mean,
    scale_of,
)
from lifestage.clv.gamma_gamma_strata import fit, merged_strata, stratified_likelihood, with_steps_shrunk
from lifestage.clv.summary import Summary
from lifestage.errors import InputError

STRATIFIED = StratifiedParams(6.0, 3.5, 15.0, (1, 2, 4), (1.0, 1.5, 2.5))


def simulate(n: int, seed: int, step: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, m and each customer's true expected order value, whose scale grows by exp(step) as orders double."""
    rng = np.random.default_rng(seed)
    x = rng.negative_binomial(0.7, 0.15, n).astype(float)
    some = np.maximum(x, 1.0)
    nu = rng.gamma(3.5, 1.0, n) / (15.0 * np.exp(step * np.log2(some)))
    return x, np.where(x > 0, rng.gamma(6.0 * some) / (nu * some), 0.0), 6.0 / nu


def test_log_likelihood_and_order_value_by_hand() -> None:
    xs, ms = np.array([1.0, 2.0, 3.0, 4.0, 90.0]), np.array([10.0, 20.0, 30.0, 40.0, 50.0])
    scales = [15.0, 22.5, 22.5, 37.5, 37.5]
    np.testing.assert_allclose(scale_of(STRATIFIED, xs), scales, rtol=1e-15)
    p, q = 6.0, 3.5
    for x, m, v, found, value in zip(
        xs,
        ms,
        scales,
        log_likelihood(STRATIFIED, xs, ms),
        expected_order_value(STRATIFIED, xs, ms),
        strict=True,
    ):
        # FH eq. (1a) as it is printed
        printed = lgamma(p * x + q) - lgamma(p * x) - lgamma(q) + q * log(v) + (p * x - 1) * log(m)
        printed += p * x * log(x) - (p * x + q) * log(v + m * x)
        assert found == pytest.approx(printed, rel=1e-11)
        assert value == pytest.approx(p * (v + x * m) / (p * x + q - 1), rel=1e-14)


def test_one_purchase_is_valued_as_the_lowest_stratum() -> None:
    found = expected_order_value(STRATIFIED, np.zeros(1), np.zeros(1))[0]
    assert found == pytest.approx(6.0 * 15.0 / 2.5, rel=1e-15)
    assert population_mean(STRATIFIED) == pytest.approx(found, rel=1e-15)


def test_objective_and_gradient_of_likelihood_and_prior() -> None:
    x, m, _ = simulate(600, 1)
    x, m = x[x > 0], m[x > 0]
    w = np.random.default_rng(2).uniform(0.5, 3.0, len(x))
    stratum = np.searchsorted([2.0, 4.0], x, side="right")
    objective = stratified_likelihood(x, m, w, stratum)
    z = np.log([STRATIFIED.p, STRATIFIED.q, STRATIFIED.v, *STRATIFIED.factors[1:]])
    assert objective(z)[0] == pytest.approx((w * log_likelihood(STRATIFIED, x, m)).sum(), rel=1e-12)
    prior = with_steps_shrunk(objective, 0.5)(z)[0] - objective(z)[0]
    first, second = log(1.5), log(2.5 / 1.5)
    assert prior == pytest.approx(-0.5 * (first**2 + second**2) / 0.25, rel=1e-9)
    for of in (objective, with_steps_shrunk(objective, 0.05)):
        for k, e in enumerate(np.eye(5) * 1e-5):
            slope = (of(z + e)[0] - of(z - e)[0]) / 2e-5
            assert of(z)[1][k] == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize(
    ("customers", "expected"),
    [
        ([99, 98, 97, 96, 95], (1, 2, 4, 8, 16)),
        ([1389, 356, 56, 24, 16], (1, 2, 4)),
        ([1389, 356, 56, 44, 6], (1, 2, 4, 8)),
        ([20, 90, 60, 0, 0], (1, 4)),
        ([20, 90, 0, 0, 0], (1,)),
        ([0, 90, 60, 0, 0], (1, 4)),
        ([0, 0, 0, 0, 70], (1,)),
        ([10, 10, 10, 0, 0], (1,)),
    ],
)
def test_strata_are_merged_until_each_holds_fifty(customers: list[int], expected: tuple[int, ...]) -> None:
    x = np.repeat([1.0, 3.0, 4.0, 15.0, 2000.0], customers)
    assert merged_strata(x, np.ones(len(x))) == expected
    kept = np.array(customers) > 0
    weighted = np.array([1.0, 3.0, 4.0, 15.0, 2000.0])[kept], np.array(customers, float)[kept]
    assert merged_strata(*weighted) == expected


def test_independent_shops_are_rarely_refuted() -> None:
    found = [fit(*simulate(700, seed)[:2]) for seed in range(40)]
    p_values = np.array([f.diagnostics["independence"]["p_value"] for f in found])
    assert (p_values < 0.01).sum() <= 3  # of 40, by chance once in a thousand trials of a true one per cent
    assert kstest(p_values, "uniform").pvalue > 0.01
    for f, p_value in zip(found, p_values, strict=True):
        assert isinstance(f.params, StratifiedParams) == (p_value < 0.01)


@pytest.mark.parametrize("step", [0.2, 0.4, -0.3])
def test_dependence_is_found_and_its_bias_removed(step: float) -> None:
    x, m, truth = simulate(20_000, 4, step)
    found = fit(x, m)
    assert isinstance(found.params, StratifiedParams)
    assert "not independent of how often a customer orders" in found.diagnostics["fallback"]
    independence = found.diagnostics["independence"]
    assert independence["modelled"] and independence["p_value"] < 1e-6
    assert independence["degrees_of_freedom"] == 4
    assert found.log_likelihood > found.plain.log_likelihood
    off = {"plain": [], "stratified": []}
    for low, high in ((1, 1), (2, 3), (4, 7), (8, 15), (16, 1e9)):
        group = (x >= low) & (x <= high)
        for name, params in (("plain", found.plain.params), ("stratified", found.params)):
            foreseen = expected_order_value(params, x[group], m[group]).mean()
            off[name].append(abs(foreseen / truth[group].mean() - 1))
    assert max(off["plain"]) > 0.08
    assert max(off["stratified"]) < 0.075
    assert max(off["stratified"]) < 0.25 * max(off["plain"])
    # the factors are those of the simulation, at a typical frequency of each stratum
    typical = [np.log2(x[(x >= low) & (x <= high)]).mean() for low, high in ((2, 3), (4, 7), (8, 15))]
    assert found.params.factors[1:4] == pytest.approx([exp(step * t) for t in typical], rel=0.2)


def test_json_and_back() -> None:
    for params in (STRATIFIED, GammaGammaParams(6.0, 3.5, 15.0)):
        assert params_from_json(json.loads(json.dumps(params_to_json(params)))) == params
    found = fit(*simulate(3_000, 5, 0.4)[:2])
    assert json.loads(json.dumps(found.diagnostics, allow_nan=False)) == found.diagnostics
    assert set(found.standard_errors) == {"p", "q", "v", *(f"gamma_{s}" for s in found.params.strata[1:])}
    assert all(0 < error < 10 for error in found.standard_errors.values())
    with pytest.raises(InputError, match=r"keys \['p', 'q'\], expected p, q, v"):
        params_from_json({"p": 1.0, "q": 2.0})


def test_any_currency_and_weights_give_the_same_strata() -> None:
    x, m, _ = simulate(3_000, 6, 0.3)
    one, many = fit(x, m), fit(x, m * 1e12)
    assert many.params.factors == pytest.approx(one.params.factors, rel=1e-5)
    assert many.params.v == pytest.approx(one.params.v * 1e12, rel=1e-5)
    twice = fit(x, m, np.full(len(x), 2.0))
    statistic = one.diagnostics["independence"]["statistic"]
    assert twice.diagnostics["independence"]["statistic"] == pytest.approx(2 * statistic, rel=1e-5)


def test_a_giant_shop_does_not_switch_for_a_difference_of_no_account() -> None:
    x, m, _ = simulate(60_000, 7, 0.005)
    found = fit(x, m, np.full(len(x), 200.0))
    independence = found.diagnostics["independence"]
    assert independence["p_value"] < 1e-9 and independence["bic_gain"] > 0
    assert 1 < max(independence["factors"]) < 1.05
    assert found.params == found.plain.params and not independence["modelled"]
    assert independence["why"] == "no factor differs from 1 by 5 %"


def test_untested_where_there_is_nothing_to_test() -> None:
    x, m, _ = simulate(3_000, 8)
    few = fit(x[x < 2], m[x < 2]).diagnostics["independence"]
    assert few == {
        "tested": False,
        "why": "fewer than two strata of frequency hold 50 customers",
        "modelled": False,
    }


def test_dependence_that_drives_the_plain_model_to_a_bound_is_still_found() -> None:
    x, m, truth = simulate(20_000, 4, -0.3)
    found = fit(x, m)
    assert "p ran to a bound" in found.plain.diagnostics["fallback"]
    assert isinstance(found.params, StratifiedParams)
    assert found.params.p == pytest.approx(6.0, rel=0.15)
    assert found.standard_errors["p"] == pytest.approx(0.3, rel=0.5)
    off = np.abs(expected_order_value(found.params, x, m) - truth)[x > 0].mean()
    assert off < np.abs(expected_order_value(found.plain.params, x, m) - truth)[x > 0].mean()


def test_a_tail_without_a_mean_keeps_the_plain_model() -> None:
    x, m, _ = simulate(3_000, 9, 0.4)
    found = fit(x, m**5)
    assert "so heavy" in found.diagnostics["fallback"]
    assert found.diagnostics["independence"]["why"] == "the stratified model is not identified"
    assert found.params == found.plain.params


def test_cdnow_keeps_its_published_parameters_beside_the_test(cdnow_sample: Summary) -> None:
    found = fit(cdnow_sample.frequency, cdnow_sample.monetary_value)
    plain = gamma_gamma.fit(cdnow_sample.frequency, cdnow_sample.monetary_value)
    assert found.plain.params == plain.params
    independence = found.diagnostics["independence"]
    assert independence["tested"]
    assert (
        found.diagnostics["correlation_frequency_spend"] == plain.diagnostics["correlation_frequency_spend"]
    )
