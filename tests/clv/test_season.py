"""The calendar factor: found where two years agree on it, in no other case, and from the days before the cutoff only."""

import numpy as np
import pytest

from lifestage.clv.clock import Clock
from lifestage.clv.compress import compress
from lifestage.clv.daily import Daily, daily, expected_repeats, join_daily
from lifestage.clv.model import ClvModel, lived
from lifestage.clv.order_choice import fit_orders
from lifestage.clv.season import _months, find_season
from lifestage.clv.summary import Summary, summarise
from lifestage.ragged import Floats, Ints

START = int(np.datetime64("2021-01-01").astype(int))
FACTORS = np.array([0.6, 0.7, 0.8, 1.0, 1.0, 0.9, 0.7, 0.8, 1.0, 1.2, 1.5, 1.8])


def shop(days: int, factors: Floats, n: int = 3_000, seed: int = 4) -> tuple[Ints, Ints, Ints, Floats]:
    """Starts, ends, days and amounts of customers who come over the whole time and order by the calendar's rate."""
    rng = np.random.default_rng(seed)
    month = np.arange(START, START + days).astype("datetime64[D]").astype("datetime64[M]").astype(int) % 12
    lived_until = np.concatenate([[0.0], np.cumsum(factors[month])])
    ends, rows = [], []
    for _ in range(n):
        born = int(rng.integers(0, days - 10))
        rate, p = rng.gamma(1.5, 1 / 40), rng.beta(0.8, 8.0)
        bought, now = [born], lived_until[born]
        while (now := now + rng.exponential(1 / max(rate, 1e-9))) < lived_until[-1]:
            bought.append(int(np.searchsorted(lived_until, now, side="right") - 1))
            if rng.random() < p:
                break
        rows += sorted(bought)
        ends.append(len(rows))
    ends_ = np.array(ends)
    starts = np.concatenate([[0], ends_[:-1]])
    return starts, ends_, np.array(rows) + START, np.ones(len(rows))


def found(days: int, factors: Floats) -> tuple[tuple[float, ...], str, Summary]:
    starts, ends, day, amount = shop(days, factors)
    summary = summarise(starts, ends, day, amount, START + days)
    fitted = fit_orders(compress(summary.frequency, summary.recency, summary.T))
    season = find_season(daily(starts, ends, day), fitted.name, fitted.params)
    return season.factors, season.why, summary


def test_a_season_that_two_years_agree_on_is_found() -> None:
    factors, why, summary = found(3 * 365, FACTORS)
    np.testing.assert_allclose(factors, FACTORS, atol=0.15)
    assert np.mean(factors) == pytest.approx(1)
    assert "the years agree on" in why
    # in operational time the shop's own parameters come back, and the next December is foreseen
    fitted = fit_orders(lived(summary, Clock(factors)))
    assert fitted.params.r == pytest.approx(1.5, rel=0.15)
    settings = {"horizon_days": 31, "yearly_discount_rate": 0.1, "margin": 1.0}
    paid = Summary(
        summary.frequency,
        summary.recency,
        summary.T,
        (summary.frequency > 0) * 1.0,
        summary.has_purchase,
        START + 1_095,
    )
    with_season = ClvModel.fit(paid, **settings, clock=Clock(factors))
    without = ClvModel.fit(paid, **settings)
    ratio = (
        with_season.predict(paid)["expected_orders"].sum() / without.predict(paid)["expected_orders"].sum()
    )
    assert 0.5 < ratio < 0.75  # a January after a December


def test_no_season_where_there_is_none() -> None:
    factors, why, _ = found(3 * 365, np.ones(12))
    assert factors == ()
    assert "do not agree" in why


@pytest.mark.parametrize("slope", [0.05, -0.05])
def test_a_trend_is_no_season(slope: float) -> None:
    logs = slope * np.arange(36) + np.random.default_rng(1).normal(0, 0.03, 36)
    assert _months(logs.reshape(3, 12), np.full((3, 12), 1e-3))[1] == 0


def test_a_year_and_a_half_is_too_little() -> None:
    factors, why, _ = found(540, FACTORS)
    assert factors == ()
    assert "whole months were seen, and a season asks for 24" in why


def test_days_against_a_plain_loop() -> None:
    starts, ends, day, _ = shop(200, np.ones(12), 60)
    made = daily(starts, ends, day)
    new, repeats = dict.fromkeys(made.days.tolist(), 0), dict.fromkeys(made.days.tolist(), 0)
    for low, high in zip(starts.tolist(), ends.tolist(), strict=True):
        first, *later = sorted(set(day[low:high].tolist()))
        new[first] += 1
        for one in later:
            repeats[one] += 1
    assert made.new.tolist() == [*new.values()]
    assert made.repeats.tolist() == [*repeats.values()]
    parts = [daily(starts[some], ends[some], day) for some in (np.arange(20), np.arange(20, 60))]
    joined = join_daily([*parts, daily(starts[:0], ends[:0], day)])
    assert joined.first_day == made.first_day
    np.testing.assert_array_equal(joined.repeats, made.repeats)
    np.testing.assert_array_equal(joined.new, made.new)
    assert len(join_daily([])) == 0


def test_expected_repeats_add_up_to_those_of_the_customers() -> None:
    summary = Summary.of([0, 0, 0], [0, 0, 0], [30, 10, 10])
    days = Daily(100, np.array([1.0] + [0.0] * 19 + [2.0] + [0.0] * 9), np.zeros(30))
    fitted = fit_orders(
        compress(np.array([1.0, 0, 2, 0]), np.array([5.0, 0, 9, 0]), np.array([20.0, 9, 30, 25]))
    )
    expected = expected_repeats(days, fitted.name, fitted.params, Clock())
    assert len(expected) == 30
    model = __import__("lifestage.clv.families", fromlist=["FAMILIES"]).FAMILIES[fitted.name]
    nothing = np.zeros(3)
    alive = model.probability_alive(fitted.params, nothing, nothing, nothing)
    each = alive * model.expected_purchases_given_alive(fitted.params, summary.T, nothing, nothing)
    assert expected.sum() == pytest.approx(each.sum(), rel=1e-3)
    longer = expected_repeats(days, fitted.name, fitted.params, Clock(), until=160)
    assert len(longer) == 60
    np.testing.assert_allclose(longer[:30], expected, rtol=1e-2)
