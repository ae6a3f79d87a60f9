"""What lies ahead: each figure against an integral, a sum or the score's own columns."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from scipy.integrate import quad

from lifestage.clv import bg_nbd, outlook
from lifestage.clv.clock import Clock
from lifestage.clv.model import ClvModel
from lifestage.clv.summary import Summary
from lifestage.errors import InputError

PEOPLE = Summary.of([0, 3, 12], [0, 80, 300], [20, 100, 310], [0, 25, 40])


def test_alive_now_and_later(model: ClvModel) -> None:
    found = outlook.alive_at(model, PEOPLE, [0, 30, 365])
    np.testing.assert_array_equal(found[0], model.predict(PEOPLE)["p_alive"])
    assert (np.diff(found, axis=0) < 0).all()


def test_counts_agree_with_the_score(model: ClvModel) -> None:
    law, score = outlook.order_counts(model, PEOPLE, 365, 400), model.predict(PEOPLE)
    np.testing.assert_allclose(law.sum(axis=0), 1, atol=1e-9)
    np.testing.assert_allclose(1 - law[0], score["p_order"], rtol=1e-10)
    np.testing.assert_allclose(
        np.sum(law * np.arange(401)[:, None], axis=0), score["expected_orders"], rtol=1e-6
    )


def test_any_period_is_a_difference(model: ClvModel) -> None:
    found = outlook.expected_orders_until(model, PEOPLE, [0, 90, 365])
    assert found[0].tolist() == [0, 0, 0]
    np.testing.assert_allclose(found[2], model.predict(PEOPLE)["expected_orders"], rtol=1e-12)
    assert (np.diff(found, axis=0) > 0).all()


def test_months_are_the_calendars() -> None:
    assert outlook.month_ends(date(2024, 1, 31), 3) == [29, 60, 90]
    assert outlook.month_ends(date(2023, 12, 15), 12)[-1] == 366


def test_the_path_of_value_ends_in_the_clv(model: ClvModel) -> None:
    path = outlook.value_path(model, PEOPLE, [31, 182, 365])
    assert (np.diff(path, axis=0) > 0).all()
    np.testing.assert_array_equal(path[-1], model.predict(PEOPLE)["clv"])


def test_value_for_ever_is_the_integral(model: ClvModel) -> None:
    found = outlook.value_for_ever(model, PEOPLE)
    discount = np.log1p(model.yearly_discount_rate) / 365.25
    for i in range(3):
        some = PEOPLE.take(np.array([i]))

        def density(t: float, some: Summary = some) -> float:
            rate = bg_nbd.order_rate_given_alive(model.orders, np.array([t]), some.frequency, some.T)[0]
            return float(rate * np.exp(-discount * t))

        orders = sum(quad(density, low, high, limit=200)[0] for low, high in
                     [(0, 50), (50, 500), (500, 5_000), (5_000, 50_000), (50_000, 200_000)])  # fmt: skip
        score = model.predict(some)
        value = orders * score["p_alive"][0] * score["expected_order_value"][0] * model.margin
        assert found[i] == pytest.approx(value, rel=1e-7)
    assert (found > model.predict(PEOPLE)["clv"]).all()


def test_for_ever_needs_a_discount(model: ClvModel) -> None:
    with pytest.raises(InputError, match="orders for ever have no finite value"):
        outlook.value_for_ever(replace(model, yearly_discount_rate=0.0), PEOPLE)


def test_a_new_customer_is_one_of_today(model: ClvModel) -> None:
    found = outlook.new_customer(model, 90)
    today = model.predict(Summary.of([0], [0], [0]), 90)
    assert found == {name: float(values[0]) for name, values in today.items()}
    with pytest.raises(InputError, match=r"reads no 'channel' \(covariates: none\)"):
        outlook.new_customer(model, channel="ads")


def test_strangers_have_no_outlook(model: ClvModel) -> None:
    nobody = replace(PEOPLE, has_purchase=np.array([False, True, False]))
    for found in (outlook.alive_at(model, nobody, 3), outlook.order_counts(model, nobody, 30, 2)):
        assert np.isnan(found[:, [0, 2]]).all()
        assert np.isfinite(found[:, 1]).all()


def test_days_below_nothing_are_refused(model: ClvModel) -> None:
    with pytest.raises(InputError, match="days is -1, expected finite numbers of 0 or more"):
        outlook.alive_at(model, PEOPLE, [3, -1])


DAY = float(np.datetime64("2024-03-01").astype(int))


def test_a_level_stretches_what_lies_ahead_only(model: ClvModel) -> None:
    faster = replace(model, clock=Clock(level=2.0))
    twice, plain = faster.predict(PEOPLE, 50), model.predict(PEOPLE, 100)
    for name in ("p_alive", "expected_orders", "p_order", "expected_order_value"):
        np.testing.assert_allclose(twice[name], plain[name], rtol=1e-12)
    np.testing.assert_allclose(twice["next_order_days"], plain["next_order_days"] / 2, rtol=1e-12)


def test_a_season_moves_orders_within_the_year(model: ClvModel) -> None:
    factors = tuple([0.7] * 9 + [1.9] * 3)
    seasonal = replace(model, clock=Clock(factors))
    spring = replace(PEOPLE, cutoff_day=DAY)
    autumn = replace(PEOPLE, cutoff_day=float(np.datetime64("2024-10-01").astype(int)))
    assert (
        seasonal.predict(autumn, 90)["expected_orders"]
        > 1.8 * seasonal.predict(spring, 90)["expected_orders"]
    ).all()
    found = seasonal.predict(autumn, 365)
    assert (found["next_order_low_days"] < found["next_order_days"]).all()
    with pytest.raises(InputError, match="cutoff_day is missing, and the model has a season"):
        seasonal.predict(PEOPLE)


def test_value_for_ever_of_a_flat_season_is_that_without(model: ClvModel) -> None:
    slow = replace(model, yearly_discount_rate=0.005)  # for ever is thousands of years, beyond any calendar
    flat = replace(slow, clock=Clock((1.0,) * 12))
    found = outlook.value_for_ever(flat, replace(PEOPLE, cutoff_day=DAY))
    np.testing.assert_allclose(found, outlook.value_for_ever(slow, PEOPLE), rtol=1e-9)


def test_a_clock_runs_there_and_back() -> None:
    clock = Clock(tuple(np.linspace(0.5, 1.5, 12).tolist()), 1.3)
    days = np.array([0.0, 0.5, 31, 400, 4_000])
    np.testing.assert_allclose(clock.days(DAY, clock.ahead(DAY, days)), days, atol=1e-8)
    # by hand: 2024-03-01 to 2024-04-11 is March and ten days of April
    march, april = np.linspace(0.5, 1.5, 12)[2:4]
    assert clock.ahead(DAY, 41.0) == pytest.approx(1.3 * (31 * march + 10 * april))
    assert clock.past(DAY, np.array([29.0]))[0] == pytest.approx(29 * np.linspace(0.5, 1.5, 12)[1])
    recency, age = clock.history(DAY, np.array([0.0, 29.0]), np.array([10.0, 29.0]))
    assert recency[0] == 0
    assert recency[1] == age[1]
