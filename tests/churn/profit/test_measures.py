"""Maximum profit and expected maximum profit against published figures, trying every cut, and plain integration."""

import numpy as np
import pytest
from scipy.stats import beta as beta_distribution

from lifestage.campaign import Profit
from lifestage.churn.profit.measures import published_measures
from lifestage.errors import InputError

PAPER = Profit(contact_cost=1, offer_cost=10, success_rate=0.3)


def maximum_by_trying(
    probability: np.ndarray, churned: np.ndarray, gamma: float, psi: float, clv: float, d: float, f: float
) -> float:
    """Profit per customer of the best cut: everybody at or above it is contacted, or nobody."""
    best = 0.0
    for cut in set(probability.tolist()):
        profit = 0.0
        for p, left in zip(probability.tolist(), churned.tolist(), strict=True):
            if p >= cut:
                profit += gamma * (clv - d) - f if left else -psi * d - f
        best = max(best, profit)
    return best / len(churned)


@pytest.fixture(scope="module")
def graded() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    probability = rng.beta(2, 4, 120).round(2)  # with ties
    return probability, rng.random(120) < probability


def test_published_example() -> None:
    """empulse 0.11.1's documentation of mpc_score and empc_score, as EMP's empChurn(alpha=6, beta=14, clv=200, d=10,
    f=1): 23.875 and 23.875593418348124."""
    churned = np.array([0, 1, 0, 1, 0, 1, 0, 1], np.bool_)
    found = published_measures(np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.8, 0.9]), churned, 200.0, PAPER)
    assert found.maximum_profit == pytest.approx(23.875, rel=1e-12)
    assert found.expected_maximum_profit == pytest.approx(23.875593418348124, rel=1e-9)


@pytest.mark.parametrize(
    ("value", "change"),
    [
        (200.0, {}),
        (60.0, {"success_evidence": 4}),
        (60.0, {"success_rate": 0.6, "success_evidence": 50}),
        (120.0, {"stayer_acceptance": 0.25}),
        (45.0, {"stayer_acceptance": 0.0, "contact_cost": 4}),
        (80.0, {"offer_cost": 0}),
    ],
)
def test_every_cut_and_every_success_rate(
    graded: tuple[np.ndarray, np.ndarray], value: float, change: dict[str, float]
) -> None:
    terms = PAPER.model_copy(update=change)
    found = published_measures(*graded, value, terms)
    m, k = terms.success_rate, terms.success_evidence
    rest = (terms.stayer_acceptance, value, terms.offer_cost, terms.contact_cost)
    assert found.maximum_profit == pytest.approx(maximum_by_trying(*graded, m, *rest), rel=1e-9)
    # The mean over the middles of 300 slices of equal chance.
    rates = beta_distribution.ppf((np.arange(300) + 0.5) / 300, m * k, (1 - m) * k)
    expected = float(np.mean([maximum_by_trying(*graded, gamma, *rest) for gamma in rates]))
    assert found.expected_maximum_profit == pytest.approx(expected, rel=5e-3)


def test_knowing_nothing_is_worth_no_less(graded: tuple[np.ndarray, np.ndarray]) -> None:
    """The best cut for each success rate beats one cut for the mean rate (Jensen), and both meet when it is sure."""
    vague, sure = (
        published_measures(*graded, 60.0, PAPER.model_copy(update={"success_evidence": k})) for k in (2, 100)
    )
    assert vague.maximum_profit == sure.maximum_profit
    assert vague.expected_maximum_profit > sure.expected_maximum_profit >= sure.maximum_profit


@pytest.mark.parametrize("change", [{"success_rate": 0.0}, {"offer_cost": 200.0}, {"offer_cost": 300.0}])
def test_nothing_to_earn(graded: tuple[np.ndarray, np.ndarray], change: dict[str, float]) -> None:
    assert published_measures(*graded, 200.0, PAPER.model_copy(update=change)) == (0, 0)


def test_an_offer_that_always_works(graded: tuple[np.ndarray, np.ndarray]) -> None:
    found = published_measures(*graded, 50.0, PAPER.model_copy(update={"success_rate": 1.0}))
    assert found.maximum_profit == found.expected_maximum_profit
    assert found.maximum_profit == pytest.approx(maximum_by_trying(*graded, 1.0, 1.0, 50.0, 10.0, 1.0))


def test_bad_input() -> None:
    with pytest.raises(InputError, match="churn probability of row 0 is nan, expected 0 to 1"):
        published_measures(np.array([np.nan, 0.5]), np.array([True, False]), 200.0, PAPER)
    with pytest.raises(InputError, match="all 2 customers stayed; both outcomes are needed"):
        published_measures(np.array([0.2, 0.5]), np.array([False, False]), 200.0, PAPER)
    with pytest.raises(InputError, match="all 2 customers churned"):
        published_measures(np.array([0.2, 0.5]), np.array([True, True]), 200.0, PAPER)


def test_a_measure_that_overflows_is_no_silent_nan(
    graded: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    import empulse.metrics

    monkeypatch.setattr(empulse.metrics, "empc_score", lambda *_a, **_k: float("nan"))
    with pytest.raises(InputError, match=r"Beta\(6, 14\); lower profit.success_evidence"):
        published_measures(*graded, 200.0, PAPER)
