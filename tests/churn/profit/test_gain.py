"""Gain, threshold and list of a campaign against hand-computed figures and every possible list."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifestage.campaign import Profit
from lifestage.churn.profit.gain import (
    best_list,
    expected_cost,
    expected_gain,
    most_contacts,
    realised_gain,
    threshold,
)
from lifestage.errors import InputError

PAPER = Profit(contact_cost=1, offer_cost=10, success_rate=0.3)
money = st.floats(0, 50, allow_subnormal=False).map(lambda x: round(x, 2))
share = st.floats(0, 1, allow_subnormal=False).map(lambda x: round(x, 3))
customers = st.lists(st.tuples(share, st.floats(0, 500).map(lambda x: round(x, 2))), min_size=1, max_size=8)


@st.composite
def campaigns(draw: st.DrawFn) -> Profit:
    return Profit(
        contact_cost=draw(money),
        offer_cost=draw(money),
        success_rate=draw(share),
        stayer_acceptance=draw(share),
        max_contacts=draw(st.none() | st.integers(1, 9)),
        budget=draw(st.none() | st.floats(0.5, 300)),
    )


def columns(people: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([p for p, _ in people]), np.array([v for _, v in people])


def test_by_hand() -> None:
    # leaves: 0.3 x (200 - 10) - 1 = 56; stays: -10 - 1 = -11
    assert realised_gain(np.array([True, False]), np.array([200.0, 200.0]), PAPER).tolist() == [56, -11]
    assert expected_gain(np.array([0.5]), np.array([200.0]), PAPER) == pytest.approx([(56 - 11) / 2])
    # half of those who leave x 0.3 and half who stay take the offer
    assert expected_cost(np.array([0.5]), PAPER) == pytest.approx([1 + 10 * (0.15 + 0.5)])
    # (10 + 1) / (0.3 x 190 + 10)
    assert threshold(np.array([200.0]), PAPER) == pytest.approx([11 / 67])


def test_it_is_the_profit_of_the_churn_literature() -> None:
    """Neslin et al. 2006: N eta [(gamma CLV + d (1 - gamma)) pi0 lambda - d - f], lambda = churn rate there / overall."""
    rng = np.random.default_rng(4)
    churned = rng.random(500) < 0.3
    contacted = rng.random(500) < 0.2
    gamma, clv, d, f = 0.3, 200, 10, 1
    eta, pi0 = contacted.mean(), churned.mean()
    lift = churned[contacted].mean() / pi0
    published = 500 * eta * ((gamma * clv + d * (1 - gamma)) * pi0 * lift - d - f)
    assert realised_gain(churned, np.full(500, 200.0), PAPER)[contacted].sum() == pytest.approx(published)


def test_less_is_lost_where_stayers_leave_the_offer() -> None:
    half = PAPER.model_copy(update={"stayer_acceptance": 0.5})
    assert realised_gain(np.array([True, False]), np.array([200.0, 200.0]), half).tolist() == [56, -6]


@given(customers, campaigns())
def test_no_other_list_earns_more(people: list[tuple[float, float]], terms: Profit) -> None:
    probability, value = columns(people)
    gain = expected_gain(probability, value, terms)
    chosen = best_list(gain, terms)
    most = 0.0
    for size in range(len(people) + 1):
        if terms.max_contacts is not None and size > terms.max_contacts:
            break
        if terms.budget is not None and size * (terms.contact_cost + terms.offer_cost) > terms.budget + 1e-6:
            break
        most = max(
            most, *(sum(gain[list(rows)]) for rows in itertools.combinations(range(len(people)), size))
        )
    assert gain[chosen].sum() == pytest.approx(most, abs=1e-6)
    assert len(set(chosen.tolist())) == len(chosen)
    assert (gain[chosen] > 0).all()
    assert (np.diff(gain[chosen]) <= 0).all()


@given(customers, campaigns())
def test_a_customer_pays_just_above_the_threshold(people: list[tuple[float, float]], terms: Profit) -> None:
    _, value = columns(people)
    for v, at in zip(value, threshold(value, terms), strict=True):
        one = np.array([v])
        if np.isinf(at):
            assert expected_gain(np.array([1.0]), one, terms)[0] <= 1e-9
        else:
            assert expected_gain(np.array([at]), one, terms)[0] == pytest.approx(0, abs=1e-9)
            assert expected_gain(np.array([(1 + at) / 2]), one, terms)[0] > 0


@given(customers, campaigns(), money)
def test_dearer_never_means_more_contacts(
    people: list[tuple[float, float]], terms: Profit, more: float
) -> None:
    probability, value = columns(people)

    def contacts(**change: float) -> int:
        changed = terms.model_copy(update=change)
        return len(best_list(expected_gain(probability, value, changed), changed))

    for cost in ("contact_cost", "offer_cost"):
        assert contacts(**{cost: getattr(terms, cost) + more}) <= contacts()


@given(customers, campaigns())
def test_without_success_nobody_is_contacted(people: list[tuple[float, float]], terms: Profit) -> None:
    hopeless = terms.model_copy(update={"success_rate": 0.0})
    assert len(best_list(expected_gain(*columns(people), hopeless), hopeless)) == 0


def test_ties_stay_in_order_and_the_limits_hold() -> None:
    gain = np.array([1.0, 3.0, 3.0, -1.0, 0.0, 3.0])
    assert best_list(gain, PAPER).tolist() == [1, 2, 5, 0]
    assert best_list(gain, PAPER.model_copy(update={"max_contacts": 2})).tolist() == [1, 2]
    assert best_list(gain, PAPER.model_copy(update={"budget": 33.0})).tolist() == [1, 2, 5]
    assert best_list(gain, PAPER.model_copy(update={"budget": 10.99})).tolist() == []


@pytest.mark.parametrize(
    ("contact", "offer", "budget", "most", "expected"),
    [(0.1, 0, 3, None, 30), (1, 10, 100, None, 9), (1, 10, 100, 5, 5), (0, 0, 100, None, None)],
)
def test_a_budget_is_kept_even_if_all_take_the_offer(
    contact: float, offer: float, budget: float, most: int | None, expected: int | None
) -> None:
    terms = Profit(contact_cost=contact, offer_cost=offer, success_rate=1, budget=budget, max_contacts=most)
    assert most_contacts(terms) == expected


@pytest.mark.parametrize("bad", [np.nan, -0.01, 1.01, np.inf])
def test_a_probability_that_is_none_is_refused(bad: float) -> None:
    with pytest.raises(InputError, match=r"churn probability of row 1 is .*, expected 0 to 1"):
        expected_gain(np.array([0.5, bad]), np.ones(2), PAPER)


@pytest.mark.parametrize("bad", [np.nan, -1.0, np.inf])
def test_a_value_that_is_none_is_refused(bad: float) -> None:
    for weigh in (
        lambda v: expected_gain(np.array([0.5, 0.5]), v, PAPER),
        lambda v: realised_gain(np.array([True, False]), v, PAPER),
        lambda v: threshold(v, PAPER),
    ):
        with pytest.raises(InputError, match=r"value at stake of row 1 is .*, expected a finite amount"):
            weigh(np.array([1.0, bad]))


def test_lengths_and_missing_gains() -> None:
    with pytest.raises(InputError, match="1 values at stake for 2 customers; give one each"):
        expected_gain(np.array([0.5, 0.5]), np.ones(1), PAPER)
    with pytest.raises(InputError, match="expected gain of row 0 is NaN"):
        best_list(np.array([np.nan, 1.0]), PAPER)
