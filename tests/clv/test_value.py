"""The discounted integral against a brute-force fine grid."""

import numpy as np
import pytest

from lifestage.clv import bg_nbd
from lifestage.clv.bg_nbd import BetaGeoParams
from lifestage.clv.value import discounted_value, future_orders

CUSTOMERS = [(0.0, 0.0), (0.0, 400.0), (1.0, 30.0), (12.0, 500.0), (300.0, 365.0)]


def brute_force(
    params: BetaGeoParams, horizon: float, yearly: float, x: float, T: float
) -> tuple[float, float]:
    """Composite Simpson on 40,001 points, each piece by itself; points crowd towards 0, where rates change."""
    s = np.linspace(0, 1, 40_001) ** 3 * horizon
    ds = 3 * np.linspace(0, 1, 40_001) ** 2 * horizon
    rate = bg_nbd.order_rate_given_alive(params, s, np.full_like(s, x), np.full_like(s, T)) * ds
    weight = np.ones_like(s)
    weight[1:-1:2], weight[2:-1:2] = 4, 2
    weight /= 3 * 40_000
    return float((rate * weight).sum()), float((rate * (1 + yearly) ** (-s / 365.25) * weight).sum())


@pytest.mark.parametrize("yearly", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("horizon", [7.0, 365.0, 3650.0])
@pytest.mark.parametrize(
    "params",
    [
        BetaGeoParams(0.25, 31.0, 0.8, 2.4),
        BetaGeoParams(0.04, 3.4, 0.9, 0.5),
        BetaGeoParams(2.0, 1.0, 4.0, 0.3),
    ],
)
def test_accurate_to_ten_digits(params: BetaGeoParams, horizon: float, yearly: float) -> None:
    x, T = np.array(CUSTOMERS).T.copy()
    orders, discounted = future_orders(
        lambda t: bg_nbd.order_rate_given_alive(params, t, x, T), params.alpha + T, horizon, yearly
    )
    for i, (n, age) in enumerate(CUSTOMERS):
        plain, worth = brute_force(params, horizon, yearly, n, age)
        assert orders[i] == pytest.approx(plain, rel=1e-9)
        assert discounted[i] == pytest.approx(worth, rel=1e-9)


def test_no_discount_is_the_number_of_orders() -> None:
    x, T = np.array(CUSTOMERS).T.copy()
    params = BetaGeoParams(0.25, 31.0, 0.8, 2.4)
    orders, discounted = future_orders(
        lambda t: bg_nbd.order_rate_given_alive(params, t, x, T), params.alpha + T, 365.0, 0.0
    )
    assert orders.tolist() == discounted.tolist()


def test_a_constant_rate_has_a_closed_form() -> None:
    """Integral of (1 + d)^(-t / 365.25) over two years of 365.25 days at one order a day."""
    _, discounted = future_orders(np.ones_like, np.array([1.0, 80.0, 1e6]), 730.5, 0.2)
    np.testing.assert_allclose(discounted, 365.25 / np.log(1.2) * (1 - 1.2**-2), rtol=1e-9)


def test_value_multiplies() -> None:
    assert discounted_value(np.array([0.5]), np.array([4.0]), np.array([30.0]), 0.25).tolist() == [15.0]
