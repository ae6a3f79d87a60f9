"""A, B and C at their borders."""

import numpy as np
import pytest

from lifestage.churn.evaluation import evaluate
from lifestage.churn.grade import grade
from lifestage.churn.intervals import Interval

UP, TIE = Interval(0.1, 0.01, 0.2), Interval(0.1, -0.01, 0.2)


def judged(model: float, rule: float, other: float, lead: Interval, **about: str) -> str:
    values = {"model": model, "rule": rule, "other": other}
    figures = {name: {"pr_auc_rarer": value, "roc_auc": 1 - value} for name, value in values.items()}
    leads = {"average_precision": lead, "roc_auc": Interval(-0.1, -0.2, -0.05)}
    return grade(figures, {"rule": leads, "other": leads}, model="model", rule="rule", **about)  # type: ignore[arg-type]


def test_borders() -> None:
    assert judged(0.55, 0.5, 0.55, UP) == "A"
    assert judged(0.549, 0.5, 0.5, UP) == "B"  # a gain of less than 10 %
    assert judged(0.60, 0.5, 0.61, UP) == "B"  # another baseline is better
    assert judged(0.60, 0.5, 0.5, TIE) == "C"  # not proven
    assert judged(0.60, 0.5, 0.5, UP, measure="roc_auc") == "C"


@pytest.mark.parametrize(("noise", "expected"), [(0.1, "A"), (50.0, "C")])
def test_a_model_that_knows_and_one_that_guesses(noise: float, expected: str) -> None:
    rng = np.random.default_rng(1)
    odds = rng.normal(0, 1.5, 3_000)
    churned = rng.random(3_000) < 1 / (1 + np.exp(-odds))
    days = np.exp(odds + rng.normal(0, 3, 3_000))
    p = 1 / (1 + np.exp(-(odds + noise * rng.normal(size=3_000)) / (1 + noise)))
    rules = {"days_since_last_order": days}
    made = evaluate(p, rules, rules, churned, churned, methods={"logistic_rfm": np.full(3_000, 0.5)})
    assert (made.grade, made.rule) == (expected, "days_since_last_order")
    assert made.metrics()["grade"] == {"A": 2.0, "C": 0.0}[expected]
    assert made.best_baseline == "days_since_last_order"
