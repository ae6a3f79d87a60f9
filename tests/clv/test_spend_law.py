"""The law of future spend against an integral over its definition, scipy's beta-prime and simulated customers."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import betaprime, kstest, nbinom, poisson
from scipy.stats import gamma as gamma_law

from lifestage.clv.gamma_gamma import GammaGammaParams, StratifiedParams, expected_order_value
from lifestage.clv.spend_law import (
    randomised_pit,
    spend_cdf,
    spend_quantile,
    spend_unit,
    unit_cdf,
    unit_quantile,
    unit_shape,
)
from lifestage.errors import InputError

CDNOW = GammaGammaParams(6.25, 3.74, 15.44)


def crowd(n: int, N: int, mean: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """counts, x, m of n customers: dead with some chance, else a negative binomial number of orders."""
    rng = np.random.default_rng(seed)
    x = np.floor(rng.exponential(4.0, n))
    m = np.where(x > 0, rng.gamma(4.0, 10.0, n), 0.0)
    alive, r = np.minimum(rng.uniform(0.2, 1.5, n), 1.0), x + 0.5
    counts = alive * nbinom.pmf(np.arange(N + 1)[:, None], r, r / (r + mean * rng.uniform(0.3, 2.0, n)))
    counts[0] += 1.0 - alive
    return counts / counts.sum(axis=0), x, m


def mixture(params: GammaGammaParams, chances: np.ndarray, x: float, m: float, s: float) -> float:
    """P(spend <= s) of one customer, by scipy.stats."""
    k = np.arange(1, len(chances))
    law = betaprime.cdf(s, params.p * k, params.q + params.p * x, scale=params.v + x * m)
    return float(chances[0] + (chances[1:] * law).sum())


@pytest.mark.parametrize(
    ("x", "m", "s"), [(0.0, 0.0, 30.0), (1.0, 20.0, 5.0), (3.0, 40.0, 90.0), (60.0, 33.0, 200.0)]
)
def test_cdf_is_the_integral_over_what_a_customer_spends_an_order(x: float, m: float, s: float) -> None:
    chances = np.array([0.4, 0.3, 0.2, 0.07, 0.03])
    p, q, v = CDNOW
    nu = gamma_law(q + p * x, scale=1 / (v + x * m))

    def integrand(rate: float) -> float:
        orders = sum(chances[k] * gamma_law.cdf(s, p * k, scale=1 / rate) for k in range(1, 5))
        return float(orders * nu.pdf(rate))

    oracle = 0.4 + quad(integrand, 0, nu.isf(1e-15), epsabs=0, epsrel=1e-11, limit=300)[0]
    found = spend_cdf(CDNOW, chances[:, None], np.array([x]), np.array([m]), np.array([s]))
    assert found[0] == pytest.approx(oracle, rel=1e-9)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9, 0.99, 0.9999])
@pytest.mark.parametrize(
    "params", [CDNOW, GammaGammaParams(0.4, 1.2, 3.0), GammaGammaParams(300.0, 2.0, 1e10)]
)
def test_quantiles_are_the_roots_of_scipys_beta_prime(params: GammaGammaParams, share: float) -> None:
    counts, x, m = crowd(12, 20, 4.0, 1)
    found = spend_quantile(params, counts, x, m, share)
    assert (found > 0).any() == (counts[0] < share).any()
    for i in range(len(x)):
        if counts[0, i] >= share:
            assert found[i] == 0.0
            continue

        def off(t: float, i: int = i) -> float:
            return mixture(params, counts[:, i], x[i], m[i], np.exp(t)) - share

        root = np.exp(brentq(off, -60.0, 80.0, xtol=1e-13, rtol=1e-14))
        assert found[i] == pytest.approx(root, rel=1e-6)


def test_quantiles_of_customers_simulated_order_by_order() -> None:
    rng = np.random.default_rng(11)
    chances = np.array([0.35, 0.25, 0.2, 0.12, 0.08])
    for x, m in [(0.0, 0.0), (1.0, 80.0), (8.0, 25.0)]:
        n = 100_000
        orders = rng.choice(5, n, p=chances)
        nu = rng.gamma(CDNOW.q + CDNOW.p * x, 1.0, n) / (CDNOW.v + x * m)
        total = np.zeros(n)
        for k in range(1, 5):
            total += np.where(orders >= k, rng.gamma(CDNOW.p, 1.0, n) / nu, 0.0)
        for share in (0.5, 0.9, 0.99):
            found = spend_quantile(CDNOW, chances[:, None], np.array([x]), np.array([m]), share)[0]
            assert (total <= found).mean() == pytest.approx(share, abs=0.005)
        mean = (chances * np.arange(5)).sum() * expected_order_value(CDNOW, np.array([x]), np.array([m]))[0]
        assert total.mean() == pytest.approx(mean, rel=0.02)


def test_pit_of_simulated_customers_is_uniform_and_its_central_80_percent_holds_80() -> None:
    rng, n = np.random.default_rng(5), 20_000
    x = rng.negative_binomial(0.6, 0.2, n).astype(float)
    nu = rng.gamma(CDNOW.q, 1 / CDNOW.v, n)
    m = np.where(x > 0, rng.gamma(CDNOW.p * np.maximum(x, 1.0)) / (nu * np.maximum(x, 1.0)), 0.0)
    mean = 0.3 * (x + 0.5)
    counts = poisson.pmf(np.arange(61)[:, None], mean)
    orders = rng.poisson(mean)
    actual = np.where(orders > 0, rng.gamma(CDNOW.p * np.maximum(orders, 1)) / nu, 0.0)
    pit = randomised_pit(CDNOW, counts, x, m, actual, rng.random(n))
    assert ((pit >= 0.1) & (pit <= 0.9)).mean() == pytest.approx(0.8, abs=0.02)
    assert kstest(pit, "uniform").pvalue > 0.01
    inside = actual <= spend_quantile(CDNOW, counts, x, m, 0.9)
    inside &= actual >= spend_quantile(CDNOW, counts, x, m, 0.1)
    assert inside.mean() > 0.8 + 0.02  # the plain interval holds more, for its atom at zero


def test_pit_of_nobody_spending_is_uniform_below_the_chance_of_no_order() -> None:
    counts = np.array([[0.6, 1.0], [0.4, 0.0]])
    u, x, m = np.array([0.25, 0.5]), np.zeros(2), np.zeros(2)
    np.testing.assert_allclose(randomised_pit(CDNOW, counts, x, m, np.zeros(2), u), [0.15, 0.5], rtol=1e-15)
    refunded = randomised_pit(CDNOW, counts, x, m, np.array([-5.0, 0.0]), u)
    np.testing.assert_array_equal(refunded, randomised_pit(CDNOW, counts, x, m, np.zeros(2), u))


def test_the_atom_at_zero_and_the_ends() -> None:
    counts = np.array([[0.6, 1.0, 0.0], [0.3, 0.0, 0.5], [0.1, 0.0, 0.5]])
    x, m = np.zeros(3), np.zeros(3)
    for s, expected in ((-1.0, [0, 0, 0]), (0.0, [0.6, 1, 0]), (np.inf, [1, 1, 1])):
        np.testing.assert_allclose(spend_cdf(CDNOW, counts, x, m, np.full(3, s)), expected, rtol=1e-14)
    np.testing.assert_array_equal(spend_quantile(CDNOW, counts, x, m, 0.6)[:2], [0.0, 0.0])
    assert 0 < spend_quantile(CDNOW, counts, x, m, 0.6000001)[0] < 3.0
    assert (
        np.diff([spend_quantile(CDNOW, counts, x, m, s)[2] for s in (0.01, 0.1, 0.5, 0.9, 0.99)]) > 0
    ).all()


def test_chances_are_scaled_to_one() -> None:
    counts, x, m = crowd(6, 8, 1.0, 2)
    whole = spend_quantile(CDNOW, counts, x, m, 0.9)
    np.testing.assert_allclose(spend_quantile(CDNOW, counts * 0.99, x, m, 0.9), whole, rtol=1e-12)


def test_a_customer_has_the_same_bits_alone_and_in_a_crowd() -> None:
    counts, x, m = crowd(9_000, 20, 2.0, 3)
    many = spend_quantile(CDNOW, counts, x, m, 0.9)
    law = spend_cdf(CDNOW, counts, x, m, many)
    assert np.abs(law[many > 0] - 0.9).max() < 1e-9
    for i in (0, 17, 3_300, 8_999):
        one = slice(i, i + 1)
        assert spend_quantile(CDNOW, counts[:, one], x[one], m[one], 0.9)[0] == many[i]
        assert spend_cdf(CDNOW, counts[:, one], x[one], m[one], many[one])[0] == law[i]


def test_histories_shared_by_many_are_solved_once() -> None:
    counts, x, _ = crowd(5, 10, 2.0, 4)
    m = np.where(x > 0, 31.0, 0.0)
    units = unit_quantile(CDNOW.p, unit_shape(CDNOW, x), counts, 0.8)
    found = units * spend_unit(CDNOW, x, m)
    np.testing.assert_array_equal(found, spend_quantile(CDNOW, counts, x, m, 0.8))
    assert unit_cdf(CDNOW.p, unit_shape(CDNOW, x), counts, units) == pytest.approx(
        np.maximum(0.8, counts[0]), rel=1e-9
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "params",
    [
        CDNOW,
        GammaGammaParams(1e5, 1e5, 0.1),  # every order alike: the law is a staircase
        GammaGammaParams(0.3, 1.05, 1e12),  # no mean to speak of, amounts of 1e12
        GammaGammaParams(1e-2, 50.0, 5e3),
    ],
)
@pytest.mark.parametrize(
    ("mean", "N", "x", "m"), [(1.0, 20, 0.0, 0.0), (300.0, 480, 2000.0, 1e12), (0.01, 4, 1.0, 1.0)]
)
def test_far_from_the_ordinary(params: GammaGammaParams, mean: float, N: int, x: float, m: float) -> None:
    counts = np.repeat(poisson.pmf(np.arange(N + 1), mean)[:, None], 3, axis=1) * [1.0, 0.7, 0.3]
    counts[0] += 1.0 - counts.sum(axis=0)
    xs, ms = np.full(3, x), np.full(3, m)
    nearly_one = spend_quantile(params, counts, xs, ms, 1.0 - 1e-16)
    for share in (0.1, 0.5, 0.9, 0.9999):
        found = spend_quantile(params, counts, xs, ms, share)
        assert (found <= nearly_one).all()
        assert np.isfinite(found).all()
        some = found > 0
        np.testing.assert_array_equal(some, counts[0] < share)
        below = spend_cdf(params, counts, xs, ms, found * (1 - 1e-6))
        above = spend_cdf(params, counts, xs, ms, found * (1 + 1e-6))
        assert ((below <= share + 1e-12) & (above >= share - 1e-12))[some & (found > 1e-200)].all()


def test_a_stratum_has_its_own_scale() -> None:
    counts, x, m = crowd(50, 10, 2.0, 6)
    params = StratifiedParams(*CDNOW, strata=(1, 4), factors=(1.0, 1.7))
    found = spend_quantile(params, counts, x, m, 0.9)
    high = x >= 4
    lifted = GammaGammaParams(CDNOW.p, CDNOW.q, CDNOW.v * 1.7)
    np.testing.assert_array_equal(found[~high], spend_quantile(CDNOW, counts, x, m, 0.9)[~high])
    np.testing.assert_allclose(found[high], spend_quantile(lifted, counts, x, m, 0.9)[high], rtol=1e-15)
    assert high.any() and not high.all()


def test_nobody_and_nobody_who_orders() -> None:
    assert len(spend_quantile(CDNOW, np.empty((4, 0)), np.empty(0), np.empty(0), 0.5)) == 0
    counts = np.array([[1.0, 1.0], [0.0, 0.0]])
    np.testing.assert_array_equal(spend_quantile(CDNOW, counts, np.zeros(2), np.zeros(2), 0.99), [0.0, 0.0])


def test_impossible_input_is_named() -> None:
    counts, x, m = crowd(3, 4, 1.0, 7)
    with pytest.raises(InputError, match=r"share is 1\.5, expected a number above 0 and below 1"):
        spend_quantile(CDNOW, counts, x, m, 1.5)
    with pytest.raises(InputError, match=r"counts has shape \(5, 3\), expected \(N \+ 1, 2\)"):
        spend_quantile(CDNOW, counts, x[:2], m[:2], 0.5)
    for bad in (-counts, counts * np.nan):
        with pytest.raises(InputError, match="counts holds a number below 0 or not finite"):
            spend_cdf(CDNOW, bad, x, m, m)
    with pytest.raises(InputError, match="counts sums to 0"):
        spend_cdf(CDNOW, counts * 0.0, x, m, m)
