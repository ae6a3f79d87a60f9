"""Transforms of what came: against a plain loop, a simulation, and laws that are wrong on purpose."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import nbinom

from lifestage.clv.bg_nbd import BetaGeoParams
from lifestage.clv.held import Held
from lifestage.clv.pit import order_count_borders, order_pit, pit_between, spend_intervals
from lifestage.clv.summary import Summary
from lifestage.errors import InputError

PARAMS = BetaGeoParams(0.8, 40.0, 0.7, 3.0)


def plain_pit(low: list[float], high: list[float], edge: float) -> float:
    """Share of the mass below an edge, customer by customer."""
    total = 0.0
    for a, b in zip(low, high, strict=True):
        if a == b:
            total += 1.0 if b <= edge else 0.0
        else:
            total += min(max((edge - a) / (b - a), 0.0), 1.0)
    return total / len(low)


def test_the_histogram_equals_a_plain_loop() -> None:
    rng = np.random.default_rng(1)
    low = rng.uniform(0, 0.9, 50)
    high = np.where(rng.random(50) < 0.3, low, low + rng.uniform(0, 1, 50) * (1 - low))
    found = pit_between(low, high)
    for k in range(10):
        below = plain_pit(low.tolist(), high.tolist(), k / 10) if k else 0.0
        upto = plain_pit(low.tolist(), high.tolist(), (k + 1) / 10)
        assert found.bins[k] == pytest.approx(upto - below, abs=1e-12)
    assert found.bins.sum() == pytest.approx(1)
    assert found.central == pytest.approx(found.bins[1:9].sum())


def test_it_is_the_mean_of_the_randomised_transform_and_takes_weights() -> None:
    low, high = np.array([0.0, 0.5]), np.array([0.5, 0.9])
    rng = np.random.default_rng(4)
    u = np.concatenate([low[i] + (high - low)[i] * rng.random(n) for i, n in ((0, 30_000), (1, 10_000))])
    drawn = np.histogram(u, 10, (0, 1))[0] / len(u)
    np.testing.assert_allclose(pit_between(low, high, np.array([3.0, 1.0])).bins, drawn, atol=0.01)
    with pytest.raises(InputError, match="nobody in the holdout"):
        pit_between(np.empty(0), np.empty(0))


def test_borders_of_a_customer_who_cannot_leave_are_the_negative_binomial() -> None:
    """With a -> 0 nobody leaves: orders in t are NBD(R, A / (A + t)), by scipy."""
    params = BetaGeoParams(0.8, 40.0, 1e-12, 3.0)
    some = Summary.of([2, 0, 5, 2], [30, 0, 80, 30], [50, 60, 90, 50])
    held = Held.of(some, np.array([1.0, 0.0, 7.0, 1.0]), 30)
    below, upto = order_count_borders(held, "bg_nbd", params)
    assert held.before.count.tolist() == [1, 2, 1]
    for i in range(len(held.orders)):
        R, A, n = 0.8 + held.before.frequency[i], 40.0 + held.before.T[i], held.orders[i]
        law = nbinom(R, A / (A + 30))
        assert upto[i] == pytest.approx(law.cdf(n), rel=1e-9)
        assert below[i] == pytest.approx(law.cdf(n - 1) if n else 0.0, rel=1e-9)


@pytest.mark.parametrize(("name", "first"), [("bg_nbd", 0), ("mbg_nbd", 1)])
def test_simulated_customers_are_uniform_and_wrong_laws_are_not(name: str, first: int) -> None:
    rng = np.random.default_rng(11)
    r, alpha, a, b = PARAMS
    x, t_x, T, came = [], [], [], []
    for _ in range(6_000):
        rate, leaves = rng.gamma(r, 1 / alpha), rng.beta(a, b)
        age = rng.uniform(60, 400)
        gone, t, seen, last, later = bool(first) and rng.random() < leaves, 0.0, 0, 0.0, 0
        while not gone:
            t += rng.exponential(1 / rate)
            if t > age + 90:
                break
            if t <= age:
                seen, last = seen + 1, t
            else:
                later += 1
            gone = rng.random() < leaves
        for column, value in zip((x, t_x, T, came), (seen, last, age, later), strict=True):
            column.append(float(value))
    held = Held.of(Summary.of(x, t_x, T), np.array(came), 90)
    right = order_pit(held, name, PARAMS)
    np.testing.assert_allclose(right.bins, 0.1, atol=0.012)
    assert right.central == pytest.approx(0.8, abs=0.02)
    low = order_pit(replace(held, horizon=15.0), name, PARAMS)  # a sixth of the orders
    assert low.bins[9] > 0.15
    high = order_pit(replace(held, horizon=540.0), name, PARAMS)
    assert high.bins[0] > 0.12
    assert high.bins[9] < 0.08


def test_spend_intervals_by_hand() -> None:
    low, high = np.array([0.0, 5.0, 0.0, 0.0]), np.array([10.0, 50.0, 0.0, 20.0])
    p_order = np.array([0.5, 0.95, 0.05, 0.9])
    spent, pit = np.array([0.0, 60.0, 0.0, 20.0]), np.array([0.2, 0.95, 0.5, 0.9])
    found = spend_intervals(low, high, p_order, spent, pit)
    assert found.coverage == 0.75
    assert found.expected_coverage == pytest.approx((0.9 + 0.8 + 0.95 + 0.9) / 4)
    assert found.pit.central == pytest.approx(0.75)
    assert found.pit.bins.tolist() == pytest.approx([0, 0.25, 0, 0, 0.25, 0, 0, 0, 0.25, 0.25])
    with pytest.raises(InputError, match="must be one finite number a customer each"):
        spend_intervals(low, high, p_order[:3], spent, pit)
    with pytest.raises(InputError, match="expected 0 <= pit <= 1"):
        spend_intervals(low, high, p_order, spent, pit + 1)
