"""Transforms of what came: against a plain loop, a simulation, and laws that are wrong on purpose."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import nbinom

from lifestage.clv import pit
from lifestage.clv.bg_nbd import BetaGeoParams
from lifestage.clv.clock import Clock
from lifestage.clv.covariates import Covariate
from lifestage.clv.gamma_gamma import GammaGammaParams
from lifestage.clv.held import Held
from lifestage.clv.model import ClvModel
from lifestage.clv.pit import order_count_borders, order_pit, pit_between, spend_intervals, spend_pit
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
def test_simulated_customers_are_uniform_and_wrong_laws_are_not(
    model: ClvModel, name: str, first: int
) -> None:
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
    summary, orders = Summary.of(x, t_x, T, 1.0 * (np.array(x) > 0)), np.array(came)
    shop = replace(model, order_model=name, orders=PARAMS)
    right = order_pit(shop, summary, orders, 90)
    np.testing.assert_allclose(right.bins, 0.1, atol=0.012)
    assert right.central == pytest.approx(0.8, abs=0.02)
    # a law of half the speed, on days that count double
    same = order_pit(replace(shop, clock=Clock(level=0.5)), summary, orders, 180)
    np.testing.assert_allclose(same.bins, right.bins, rtol=1e-9)
    low = order_pit(shop, summary, orders, 15.0)  # a sixth of the orders
    assert low.bins[9] > 0.15
    high = order_pit(shop, summary, orders, 540.0)
    assert high.bins[0] > 0.12
    assert high.bins[9] < 0.08


def test_spend_of_simulated_customers_is_uniform(model: ClvModel) -> None:
    """Orders of the BG/NBD, values of the Gamma-Gamma: its compound law's transform is flat, a dearer one's is not."""
    rng = np.random.default_rng(12)
    (r, alpha, a, b), (p, q, v) = PARAMS, (2.5, 4.0, 30.0)
    columns: dict[str, list[float]] = {name: [] for name in ("x", "t_x", "T", "m", "orders", "spend")}
    for _ in range(6_000):
        rate, leaves, scale = rng.gamma(r, 1 / alpha), rng.beta(a, b), rng.gamma(q, 1 / v)
        age, t, times = rng.uniform(60, 400), 0.0, []
        while True:
            t += rng.exponential(1 / rate)
            if t > age + 90:
                break
            times.append(t)
            if rng.random() < leaves:
                break
        seen = [t for t in times if t <= age]
        values = rng.gamma(p, 1 / scale, len(times))
        row = (len(seen), seen[-1] if seen else 0, age, values[: len(seen)].mean() if seen else 0)
        later = len(times) - len(seen), values[len(seen) :].sum()
        for column, value in zip(columns.values(), (*row, *later), strict=True):
            column.append(float(value))
    summary = Summary.of(*(columns[name] for name in ("x", "t_x", "T", "m")))
    spend = np.array(columns["spend"])
    shop = replace(model, orders=PARAMS, gamma_gamma=GammaGammaParams(p, q, v))
    found = spend_pit(shop, summary, spend, 90)
    np.testing.assert_allclose(found.bins, 0.1, atol=0.012)
    assert found.central == pytest.approx(0.8, abs=0.02)
    predicted = shop.predict(summary, 90)
    said = spend_intervals(
        predicted["spend_low"], predicted["spend_high"], predicted["p_order"], spend, found
    )
    assert said.expected_coverage > 0.85
    assert said.coverage == pytest.approx(said.expected_coverage, abs=0.015)
    assert spend_pit(shop, summary, spend * 4, 90).bins[9] > 0.15


def test_of_a_large_shop_some_laws_of_spend_are_worked_out(
    model: ClvModel, crowd: Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = crowd.take(crowd.has_purchase)
    spend = np.where(np.arange(len(some)) % 3 == 0, 20.0, 0.0)
    whole = spend_pit(model, some, spend, 90)
    monkeypatch.setattr(pit, "MOST", 1_500)
    np.testing.assert_allclose(spend_pit(model, some, spend, 90).bins, whole.bins, atol=0.03)


def test_customers_of_other_covariates_have_laws_of_their_own(model: ClvModel, crowd: Summary) -> None:
    """A rate of e times is a clock e times as fast for alpha: by hand, group by group."""
    some = crowd.take(crowd.has_purchase)
    orders = np.random.default_rng(3).poisson(0.5, len(some)).astype(float)
    channel = np.array(["ads", "web"], object)[np.arange(len(some)) % 2]
    moved = Covariate("channel", (), ("ads", "web"), ("ads", "web", "other", "missing"), (0, 1, 2, 3))
    moved = replace(moved, rate=(0.0, 1.0, 0.0, 0.0), leaving=(0.0, 0.0, 0.0, 0.0))
    both = order_pit(
        replace(model, covariates=(moved,)), replace(some, traits={"channel": channel}), orders, 90
    )
    ads, web = channel == "ads", channel == "web"
    fast = replace(model, orders=model.orders._replace(alpha=model.orders.alpha / np.e))
    parts = [
        order_pit(shop, some.take(rows), orders[rows], 90).bins * rows.sum() / len(some)
        for shop, rows in ((model, ads), (fast, web))
    ]
    np.testing.assert_allclose(both.bins, parts[0] + parts[1], rtol=1e-9)


def test_spend_intervals_by_hand() -> None:
    low, high = np.array([0.0, 5.0, 0.0, 0.0]), np.array([10.0, 50.0, 0.0, 20.0])
    p_order = np.array([0.5, 0.95, 0.05, 0.9])
    spent, u = np.array([0.0, 60.0, 0.0, 20.0]), np.array([0.2, 0.95, 0.5, 0.9])
    flat = pit_between(u, u)
    found = spend_intervals(low, high, p_order, spent, flat)
    assert found.coverage == 0.75
    assert found.expected_coverage == pytest.approx((0.9 + 0.8 + 0.95 + 0.9) / 4)
    assert found.pit.central == pytest.approx(0.75)
    assert found.pit.bins.tolist() == pytest.approx([0, 0.25, 0, 0, 0.25, 0, 0, 0, 0.25, 0.25])
    with pytest.raises(InputError, match="must be one finite number a customer"):
        spend_intervals(low, high, p_order[:3], spent, flat)
    with pytest.raises(InputError, match="expected spend_low <= spend_high"):
        spend_intervals(high, low, p_order, spent, flat)
