"""The BG/NBD's formulas against integrals over its definition, frozen lifetimes outputs and simulation."""

from itertools import product
from math import exp, gamma, log
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta as beta_law
from scipy.stats import gamma as gamma_law

from lifestage.clv import bg_nbd
from lifestage.clv.bg_nbd import BetaGeoParams
from lifestage.clv.compress import compress
from lifestage.clv.order_fit import fit
from lifestage.clv.summary import Summary

CDNOW = BetaGeoParams(0.243, 4.414, 0.793, 2.426)
OTHER = BetaGeoParams(1.7, 30.0, 2.5, 0.6)
HISTORIES = [(0, 0.0, 20.0), (1, 3.0, 20.0), (3, 19.0, 20.0), (9, 8.0, 39.0), (2, 2.0, 2.0)]


def columns(*rows: tuple[float, ...]) -> list[np.ndarray]:
    return [np.array(column, float) for column in zip(*rows, strict=True)]


class Definition:
    """Expectations over lambda and p, by Gauss quadrature of the model's definition for one customer.

    Given lambda and p, x orders up to T, the last at t_x: alive has density (1-p)^x lambda^x e^(-lambda T),
    gone after the last one p (1-p)^(x-1) lambda^x e^(-lambda t_x).
    """

    def __init__(self, params: BetaGeoParams, x: int, t_x: float, T: float) -> None:
        self.r, self.alpha, self.a, self.b = params
        self.x, self.t_x, self.T = x, t_x, T

    def over_lambda(self, function: Any, until: float) -> float:
        """Integral over lambda of function x lambda^x e^(-lambda until) x its Gamma density."""

        def integrand(u: float) -> float:  # lambda = u^(1/r) takes the pole at 0 away
            rate = u ** (1 / self.r)
            weight = self.alpha**self.r / gamma(self.r) / self.r * exp(-rate * (self.alpha + until))
            return weight * rate**self.x * function(rate)

        top = ((60 + 3 * self.x) / (self.alpha + until)) ** self.r
        return quad(integrand, 0, top, limit=400, epsabs=0, epsrel=1e-11)[0]

    def over_p(self, function: Any) -> float:
        """Integral over p of function x its Beta density."""
        scale = gamma(self.a + self.b) / gamma(self.a) / gamma(self.b)
        halves = []
        for power, other, value in (
            (self.a, self.b, function),
            (self.b, self.a, lambda q: function(1 - q)),
        ):

            def integrand(u: float, power: float = power, other: float = other, value: Any = value) -> float:
                p = u ** (1 / power)
                return (1 - p) ** (other - 1) / power * value(p)

            halves.append(quad(integrand, 0, 0.5**power, limit=200, epsabs=0, epsrel=1e-11)[0])
        return scale * sum(halves)

    def alive_and_gone(self) -> tuple[float, float]:
        x = self.x
        alive = self.over_p(lambda p: (1 - p) ** x) * self.over_lambda(lambda _: 1.0, self.T)
        if not x:
            return alive, 0.0
        gone = self.over_p(lambda p: p * (1 - p) ** (x - 1)) * self.over_lambda(lambda _: 1.0, self.t_x)
        return alive, gone

    def future(self, t: float) -> float:
        """E[orders in t; alive]: given lambda and p it is (1 - e^(-lambda p t)) / p."""

        def given_p(p: float) -> float:
            inner = self.over_lambda(
                lambda rate: -np.expm1(-rate * p * t) / p if p > 1e-12 else rate * t, self.T
            )
            return (1 - p) ** self.x * inner

        return self.over_p(given_p)


@pytest.mark.parametrize("params", [CDNOW, OTHER])
def test_likelihood_and_alive_equal_the_integral_over_the_definition(params: BetaGeoParams) -> None:
    x, t_x, T = columns(*HISTORIES)
    found = bg_nbd.log_likelihood(params, x, t_x, T)
    p_alive = bg_nbd.probability_alive(params, x, t_x, T)
    for i, (n, last, age) in enumerate(HISTORIES):
        alive, gone = Definition(params, n, last, age).alive_and_gone()
        assert found[i] == pytest.approx(log(alive + gone), rel=1e-9)
        assert p_alive[i] == pytest.approx(alive / (alive + gone), rel=1e-8)


@pytest.mark.parametrize("t", [1.0, 52.0])
@pytest.mark.parametrize("history", HISTORIES[:4])
def test_expected_purchases_equal_the_integral_over_the_definition(
    history: tuple[int, float, float], t: float
) -> None:
    x, t_x, T = columns(history)
    for params in (CDNOW, OTHER):
        law = Definition(params, *history)
        assert bg_nbd.expected_purchases(params, t, x, t_x, T)[0] == pytest.approx(
            law.future(t) / sum(law.alive_and_gone()), rel=1e-7
        )


def test_equals_the_frozen_outputs_of_lifetimes(lifetimes_says: dict[str, Any]) -> None:
    for grid in lifetimes_says["bg_nbd"]:
        params = BetaGeoParams(**grid["params"])
        x, t_x, T, t = (np.array(grid[name]) for name in ("x", "t_x", "T", "t"))
        alive = bg_nbd.probability_alive(params, x, t_x, T)
        np.testing.assert_allclose(alive, grid["probability_alive"], rtol=1e-11)
        orders = bg_nbd.expected_purchases(params, t, x, t_x, T)
        np.testing.assert_allclose(orders, grid["expected_purchases"], rtol=1e-8)


@pytest.mark.parametrize("a", [1 - 1e-9, 1.0, 1 + 1e-9])
def test_nothing_happens_at_a_equal_one(a: float) -> None:
    """Eq. (10) as printed divides by a - 1; the limit is smooth."""
    x, t_x, T = columns(*HISTORIES)
    at = bg_nbd.expected_purchases(BetaGeoParams(0.5, 8.0, a, 2.0), 30.0, x, t_x, T)
    beside = [
        bg_nbd.expected_purchases(BetaGeoParams(0.5, 8.0, a_, 2.0), 30.0, x, t_x, T) for a_ in (0.999, 1.001)
    ]
    np.testing.assert_allclose(at, (beside[0] + beside[1]) / 2, rtol=1e-5)


def test_two_thousand_orders_do_not_overflow() -> None:
    """So many orders fix the rate: about lambda t orders, less the few who leave."""
    x, t_x, T = columns((2000, 499.0, 500.0))
    assert bg_nbd.probability_alive(CDNOW, x, t_x, T)[0] == pytest.approx(1.0, abs=0.05)
    orders = bg_nbd.expected_purchases_given_alive(CDNOW, 1.0, x, T)[0]
    assert orders == pytest.approx(2000 / 500, rel=0.02)
    assert np.isfinite(bg_nbd.log_likelihood(CDNOW, x, t_x, T)).all()
    assert bg_nbd.next_order_quantile(CDNOW, 0.5, 365.0, x, T)[0] == pytest.approx(log(2) / 4, rel=0.02)
    long_gone = columns((2000, 100.0, 500.0))
    assert bg_nbd.probability_alive(CDNOW, *long_gone)[0] == 0.0


def test_probability_of_an_order_equals_the_integral_over_the_rate() -> None:
    r, alpha, _, _ = CDNOW
    x, t_x, T = columns(*HISTORIES)
    alive = bg_nbd.probability_alive(CDNOW, x, t_x, T)
    for t in (0.5, 20.0, 400.0):
        found = bg_nbd.probability_of_order(CDNOW, t, x, t_x, T)
        for i in range(len(x)):
            law = gamma_law(r + x[i], scale=1 / (alpha + T[i]))
            none = law.expect(lambda rate, t=t: exp(-rate * t), epsrel=1e-10)
            assert found[i] == pytest.approx(alive[i] * (1 - none), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_next_order_quantile_inverts_the_probability(share: float) -> None:
    x, _, T = columns(*HISTORIES)
    point = bg_nbd.next_order_quantile(CDNOW, share, 90.0, x, T)
    reached = [
        bg_nbd.probability_of_order_given_alive(CDNOW, float(t), x[i : i + 1], T[i : i + 1])[0]
        for i, t in enumerate(point)
    ]
    whole = bg_nbd.probability_of_order_given_alive(CDNOW, 90.0, x, T)
    np.testing.assert_allclose(reached, share * whole, rtol=1e-12)
    assert ((point > 0) & (point < 90)).all()


def test_the_likelihood_is_a_density() -> None:
    """P(no order) in closed form; P(one order), the integral over its time, against the definition's mean."""
    r, alpha, a, b = CDNOW
    none = exp(bg_nbd.log_likelihood(CDNOW, *columns((0, 0.0, 30.0)))[0])
    assert none == pytest.approx((alpha / (alpha + 30)) ** r, rel=1e-13)
    one = quad(lambda t: exp(bg_nbd.log_likelihood(CDNOW, *columns((1, t, 30.0)))[0]), 0, 30)[0]
    rate = gamma_law.rvs(r, scale=1 / alpha, size=400_000, random_state=1)
    p = beta_law.rvs(a, b, size=400_000, random_state=2)
    stayed, left = (1 - p) * rate * 30 * np.exp(-rate * 30), p * -np.expm1(-rate * 30)
    assert one == pytest.approx((stayed + left).mean(), rel=0.02)


@pytest.mark.parametrize("params", [CDNOW, OTHER, BetaGeoParams(5.0, 0.2, 0.01, 40.0)])
def test_objective_and_gradient(params: BetaGeoParams, cdnow_sample: Summary) -> None:
    s = cdnow_sample
    objective = bg_nbd.likelihood(compress(s.frequency, s.recency, s.T))
    z = np.log(np.array(params))
    value, gradient = objective(z)
    assert value == pytest.approx(bg_nbd.log_likelihood(params, s.frequency, s.recency, s.T).sum(), rel=1e-12)
    for k, step in product(range(4), [1e-5]):
        e = np.eye(4)[k] * step
        slope = (objective(z + e)[0] - objective(z - e)[0]) / (2 * step)
        assert gradient[k] == pytest.approx(slope, rel=1e-5, abs=1e-3)


def test_published_fit_of_cdnow(cdnow_sample: Summary, published: dict[str, Any]) -> None:
    s, paper = cdnow_sample, published["bg_nbd"]
    found = fit("bg_nbd", compress(s.frequency, s.recency, s.T))
    for name, value in found.params._asdict().items():
        assert value == pytest.approx(paper[name], abs=5e-4)
    assert found.log_likelihood == pytest.approx(paper["log_likelihood"], abs=0.05)
    assert found.fault is None
    assert found.diagnostics["converged"]


def test_same_optimum_and_errors_as_lifetimes_and_not_worse(
    cdnow_sample: Summary, lifetimes_says: dict[str, Any]
) -> None:
    s, theirs = cdnow_sample, lifetimes_says["fits"]["bg_nbd"]
    found = fit("bg_nbd", compress(s.frequency, s.recency, s.T))
    for name, value in theirs["params"].items():
        assert found.params._asdict()[name] == pytest.approx(value, rel=1e-4)
        assert found.standard_errors[name] == pytest.approx(theirs["standard_errors"][name], rel=1e-3)
    at_theirs = bg_nbd.log_likelihood(BetaGeoParams(**theirs["params"]), s.frequency, s.recency, s.T).sum()
    assert found.log_likelihood >= at_theirs - 1e-9  # rounding


def test_the_unit_of_time_does_not_matter(cdnow_sample: Summary) -> None:
    s = cdnow_sample
    weeks = fit("bg_nbd", compress(s.frequency, s.recency, s.T))
    days = fit("bg_nbd", compress(s.frequency, s.recency * 7, s.T * 7))
    assert days.params.alpha == pytest.approx(7 * weeks.params.alpha, rel=1e-8)
    assert days.params.b == pytest.approx(weeks.params.b, rel=1e-8)
    expected = weeks.log_likelihood - s.frequency.sum() * log(7)
    assert days.log_likelihood == pytest.approx(expected, rel=1e-12)


def simulate(params: BetaGeoParams, n: int, T: float, seed: int) -> Summary:
    """Histories by the definition, one customer at a time."""
    rng = np.random.default_rng(seed)
    rows = []
    for rate, p in zip(
        rng.gamma(params.r, 1 / params.alpha, n), rng.beta(params.a, params.b, n), strict=True
    ):
        x, last, now = 0, 0.0, rng.exponential(1 / rate) if rate > 0 else np.inf
        while now < T:
            x, last = x + 1, now
            now = np.inf if rng.random() < p else now + rng.exponential(1 / rate)
        rows.append((x, last, T))
    return Summary.of(*columns(*rows))


def test_recovers_the_parameters_of_a_simulated_shop() -> None:
    true = BetaGeoParams(0.8, 40.0, 0.9, 3.0)
    s = simulate(true, 12_000, 400.0, 7)
    found = fit("bg_nbd", compress(s.frequency, s.recency, s.T))
    assert found.fault is None
    for name, value in true._asdict().items():
        error = found.standard_errors[name]
        assert error is not None
        assert abs(found.params._asdict()[name] - value) < 3.5 * error
        assert error < 0.25 * value


@pytest.mark.parametrize("off", [0.0, 1e-13, 1e-10, -1e-8])
def test_parameters_that_differ_by_an_integer(off: float) -> None:
    """There scipy's hyp2f1 returns NaN or few digits for large x and long horizons."""
    x, T = columns((0, 1.0), (1, 0.0), (200, 0.0), (2000, 30.0))
    t = np.full(4, 3650.0)
    at = bg_nbd.order_rate_given_alive(BetaGeoParams(2.0, 3.4, 4.0 + off, 0.3), t, x, T)
    beside = bg_nbd.order_rate_given_alive(BetaGeoParams(2.0, 3.4, 4.0 + 1e-6, 0.3), t, x, T)
    np.testing.assert_allclose(at, beside, rtol=1e-5)
