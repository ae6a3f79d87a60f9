"""The grade as a reader sees it."""

import numpy as np
import pytest

from lifestage.churn.evaluation import evaluate
from lifestage.summary import grade_text

N = 6_000


def world(seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 1.5, N)
    p = 1 / (1 + np.exp(-odds))
    return p, rng.random(N) < p, np.exp(odds + rng.normal(0, 2, N))


def test_the_measure_of_the_grade_is_named() -> None:
    p, churned, days = world()
    rules = {"days_since_last_order": days}
    made = evaluate(p, rules, rules, churned, churned, repetitions=60, measure="roc_auc")
    assert "Grade A, by ROC-AUC (+0." in grade_text(made.metrics())


def said(p: np.ndarray, churned: np.ndarray, days: np.ndarray | None = None, **about: bool) -> str:
    rules = {} if days is None else {"days_since_last_order": days}
    return grade_text(evaluate(p, rules, rules, churned, churned, repetitions=60, **about).metrics())


def test_true_probabilities_and_grade_a() -> None:
    text = said(*world())
    assert "The model is better than days since last order:" in text
    assert "The probabilities were true as far as 6,000 customers can tell." in text
    assert "Grade A, by average precision of the rarer class (+0." in text
    assert "): clearly better than the plain rule, and no baseline is better (明显优于" in text


@pytest.mark.parametrize(
    ("shift", "words"), [(0.8, "fewer of the customers"), (-0.8, "more of the customers")]
)
def test_a_level_that_moved_is_told_apart(shift: float, words: str) -> None:
    p, churned, days = world()
    moved = 1 / (1 + np.exp(-(np.log(p / (1 - p)) + shift)))
    text = said(moved, churned, days)
    assert words in text
    assert "risks: the level was off." in text


def test_a_wrong_shape_is_told_apart() -> None:
    p, churned, days = world()
    text = said(p**3 / (p**3 + (1 - p) ** 3), churned, days)
    assert "after the level is set right)" in text
    assert "level was off" not in text


def test_nothing_to_compare_with_but_the_base_rate_and_a_random_split() -> None:
    p, churned, _ = world()
    text = said(p, churned, out_of_time=False)
    assert "base rate" in text
    assert "NOT out of time" in text


def test_a_guess_is_grade_c() -> None:
    _, churned, days = world()
    text = said(np.random.default_rng(9).uniform(0.3, 0.7, N), churned, days)
    assert "The model is worse than days since last order:" in text
    assert "Grade C, by average precision of the rarer class (-0." in text
    assert "): not proven better than the plain rule (未能证明" in text
