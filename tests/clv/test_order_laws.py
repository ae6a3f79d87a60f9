"""BG/NBD and MBG/NBD against sums over customers' own rates and chances to leave: number of orders, P(alive) later."""

from itertools import product
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import roots_genlaguerre, roots_jacobi
from scipy.stats import poisson

from lifestage.clv import bg_nbd, mbg_nbd
from lifestage.clv.compress import compress
from lifestage.clv.families import FAMILIES
from lifestage.clv.geometric_dropout import BetaGeoParams
from lifestage.clv.maximise import numeric_hessian
from lifestage.clv.order_fit import fit
from lifestage.clv.summary import Summary

CASES = [BetaGeoParams(0.243, 4.414, 0.793, 2.426), BetaGeoParams(1.7, 30.0, 2.5, 0.6)]
HISTORIES = [(0, 0.0, 20.0), (1, 3.0, 20.0), (3, 19.0, 20.0), (9, 8.0, 39.0)]


class Individuals:
    """The two-dimensional prior as weighted individuals (lambda, p), with the likelihood of one history.

    Gauss-Laguerre and Gauss-Jacobi nodes of the prior times what of the likelihood is a power; nothing of the
    models' closed forms. Given lambda and p, x repeat orders up to T, the last at t_x: still there has density
    (1 - p)^c lambda^x e^(-lambda T), gone after the last one p (1 - p)^(c - 1) lambda^x e^(-lambda t_x), with c
    chances to leave.
    """

    def __init__(self, params: BetaGeoParams, first: int, x: int, t_x: float, T: float) -> None:
        r, alpha, a, b = params
        self.chances = x + first
        u, w_u = roots_genlaguerre(80, r + x - 1)
        q, w_q = roots_jacobi(60, b - 1, a - 1)
        self.p, self.w_p = (q + 1) / 2, w_q / w_q.sum()
        self.rate, self.w_rate = u / (alpha + T), w_u / w_u.sum()
        stay = float(np.sum(self.w_p * (1 - self.p) ** self.chances))
        leave = float(np.sum(self.w_p * self.p * (1 - self.p) ** (self.chances - 1))) if self.chances else 0.0
        there = stay * (alpha + T) ** -(r + x)
        gone = leave * (alpha + t_x) ** -(r + x)
        self.alive = there / (there + gone)

    def mean(self, of: np.ndarray) -> float:
        """Of f(lambda, p), [rates, chances], over those still there."""
        weight = self.w_rate[:, None] * (self.w_p * (1 - self.p) ** self.chances)[None, :]
        return float(np.sum(weight * of) / weight.sum())

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        return self.rate[:, None], self.p[None, :]


@pytest.mark.parametrize(("model", "first"), [(bg_nbd, 0), (mbg_nbd, 1)])
@pytest.mark.parametrize(("params", "history"), [*product(CASES, HISTORIES)])
def test_against_individuals(
    model: ModuleType, first: int, params: BetaGeoParams, history: tuple[float, ...]
) -> None:
    x, t_x, T = (np.array([float(v)]) for v in history)
    who = Individuals(params, first, int(x[0]), float(t_x[0]), float(T[0]))
    assert model.probability_alive(params, x, t_x, T)[0] == pytest.approx(who.alive, rel=1e-9)
    t = 26.0
    rate, p = who.grid()
    law = model.order_counts_given_alive(params, t, x, T, 12)[:, 0]
    for n in range(13):
        stays = (1 - p) ** n * poisson.pmf(n, rate * t)
        leaves = p * (1 - p) ** (n - 1) * poisson.sf(n - 1, rate * t) if n else 0.0
        assert law[n] == pytest.approx(who.mean(stays + leaves), rel=1e-6, abs=1e-12), n
    later = model.alive_later_given_alive(params, t, x, T)[0]
    assert later == pytest.approx(who.mean(np.exp(-rate * p * t)), rel=1e-7)
    orders = model.expected_purchases_given_alive(params, t, x, T)[0]
    assert orders == pytest.approx(who.mean(-np.expm1(-rate * p * t) / p), rel=1e-7)
    none = model.probability_of_order_given_alive(params, t, x, T)[0]
    assert none == pytest.approx(1 - law[0], rel=1e-12)


@pytest.mark.parametrize("model", [bg_nbd, mbg_nbd])
@given(
    x=st.integers(0, 2_000),
    t=st.floats(0.01, 5_000),
    age=st.floats(0.0, 3_000),
    params=st.tuples(*[st.floats(0.02, 5)] * 4),
)
def test_laws_are_laws(model: ModuleType, x: int, t: float, age: float, params: tuple[float, ...]) -> None:
    made = BetaGeoParams(*params)
    x_, T = np.array([float(x)]), np.array([age])
    law = model.order_counts_given_alive(made, t, x_, T, 60)[:, 0]
    assert (law >= 0).all()
    assert law.sum() <= 1 + 1e-9
    assert 0 <= model.alive_later_given_alive(made, t, x_, T)[0] <= 1
    if law.sum() > 1 - 1e-12:
        mean = float(np.sum(law * np.arange(61)))
        assert mean == pytest.approx(
            model.expected_purchases_given_alive(made, t, x_, T)[0], rel=1e-4, abs=1e-8
        )


@pytest.mark.parametrize("model", [bg_nbd, mbg_nbd])
def test_hessian_is_the_slope_of_the_gradient(model: ModuleType) -> None:
    rng = np.random.default_rng(1)
    x = rng.poisson(1.3, 400).astype(float)
    T = rng.integers(30, 300, 400).astype(float)
    likelihood = model.likelihood(compress(x, np.where(x > 0, np.floor(T * rng.random(400)), 0.0), T))
    z = np.log([0.4, 20, 0.7, 2.3])
    np.testing.assert_allclose(likelihood.hessian(z), numeric_hessian(likelihood, z), rtol=1e-5, atol=1e-5)
    for k in range(4):
        e = np.eye(4)[k] * 1e-6
        slope = (likelihood(z + e)[0] - likelihood(z - e)[0]) / 2e-6
        assert likelihood(z)[1][k] == pytest.approx(slope, rel=1e-5, abs=1e-4)


def test_silence_of_a_one_time_buyer_counts_in_the_mbg_only() -> None:
    T = np.array([10.0, 100.0, 1_000.0])
    none = np.zeros(3)
    assert bg_nbd.probability_alive(CASES[0], none, none, T).tolist() == [1, 1, 1]
    assert (np.diff(mbg_nbd.probability_alive(CASES[0], none, none, T)) < 0).all()


def test_published_fit_of_the_mbg_to_cdnow(cdnow_sample: Summary) -> None:
    """r .525, alpha 6.183, a .891, b 1.614: BTYDplus' vignette (Platzer), which fits the same customers in weeks."""
    s = cdnow_sample
    found = fit("mbg_nbd", compress(s.frequency, s.recency, s.T))
    for name, value in {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}.items():
        assert found.params._asdict()[name] == pytest.approx(value, abs=6e-4)
    assert found.fault is None


@pytest.mark.parametrize("name", [*FAMILIES])
def test_every_model_finds_the_parameters_of_its_own_shop(name: str) -> None:
    lifetimes_laws = {"bg_nbd": "beta_geometric_nbd_model", "mbg_nbd": "modified_beta_geometric_nbd_model",
                      "pareto_nbd": "pareto_nbd_model"}  # fmt: skip
    generate = pytest.importorskip("lifetimes.generate_data")
    np.random.seed(5)  # lifetimes' generator knows only the global one
    true = (0.8, 40.0, 0.9, 3.0) if name != "pareto_nbd" else (0.8, 40.0, 0.7, 90.0)
    T = np.random.default_rng(5).integers(100, 500, 8_000).astype(float)
    data = getattr(generate, lifetimes_laws[name])(T, *true, size=8_000)
    x, t_x = data["frequency"].to_numpy(float), data["recency"].to_numpy(float)
    found = fit(name, compress(x, t_x, T))
    assert found.fault is None
    for value, (parameter, estimate) in zip(true, found.params._asdict().items(), strict=True):
        error = found.standard_errors[parameter]
        assert error is not None
        assert abs(estimate - value) < 4 * error, parameter
        assert error < 0.35 * value


@pytest.mark.parametrize("model", [bg_nbd, mbg_nbd])
def test_a_daily_buyer_over_years(model: ModuleType) -> None:
    """P(no order) is less than any number there, and the law is one all the same."""
    x, T = np.array([2_000.0]), np.array([2_000.0])
    params = BetaGeoParams(0.8, 20.0, 0.6, 2.5)
    law = model.order_counts_given_alive(params, 1_095.0, x, T, 4_000)[:, 0]
    assert law.sum() == pytest.approx(1, abs=1e-9)
    mean = float(np.sum(law * np.arange(4_001)))
    assert mean == pytest.approx(model.expected_purchases_given_alive(params, 1_095.0, x, T)[0], rel=1e-6)


@pytest.mark.parametrize(
    "params", [(5.0, 30.0, 500.0, 500.0), (1.0, 0.2, 146.0, 193.0), (0.8, 20.0, 1e3, 4e3)]
)
def test_customers_who_leave_nearly_alike(params: tuple[float, ...]) -> None:
    """Against lambda's Gauss-Laguerre nodes and p's mean, from which a Beta of such size hardly differs; any horizon."""
    made = BetaGeoParams(*params)
    x, T = np.array([0.0, 3.0, 2_000.0]), np.array([0.0, 50.0, 2_000.0])
    before = np.zeros(3)
    for t in (1.0, 90.0, 911.0, 3_650.0, 18_262.0):
        found = mbg_nbd.expected_purchases_given_alive(made, t, x, T)
        assert np.isfinite(found).all()
        assert (found >= before * (1 - 1e-9)).all()  # never fewer in a longer time
        before = found
    p = made.a / (made.a + made.b + x + 1)
    u, w = roots_genlaguerre(60, made.r - 1)
    rate = u / made.alpha
    forever = float(np.sum(w * -np.expm1(-rate * p[0] * 18_262.0) / p[0]) / w.sum())
    assert before[0] == pytest.approx(forever, rel=0.02)
