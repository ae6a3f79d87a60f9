"""Value at stake against a simulation of the customers' futures that knows nothing of the model's formulas."""

import numpy as np
import pytest

from lifestage.clv.model import ClvModel
from lifestage.clv.stake import value_at_stake
from lifestage.clv.summary import Summary
from lifestage.errors import InputError

PEOPLE = Summary.of(
    [0, 1, 4, 12, 12], [0, 200, 250, 300, 120], [300, 300, 300, 310, 310], [0, 30, 40, 20, 20]
)
UNKNOWN = np.full(5, np.nan)


def futures(model: ClvModel, person: int, silent_days: float, draws: int) -> tuple[float, float, float]:
    """Mean discounted value of futures with an order in (0, s], of those without, and the share with, by drawing.

    Given alive: rate ~ Gamma(r + x, alpha + T), dropout chance ~ Beta(a, b + x); after each order the customer leaves
    with that chance (FHL 2005).
    """
    rng = np.random.default_rng(person)
    r, alpha, a, b = model.orders
    x, t_x, T = (float(getattr(PEOPLE, name)[person]) for name in ("frequency", "recency", "T"))
    odds_gone = 0.0 if x == 0 else a / (b + x - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x)
    worth = float(model.predict(PEOPLE)["expected_order_value"][person]) * model.margin
    alive = rng.random(draws) < 1 / (1 + odds_gone)
    rate = rng.gamma(r + x, 1 / (alpha + T), draws)
    dropout = rng.beta(a, b + x, draws)
    value, t, first = np.zeros(draws), np.zeros(draws), np.full(draws, np.inf)
    while alive.any():
        t[alive] += rng.exponential(1 / rate[alive])
        alive &= t <= model.horizon_days
        value[alive] += worth * (1 + model.yearly_discount_rate) ** (-t[alive] / 365.25)
        first[alive] = np.minimum(first[alive], t[alive])
        alive &= rng.random(draws) >= dropout
    stays = first <= silent_days
    return float(value[stays].mean()), float(value[~stays].mean()), float(stays.mean())


@pytest.mark.parametrize("silent_days", [90.0, 365.0])
@pytest.mark.parametrize("person", range(4))
def test_it_is_worth_of_stayers_minus_worth_of_leavers(
    model: ClvModel, person: int, silent_days: float
) -> None:
    stays, leaves, _ = futures(model, person, silent_days, 200_000)
    found = value_at_stake(model, PEOPLE, silent_days, UNKNOWN)[person]
    assert found == pytest.approx(stays - leaves, rel=0.03)


def test_the_mean_of_both_worths_is_clv(model: ClvModel) -> None:
    now = model.predict(PEOPLE)
    p = model.predict(PEOPLE, 90)["p_order"]
    stake = value_at_stake(model, PEOPLE, 90, UNKNOWN)
    later = Summary.of(PEOPLE.frequency, PEOPLE.recency, PEOPLE.T + 90, PEOPLE.monetary_value)
    leaves = model.predict(later, 275)["clv"] / 1.1 ** (90 / 365.25)
    assert p * (leaves + stake) + (1 - p) * leaves == pytest.approx(now["clv"])


def test_beyond_the_horizon_it_is_the_worth_of_a_retained_customer(model: ClvModel) -> None:
    found = model.predict(PEOPLE)
    for silent in (365, 1000):
        assert value_at_stake(model, PEOPLE, silent, UNKNOWN) == pytest.approx(
            found["clv"] / found["p_order"]
        )


def test_where_the_models_disagree_the_smaller_is_taken(model: ClvModel) -> None:
    own = model.predict(PEOPLE, 90)["p_order"]
    alone = value_at_stake(model, PEOPLE, 90, UNKNOWN)
    assert value_at_stake(model, PEOPLE, 90, own / 2) == pytest.approx(alone)
    assert value_at_stake(model, PEOPLE, 90, (1 + own) / 2) == pytest.approx(alone * own / ((1 + own) / 2))
    # A good customer, long gone: thousands at stake in theory, next to nothing by the churn model's 10 %.
    assert alone[4] > 50
    assert value_at_stake(model, PEOPLE, 90, np.full(5, 0.1))[4] < 1


def test_without_a_purchase_nothing_is_known_and_without_a_chance_nothing_at_stake(model: ClvModel) -> None:
    nan = np.array([np.nan])
    nobody = Summary(nan, nan, nan, nan, np.array([False]))
    assert np.isnan(value_at_stake(model, nobody, 90, np.array([0.5]))).all()
    gone = Summary.of([900], [1], [5000], [20])
    assert value_at_stake(model, gone, 90, np.array([0.0])).tolist() == [0]


@pytest.mark.parametrize("bad", [np.array([0.5]), np.full(5, 1.1), np.full(5, -0.1)])
def test_bad_chances(model: ClvModel, bad: np.ndarray) -> None:
    with pytest.raises(InputError, match="p_stay: expected 5 chances from 0 to 1"):
        value_at_stake(model, PEOPLE, 90, bad)
