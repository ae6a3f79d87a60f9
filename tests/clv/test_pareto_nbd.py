"""The Pareto/NBD's formulas against sums over the individual-level model, lifetimes and published values.

`Crowd` knows only the definition: one customer with a given order rate and rate of leaving, averaged over a
fine grid of both (the trapezoidal rule in their logarithms, which converges faster than any power).
"""

from collections.abc import Callable
from math import exp, lgamma, log
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import dblquad
from scipy.special import gammainc, hyperu
from scipy.stats import gamma as gamma_law

from lifestage.clv import pareto_nbd as model
from lifestage.clv.compress import compress
from lifestage.clv.order_fit import fit
from lifestage.clv.pareto_nbd import NAMES, ParetoParams
from lifestage.clv.summary import Summary

CDNOW = ParetoParams(0.553, 10.578, 0.606, 11.669)
OTHER = ParetoParams(1.7, 30.0, 2.5, 4.0)
NEAR_ONE = ParetoParams(0.8, 5.0, 1.0 + 1e-9, 300.0)
SETS = [CDNOW, OTHER, NEAR_ONE]
HISTORIES = [
    (0, 0.0, 0.0),
    (0, 0.0, 39.0),
    (1, 3.0, 39.0),
    (2, 39.0, 39.0),
    (6, 20.0, 26.0),
    (25, 31.0, 35.0),
]


def columns(*rows: tuple[float, float, float]) -> tuple[np.ndarray, ...]:
    return tuple(np.array(c, float) for c in zip(*rows, strict=True))


class Crowd:
    """Posterior weights of (order rate, rate of leaving) after one history, alive or not, on a grid."""

    def __init__(self, params: ParetoParams, history: tuple[float, float, float]) -> None:
        x, t_x, T = history
        u = np.linspace(-56.0, 8.0, 560)[:, None]
        w = np.linspace(-56.0, 8.0, 561)[None, :]
        self.rate, self.leave = np.exp(u), np.exp(w)
        prior = gamma_law.pdf(self.rate, params.r, scale=1 / params.alpha) * self.rate * (u[1] - u[0])
        prior = prior * gamma_law.pdf(self.leave, params.s, scale=1 / params.beta)
        prior = prior * self.leave * (w[0, 1] - w[0, 0])
        both = self.rate + self.leave
        orders = np.exp(x * u) * prior
        self.alive = orders * np.exp(-both * T)
        self.gone = orders * self.leave / both * np.exp(-both * t_x) * -np.expm1(-both * (T - t_x))

    def likelihood(self) -> float:
        return float(self.alive.sum() + self.gone.sum())

    def probability_alive(self) -> float:
        return float(self.alive.sum()) / self.likelihood()

    def mean_if_alive(self, of: np.ndarray) -> float:
        return float((self.alive * of).sum() / self.alive.sum())


@pytest.mark.parametrize("params", SETS)
@pytest.mark.parametrize("history", HISTORIES)
def test_every_formula_equals_the_mean_over_individuals(
    params: ParetoParams, history: tuple[float, float, float]
) -> None:
    crowd = Crowd(params, history)
    x, t_x, T = columns(history)
    rate, leave, both = crowd.rate, crowd.leave, crowd.rate + crowd.leave
    assert model.log_likelihood(params, x, t_x, T)[0] == pytest.approx(log(crowd.likelihood()), rel=1e-10)
    alive = model.probability_alive(params, x, t_x, T)[0]
    assert alive == pytest.approx(crowd.probability_alive(), rel=1e-10)
    for t in (0.5, 13.0, 400.0):
        stays = np.exp(-leave * t)
        orders = crowd.mean_if_alive(rate / leave * -np.expm1(-leave * t))
        some = crowd.mean_if_alive(rate / both * -np.expm1(-both * t))
        close = pytest.approx
        assert model.alive_later_given_alive(params, t, x, T)[0] == close(
            crowd.mean_if_alive(stays), rel=1e-10
        )
        assert model.order_rate_given_alive(params, t, x, T)[0] == close(
            crowd.mean_if_alive(rate * stays), rel=1e-10
        )
        assert model.expected_purchases_given_alive(params, t, x, T)[0] == close(orders, rel=1e-9)
        assert model.expected_purchases(params, t, x, t_x, T)[0] == close(alive * orders, rel=1e-9)
        assert model.probability_of_order_given_alive(params, t, x, T)[0] == close(some, rel=1e-10)
        assert model.probability_of_order(params, t, x, t_x, T)[0] == close(alive * some, rel=1e-10)
        counts = model.order_counts_given_alive(params, t, x, T, 12)
        for n in (0, 1, 2, 12):
            # n orders and still there, or n orders and gone after the last of them: given the rates, both are
            # pieces of the race between the next order and leaving
            stayed = np.exp(n * np.log(rate * t) - lgamma(n + 1) - both * t)
            left = leave / both * (rate / both) ** n * gammainc(n + 1, both * t)
            assert counts[n, 0] == close(crowd.mean_if_alive(stayed + left), rel=1e-9, abs=1e-13)
    for discount in (0.5, 0.002):
        ever = crowd.mean_if_alive(rate / (leave + discount))
        found = model.discounted_orders_for_ever(params, discount, x, T)[0]
        assert found == pytest.approx(ever, rel=1e-10)


@pytest.mark.parametrize("history", [(0, 0.0, 9.0), (3, 5.0, 9.0)])
def test_the_likelihood_equals_adaptive_quadrature_over_the_rates(
    history: tuple[float, float, float],
) -> None:
    x, t_x, T = history
    p = ParetoParams(1.7, 3.0, 2.5, 12.0)

    def density(leave: float, rate: float) -> float:
        both = rate + leave
        one = rate**x * exp(-both * T) + rate**x * leave / both * (exp(-both * t_x) - exp(-both * T))
        logs = (p.r - 1) * log(rate) - p.alpha * rate + (p.s - 1) * log(leave) - p.beta * leave
        return float(one * exp(logs))

    scale = p.r * log(p.alpha) - lgamma(p.r) + p.s * log(p.beta) - lgamma(p.s)
    whole, _ = dblquad(density, 0, 8, 0, 4, epsabs=0, epsrel=1e-7)
    assert model.log_likelihood(p, *columns(history))[0] == pytest.approx(log(whole) + scale, rel=1e-7)


@pytest.mark.parametrize("t", [1.0, 52.0])
@pytest.mark.parametrize("which", [0, 1])
def test_predictions_equal_those_of_lifetimes(
    t: float, which: int, lifetimes_says_of_pareto: dict[str, Any]
) -> None:
    theirs = lifetimes_says_of_pareto["predictions"][which]
    params = ParetoParams(**theirs["params"])
    x, t_x, T, ahead = (np.array(theirs[k]) for k in ("x", "t_x", "T", "t"))
    found = model.log_likelihood(params, x, t_x, T)
    np.testing.assert_allclose(found, theirs["log_likelihood"], rtol=1e-9)
    alive = model.probability_alive(params, x, t_x, T)
    np.testing.assert_allclose(alive, theirs["probability_alive"], rtol=1e-8)
    orders = model.expected_purchases(params, ahead, x, t_x, T)
    np.testing.assert_allclose(orders, theirs["expected_purchases"], rtol=1e-8)
    at_t = ahead == t
    law = alive * model.order_counts_given_alive(params, ahead, x, T, 3)
    law[0] += 1 - alive
    np.testing.assert_allclose(
        law[:, at_t], np.array(theirs["probability_of_n"])[:, at_t], rtol=1e-6, atol=1e-10
    )


@pytest.mark.parametrize("s", [0.3, 0.606, 1.4, 6.5])
@pytest.mark.parametrize("discount", [1e-4, 0.0029, 0.3])
def test_discounted_orders_equal_the_published_form_with_tricomis_psi(s: float, discount: float) -> None:
    """FHL eq. (2): alpha^r beta^s delta^(s-1) Gamma(r+x+1) Psi(s, s; delta (beta+T)) / (Gamma(r) (alpha+T)^(r+x+1) L)."""
    r, alpha, beta = 0.553, 10.578, 11.669
    x, t_x, T = 4.0, 30.0, 38.9
    params = ParetoParams(r, alpha, s, beta)
    logs = r * log(alpha) + s * log(beta) + (s - 1) * log(discount) + lgamma(r + x + 1) - lgamma(r)
    logs -= (r + x + 1) * log(alpha + T)
    known = model.log_likelihood(params, *columns((x, t_x, T)))[0]
    published = exp(logs - known) * float(hyperu(s, s, discount * (beta + T)))
    alive = model.probability_alive(params, *columns((x, t_x, T)))[0]
    ours = model.discounted_orders_for_ever(params, discount, np.array([x]), np.array([T]))[0]
    # for s = 1.4 scipy's Psi has seven digits at the highest rate, and ten elsewhere
    assert alive * ours == pytest.approx(published, rel=1e-9 if (s, discount) != (1.4, 0.3) else 1e-6)


def test_discounted_orders_approach_the_undiscounted_total_and_never_overflow() -> None:
    x, T = np.array([0.0, 3.0, 2000.0]), np.array([0.0, 40.0, 500.0])
    r, alpha, s, beta = OTHER
    ever = (r + x) / (alpha + T) * (beta + T) / (s - 1)
    np.testing.assert_allclose(model.discounted_orders_for_ever(OTHER, 1e-13, x, T), ever, rtol=1e-9)
    for params in (CDNOW, ParetoParams(1e-3, 1e3, 1e-3, 1e-2), ParetoParams(50.0, 1.0, 64.0, 7722.0)):
        for discount in (1e-12, 1e-3, 10.0, 1e6):
            found = model.discounted_orders_for_ever(params, discount, x, T)
            assert (np.isfinite(found) & (found > 0)).all()


@pytest.mark.parametrize(
    "params", [*SETS, ParetoParams(5.0, 0.2, 0.05, 40.0), ParetoParams(0.02, 700.0, 8.0, 1.0)]
)
def test_objective_and_gradient(params: ParetoParams, cdnow_sample: Summary) -> None:
    s = cdnow_sample
    objective = model.likelihood(compress(s.frequency, s.recency, s.T))
    z = np.log(np.array(params))
    value, gradient = objective(z)
    assert value == pytest.approx(model.log_likelihood(params, s.frequency, s.recency, s.T).sum(), rel=1e-12)
    for k in range(4):
        e = np.eye(4)[k] * 1e-5
        slope = (objective(z + e)[0] - objective(z - e)[0]) / 2e-5
        assert gradient[k] == pytest.approx(slope, rel=1e-6, abs=1e-4)


def test_published_fit_of_cdnow(cdnow_sample: Summary, published: dict[str, Any]) -> None:
    s, paper = cdnow_sample, published["pareto_nbd"]
    found = fit("pareto_nbd", compress(s.frequency, s.recency, s.T))
    params, log_likelihood = found.params, found.log_likelihood
    assert params.r == pytest.approx(paper["r"], abs=5e-4)
    assert params.alpha == pytest.approx(paper["alpha"], abs=5e-4)
    assert params.s == pytest.approx(paper["s"], abs=5e-4)
    assert params.beta == pytest.approx(
        paper["beta"], abs=2e-3
    )  # the paper's optimiser stopped a little early
    assert log_likelihood == pytest.approx(paper["log_likelihood"], abs=0.05)
    assert found.fault is None and found.diagnostics["starts_agreeing"] == 3


def test_same_optimum_as_lifetimes_and_not_worse(
    cdnow_sample: Summary, lifetimes_says_of_pareto: dict[str, Any]
) -> None:
    s, theirs = cdnow_sample, lifetimes_says_of_pareto["fit"]
    found = fit("pareto_nbd", compress(s.frequency, s.recency, s.T))
    params, log_likelihood = found.params, found.log_likelihood
    for name, value in theirs["params"].items():
        assert params._asdict()[name] == pytest.approx(value, rel=1e-5)
    at_theirs = model.log_likelihood(ParetoParams(**theirs["params"]), s.frequency, s.recency, s.T).sum()
    assert log_likelihood >= at_theirs - 1e-9  # rounding


def test_the_unit_of_time_does_not_matter(cdnow_sample: Summary) -> None:
    s = cdnow_sample
    weeks = fit("pareto_nbd", compress(s.frequency, s.recency, s.T))
    days = fit("pareto_nbd", compress(s.frequency, s.recency * 7, s.T * 7))
    np.testing.assert_allclose(days.params, np.array(weeks.params) * [1, 7, 1, 7], rtol=1e-7)
    assert days.log_likelihood == pytest.approx(weeks.log_likelihood - s.frequency.sum() * log(7), rel=1e-12)


def simulate(params: ParetoParams, n: int, T: float, seed: int) -> Summary:
    """Histories by the definition, one customer at a time."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        rate, leave = rng.gamma(params.r, 1 / params.alpha), rng.gamma(params.s, 1 / params.beta)
        until = min(T, rng.exponential(1 / leave))
        x, last, now = 0, 0.0, rng.exponential(1 / rate)
        while now < until:
            x, last = x + 1, now
            now += rng.exponential(1 / rate)
        rows.append((x, last, T))
    return Summary.of(*columns(*rows))


def test_recovers_the_parameters_of_a_simulated_shop() -> None:
    true = ParetoParams(0.9, 20.0, 1.2, 300.0)
    s = simulate(true, 8_000, 500.0, 3)
    found = fit("pareto_nbd", compress(s.frequency, s.recency, s.T))
    assert found.fault is None
    error = np.sqrt(np.diag(found.covariance))
    assert (np.abs(np.log(np.array(found.params) / np.array(true))) < 3.5 * error).all()
    assert (error < 0.25).all()


def test_two_thousand_orders_do_not_overflow() -> None:
    """So many orders fix the rate: about 4 a day, less the few who leave."""
    x, t_x, T = columns((2000, 499.9, 500.0))
    assert model.probability_alive(CDNOW, x, t_x, T)[0] == pytest.approx(1.0, abs=0.01)
    assert model.expected_purchases_given_alive(CDNOW, 1.0, x, T)[0] == pytest.approx(4.0, rel=0.03)
    assert model.next_order_quantile(CDNOW, 0.5, 365.0, x, T)[0] == pytest.approx(log(2) / 4, rel=0.03)
    law = model.order_counts_given_alive(CDNOW, 365.0, x, T, 2_200)[:, 0]
    assert law.sum() == pytest.approx(1.0, abs=1e-6)
    mean = model.expected_purchases_given_alive(CDNOW, 365.0, x, T)[0]
    assert (np.arange(2_201) * law).sum() == pytest.approx(mean, rel=1e-6)
    gone = columns((2000, 100.0, 500.0))
    assert model.probability_alive(CDNOW, *gone)[0] == 0.0
    assert np.isfinite(model.log_likelihood(CDNOW, *gone)).all()
    objective = model.likelihood(compress(*gone))
    assert np.isfinite(objective(np.log(np.array(CDNOW)))[1]).all()


def test_one_time_buyers_may_have_left() -> None:
    """Unlike under the BG/NBD, which gives them P(alive) = 1."""
    T = np.array([1.0, 50.0, 500.0])
    alive = model.probability_alive(CDNOW, np.zeros(3), np.zeros(3), T)
    assert (np.diff(alive) < 0).all() and alive[-1] < 0.4
    assert model.probability_alive(CDNOW, *columns((5, 60.0, 60.0)))[0] == 1.0


FUNCTIONS: list[Callable[..., np.ndarray]] = [
    lambda x, t_x, T: model.log_likelihood(CDNOW, x, t_x, T),
    lambda x, t_x, T: model.probability_alive(CDNOW, x, t_x, T),
    lambda x, t_x, T: model.expected_purchases(CDNOW, 90.0, x, t_x, T),
    lambda x, t_x, T: model.probability_of_order(CDNOW, 90.0, x, t_x, T),
    lambda x, _, T: model.alive_later_given_alive(CDNOW, 90.0, x, T),
    lambda x, _, T: model.next_order_quantile(CDNOW, 0.9, 90.0, x, T),
    lambda x, _, T: model.order_counts_given_alive(CDNOW, 90.0, x, T, 5).T,
    lambda x, _, T: model.discounted_orders_for_ever(CDNOW, 0.001, x, T),
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_customer_does_not_depend_on_the_others(
    function: Callable[..., np.ndarray], crowd: Summary
) -> None:
    has = crowd.has_purchase
    x, t_x, T = crowd.frequency[has], crowd.recency[has], crowd.T[has]
    together = function(x, t_x, T)
    for k in range(0, len(x), 97):
        alone = function(x[k : k + 1], t_x[k : k + 1], T[k : k + 1])
        np.testing.assert_array_equal(alone[0], together[k])


def test_a_horizon_of_each_customers_own() -> None:
    x, _, T = columns(*HISTORIES)
    t = np.linspace(1.0, 300.0, len(x))
    both = [
        (model.expected_purchases_given_alive, ()),
        (model.probability_of_order_given_alive, ()),
        (model.alive_later_given_alive, ()),
        (model.order_counts_given_alive, (4,)),
    ]
    for function, more in both:
        at_once = function(CDNOW, t, x, T, *more)
        for k in range(len(x)):
            np.testing.assert_array_equal(
                at_once[..., k], function(CDNOW, float(t[k]), x[k : k + 1], T[k : k + 1], *more)[..., 0]
            )


positive = st.floats(-4.0, 4.0).map(exp)
shops = st.builds(ParetoParams, positive, positive, positive, positive)


@st.composite
def histories(draw: st.DrawFn) -> tuple[float, float, float]:
    x = draw(st.one_of(st.just(0), st.integers(1, 30), st.just(2000)))
    T = draw(st.floats(0.0, 800.0)) if x == 0 else draw(st.floats(1.0, 800.0))
    return float(x), 0.0 if x == 0 else T * draw(st.floats(0.01, 1.0)), T


@settings(max_examples=120, deadline=None)
@given(params=shops, history=histories(), t=st.floats(0.01, 900.0))
def test_probabilities_and_the_next_orders_time(
    params: ParetoParams, history: tuple[float, float, float], t: float
) -> None:
    x, t_x, T = columns(history)
    alive = model.probability_alive(params, x, t_x, T)[0]
    some = model.probability_of_order_given_alive(params, t, x, T)[0]
    later = model.alive_later_given_alive(params, t, x, T)[0]
    assert 0 <= alive <= 1 and 0 <= some <= 1 and 0 <= later <= 1
    assert some <= model.expected_purchases_given_alive(params, t, x, T)[0] * (1 + 1e-11)
    assert np.isfinite(model.log_likelihood(params, x, t_x, T)[0])
    law = model.order_counts_given_alive(params, t, x, T, 6)[:, 0]
    assert ((law >= 0) & (law <= 1 + 1e-12)).all() and law.sum() <= 1 + 1e-9
    assert law[0] == pytest.approx(1 - some, abs=1e-9)
    points = [model.next_order_quantile(params, share, t, x, T)[0] for share in (0.0, 0.1, 0.5, 0.9, 0.99)]
    assert points[0] == 0 and points[-1] <= t
    assert (np.diff(points) > 0).all()
    for share, point in zip((0.1, 0.5, 0.9, 0.99), points[1:], strict=True):
        by_then = model.probability_of_order_given_alive(params, float(point), x, T)[0]
        assert by_then == pytest.approx(share * some, rel=1e-10)


@settings(max_examples=25, deadline=None)
@given(params=shops, x=st.integers(0, 25), T=st.floats(20.0, 800.0), t=st.floats(0.01, 20.0))
def test_the_law_of_the_number_of_orders_is_whole(params: ParetoParams, x: int, T: float, t: float) -> None:
    orders, age = np.array([float(x)]), np.array([T])
    law = model.order_counts_given_alive(params, t, orders, age, 700)[:, 0]
    mean = model.expected_purchases_given_alive(params, t, orders, age)[0]
    n = np.arange(701)
    assert law.sum() == pytest.approx(1.0, abs=1e-8)
    assert (n * law).sum() == pytest.approx(mean, rel=1e-8)


def test_names_and_bounds_belong_together() -> None:
    assert set(model.MEANING) == set(NAMES) and [NAMES[k] for k in model.TIME] == ["alpha", "beta"]
    assert model.BOUNDS.shape == (4, 2)
    assert ((model.BOUNDS[:, 0] < model.STARTS) & (model.BOUNDS[:, 1] > model.STARTS)).all()


def test_no_time_ahead() -> None:
    x, _, T = columns(*HISTORIES)
    assert (model.expected_purchases_given_alive(CDNOW, 0.0, x, T) == 0).all()
    assert (model.probability_of_order_given_alive(CDNOW, 0.0, x, T) == 0).all()
    assert (model.alive_later_given_alive(CDNOW, 0.0, x, T) == 1).all()
    assert (model.next_order_quantile(CDNOW, 0.5, 0.0, x, T) == 0).all()
    law = model.order_counts_given_alive(CDNOW, 0.0, x, T, 2)
    assert (law == np.array([1.0, 0.0, 0.0])[:, None]).all()
