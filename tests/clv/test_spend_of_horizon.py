"""Spend of the horizon in a score: coverage on simulated customers, and laws that hang on the customer alone."""

from dataclasses import replace

import numpy as np
import pytest

from lifestage.clv import mbg_nbd, spend_law
from lifestage.clv.families import FAMILIES
from lifestage.clv.gamma_gamma import GammaGammaParams
from lifestage.clv.geometric_dropout import BetaGeoParams
from lifestage.clv.model import ClvModel
from lifestage.clv.order_laws import order_laws
from lifestage.clv.summary import Summary
from lifestage.errors import InputError

ORDERS, SPEND = BetaGeoParams(0.8, 40.0, 0.9, 2.5), GammaGammaParams(6.25, 3.74, 15.44)


def simulate(n: int, seed: int) -> tuple[Summary, np.ndarray]:
    """MBG/NBD customers of 300 days with their spend of the 180 days after, one at a time."""
    rng = np.random.default_rng(seed)
    rows, after = [], []
    for _ in range(n):
        rate, p = rng.gamma(ORDERS.r, 1 / ORDERS.alpha), rng.beta(ORDERS.a, ORDERS.b)
        nu = rng.gamma(SPEND.q, 1 / SPEND.v)
        now, x, last, early, late = 0.0, 0, 0.0, 0.0, 0.0
        while not rng.random() < p and (now := now + rng.exponential(1 / max(rate, 1e-12))) < 480:
            amount = rng.gamma(SPEND.p, 1 / nu)
            if now < 300:
                x, last, early = x + 1, now, early + amount
            else:
                late += amount
        rows.append((x, last, 300.0, early / x if x else 0.0))
        after.append(late)
    return Summary.of(*np.array(rows).T), np.array(after)


def test_intervals_cover_what_comes(model: ClvModel) -> None:
    summary, after = simulate(12_000, 8)
    mine = replace(model, order_model="mbg_nbd", orders=ORDERS, gamma_gamma=SPEND)
    score = mine.predict(summary, 180)
    inside = (after >= score["spend_low"]) & (after <= score["spend_high"])
    assert inside.mean() > 0.8  # an atom at zero: more than 80 %
    rng, pits = np.random.default_rng(1), np.empty(len(summary))
    histories = (summary.frequency, summary.recency, summary.T)
    for rows, law in order_laws(mbg_nbd, ORDERS, histories, 180.0):
        some = summary.take(rows)
        pits[rows] = spend_law.randomised_pit(
            SPEND, law, some.frequency, some.monetary_value, after[rows], rng.random(len(rows))
        )
    assert 0.78 < ((pits > 0.1) & (pits < 0.9)).mean() < 0.82
    assert np.histogram(pits, 10, (0, 1))[0] / len(pits) == pytest.approx(0.1, abs=0.015)


@pytest.mark.parametrize("name", [*FAMILIES])
def test_laws_are_whole_and_hang_on_the_customer_alone(name: str) -> None:
    family = FAMILIES[name]
    params = ORDERS if name != "pareto_nbd" else family.Params(0.8, 40.0, 0.9, 60.0)
    x = np.array([0.0, 1, 40, 400, 2_000, 3])
    t_x = np.where(x > 0, 200.0, 0.0)
    histories = (x, t_x, np.full(6, 210.0))
    seen: dict[int, np.ndarray] = {}
    for rows, law in order_laws(family, params, histories, 365.0):
        assert (law >= 0).all()
        np.testing.assert_allclose(law.sum(axis=0), 1, atol=2e-6)
        seen |= {int(row): law[:, i] for i, row in enumerate(rows)}
    assert sorted(seen) == [0, 1, 2, 3, 4, 5]
    for i in range(6):
        ((_, alone),) = order_laws(family, params, tuple(c[i : i + 1] for c in histories), 365.0)
        np.testing.assert_array_equal(alone[:, 0], seen[i])
    mean = float(np.sum(seen[4] * np.arange(len(seen[4]))))
    alive = family.probability_alive(params, *histories)[4]
    expected = alive * family.expected_purchases_given_alive(params, 365.0, x, histories[2])[4]
    assert mean == pytest.approx(expected, rel=1e-3)


def test_an_account_that_is_no_customer_is_named() -> None:
    histories = (np.array([1e6]), np.array([9.0]), np.array([10.0]))
    with pytest.raises(InputError, match="more than 65536 orders are to be expected of a customer"):
        list(order_laws(mbg_nbd, ORDERS, histories, 3_650.0))
