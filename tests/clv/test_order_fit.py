"""What the BG/NBD fit does where the data leave parameters open."""

import json

import numpy as np
import pytest

from lifestage.clv.bg_nbd import expected_purchases
from lifestage.clv.compress import compress
from lifestage.clv.maximise import numeric_hessian, with_priors
from lifestage.clv.order_choice import fit_orders
from lifestage.clv.order_fit import OrderFit
from lifestage.errors import InputError

BG = ("bg_nbd",)


def fitted(x: list[float], t_x: list[float], T: list[float]) -> OrderFit:
    found = fit_orders(compress(np.array(x, float), np.array(t_x, float), np.array(T, float)), BG)
    assert json.loads(json.dumps(found.diagnostics, allow_nan=False)) == found.diagnostics
    orders = expected_purchases(
        found.params, 365.0, np.array([0.0, 3, 2000]), np.array([0.0, 50, 99]), np.full(3, 100.0)
    )
    assert np.isfinite(orders).all()
    assert (orders >= 0).all()
    return found


def nobody_leaves(n: int = 1_500) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A year of customers who all stay: the likelihood rises as the dropout vanishes."""
    rng = np.random.default_rng(11)
    T = rng.integers(30, 365, n).astype(float)
    rows = [
        np.sort(rng.random(rng.poisson(rate * age)) * age)
        for rate, age in zip(rng.gamma(0.8, 1 / 70, n), T, strict=True)
    ]
    return np.array([float(len(r)) for r in rows]), np.array([r[-1] if len(r) else 0.0 for r in rows]), T


def test_no_dropout_to_be_seen_falls_back_and_says_so() -> None:
    x, t_x, T = nobody_leaves()
    found = fitted(x.tolist(), t_x.tolist(), T.tolist())
    assert "the data do not identify a (how likely customers are to leave" in found.diagnostics["fallback"]
    assert "weak priors" in found.diagnostics["fallback"]
    assert (plain := found.diagnostics["tried"][0]["params"])["a"] / plain["b"] < 0.01
    assert found.params.a / (found.params.a + found.params.b) < 0.02
    assert found.diagnostics["hessian_positive_definite"]
    assert found.params.r == pytest.approx(0.8, rel=0.2)


@pytest.mark.parametrize("n", [1, 2, 500])
def test_nobody_with_a_repeat(n: int) -> None:
    found = fitted([0.0] * n, [0.0] * n, [100.0] * n)
    assert "do not identify" in found.diagnostics["fallback"]
    assert found.diagnostics["repeat_buyers"] == 0


def test_one_customer() -> None:
    found = fitted([3], [60], [100])
    assert "do not identify" in found.diagnostics["fallback"]
    assert found.diagnostics["customers"] == 1


def test_identical_customers() -> None:
    found = fitted([2.0] * 1_000, [40.0] * 1_000, [90.0] * 1_000)
    assert "do not identify" in found.diagnostics["fallback"]


def test_ten_million_identical_customers_are_one_row() -> None:
    found = fit_orders(compress(np.array([2.0]), np.array([40.0]), np.array([90.0]), np.array([1e7])), BG)
    assert found.diagnostics["distinct_histories"] == 1
    assert all(np.isfinite(found.params))


def test_weights_equal_repeated_rows() -> None:
    x, t_x, T = nobody_leaves(200)
    once = fit_orders(compress(x, t_x, T, np.full(200, 3.0)), BG)
    thrice = fit_orders(compress(np.tile(x, 3), np.tile(t_x, 3), np.tile(T, 3)), BG)
    assert once.params == pytest.approx(thrice.params, rel=1e-6)


def test_everyone_came_today() -> None:
    with pytest.raises(InputError, match="T is 0 for every customer"):
        fitted([0, 0], [0, 0], [0, 0])


def test_customers_of_today_add_nothing() -> None:
    x, t_x, T = nobody_leaves(300)
    with_today = fit_orders(compress(np.append(x, 0.0), np.append(t_x, 0.0), np.append(T, 0.0)), BG)
    assert with_today.params == pytest.approx(fit_orders(compress(x, t_x, T), BG).params, rel=1e-2)


def test_priors_add_their_own_density() -> None:
    """A flat likelihood under a prior N(centre, sd^2) has curvature 1 / sd^2 and its top at the centre."""
    centre = np.array([1.0, -2.0])
    objective = with_priors(lambda z: (0.0, np.zeros_like(z)), centre, 2.0)
    assert objective(centre)[1].tolist() == [0, 0]
    np.testing.assert_allclose(numeric_hessian(objective, centre), -np.eye(2) / 4, atol=1e-12)
