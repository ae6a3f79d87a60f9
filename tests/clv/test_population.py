"""One customer's P(alive) over time, how often customers ordered, who holds value: against plain loops."""

from dataclasses import replace

import numpy as np
import pytest

from lifestage.clv.alive_path import alive_ahead, alive_path, day_numbers
from lifestage.clv.bg_nbd import BetaGeoParams
from lifestage.clv.clock import Clock
from lifestage.clv.concentration import lorenz, value_shares
from lifestage.clv.covariates import Covariate
from lifestage.clv.frequencies import repeat_order_counts
from lifestage.clv.model import ClvModel
from lifestage.clv.outlook import alive_at
from lifestage.clv.summary import Summary
from lifestage.errors import InputError

SEASON = tuple((np.arange(1.0, 13.0) / 6.5).tolist())
CHANNEL = Covariate(
    "channel",
    (),
    ("ads", "web"),
    ("ads", "web", "other", "missing"),
    (0, 1, 2, 3),
    (0.0, 0.7, 0.0, 0.0),
    (0.0, -0.4, 0.0, 0.0),
)
DAYS = ["2024-01-10", "2024-01-10", "2024-02-20", "2024-05-01", "2024-08-15"]


@pytest.mark.parametrize("clock", [Clock(), Clock(SEASON, 1.3)])
@pytest.mark.parametrize("covariates", [(), (CHANNEL,)])
def test_each_day_is_what_predict_says_on_it(
    model: ClvModel, clock: Clock, covariates: tuple[Covariate, ...]
) -> None:
    shop = replace(model, clock=clock, covariates=covariates)
    traits = {"channel": "web"} if covariates else {}
    cutoff = "2024-07-01"
    days, alive = alive_path(shop, DAYS, cutoff, **traits)
    bought = sorted({int(np.datetime64(d).astype(int)) for d in DAYS})
    assert days.tolist() == list(range(bought[0], int(day_numbers(cutoff)) + 1))
    columns = {name: np.array([value], object) for name, value in traits.items()}

    def at(day: int) -> Summary:
        seen = [b for b in bought if b <= day and b < int(day_numbers(cutoff))]
        one = Summary.of([len(seen) - 1], [seen[-1] - seen[0]], [day - seen[0]])
        return replace(one, cutoff_day=float(day), traits=columns)

    for day, p in list(zip(days.tolist(), alive.tolist(), strict=True))[::7]:
        assert p == pytest.approx(shop.predict(at(day))["p_alive"][0], rel=1e-9)
    later = alive_ahead(shop, DAYS, cutoff, np.array([0.0, 30, 90]), **traits)
    expected = alive_at(shop, at(int(day_numbers(cutoff))), [0.0, 30, 90])[:, 0]
    np.testing.assert_allclose(later, expected, rtol=1e-9)


def test_a_customer_needs_a_purchase_before_the_cutoff(model: ClvModel) -> None:
    with pytest.raises(InputError, match="holds no day before the cutoff"):
        alive_path(model, ["2024-07-01"], "2024-07-01")


@pytest.mark.parametrize("name", ["bg_nbd", "mbg_nbd"])
def test_expected_numbers_of_orders_are_those_of_simulated_customers(model: ClvModel, name: str) -> None:
    params = BetaGeoParams(0.8, 40.0, 0.7, 3.0)
    rng = np.random.default_rng(6)
    counts = []
    ages = rng.integers(60, 400, 20_000).astype(float)
    for age in ages:
        rate, leaves, t, n = rng.gamma(0.8, 1 / 40), rng.beta(0.7, 3.0), 0.0, 0
        while name == "bg_nbd" or n or rng.random() > leaves:
            t += rng.exponential(1 / rate)
            if t > age:
                break
            n += 1
            if rng.random() < leaves:
                break
        counts.append(float(n))
    x = np.array(counts)
    summary = Summary.of(x, np.where(x > 0, ages, 0.0), ages)
    found = repeat_order_counts(replace(model, order_model=name, orders=params), summary, 6)
    assert found["repeat_orders"].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert found["customers"].tolist() == [*((x == n).sum() for n in range(6)), (x >= 6).sum()]
    assert found["expected"].sum() == pytest.approx(20_000)
    np.testing.assert_allclose(found["expected"], found["customers"], atol=4.5 * 20_000**0.5 * 0.5)


def test_customers_of_other_covariates_order_otherwise(model: ClvModel, crowd: Summary) -> None:
    some = crowd.take(crowd.has_purchase)
    channel = np.array(["ads", "web"], object)[np.arange(len(some)) % 2]
    both = replace(some, traits={"channel": channel})
    found = repeat_order_counts(replace(model, covariates=(CHANNEL,)), both)["expected"]
    web = model.orders._replace(alpha=model.orders.alpha / np.exp(0.7), a=model.orders.a * np.exp(-0.4))
    parts = [
        repeat_order_counts(replace(model, orders=orders), some.take(channel == who))["expected"]
        for who, orders in (("ads", model.orders), ("web", web))
    ]
    np.testing.assert_allclose(found, parts[0] + parts[1], rtol=1e-9)


def test_value_shares_by_hand() -> None:
    values = np.array([0.0, 1.0, np.nan, 6.0, 3.0])
    who, held = lorenz(values)
    assert who.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert held.tolist() == pytest.approx([0, 0.6, 0.9, 1, 1])
    assert value_shares(values, [0.125, 0.5]) == {0.125: pytest.approx(0.3), 0.5: pytest.approx(0.9)}
    for nothing in ([], [0.0, 0.0], [np.nan], [2.0, -1.0]):
        with pytest.raises(InputError, match="one at least above 0"):
            lorenz(np.array(nothing))
