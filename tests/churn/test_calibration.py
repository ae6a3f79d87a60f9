"""Calibration against known truth, an independent optimiser, and plain Python."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize

from lifestage.churn.calibration import IDENTITY, MIN_SLOPE, Calibrator, beta, calibrate, platt
from lifestage.churn.metrics import calibration_error
from lifestage.errors import InputError


def world(n: int, slope: float, intercept: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores (log-odds) whose true log-odds are slope x score + intercept."""
    rng = np.random.default_rng(seed)
    score = rng.normal(0.5, 1.5, n)
    return score, rng.random(n) < 1 / (1 + np.exp(-(slope * score + intercept)))


def log_loss(probability: np.ndarray, churned: np.ndarray) -> float:
    return -sum(math.log(p if y else 1 - p) for p, y in zip(probability, churned, strict=True)) / len(churned)


def test_platt_finds_the_true_map_and_improves_new_customers() -> None:
    fitted = platt(*world(50_000, 0.5, -0.7))
    assert (fitted.a, fitted.c) == pytest.approx((0.5, -0.7), abs=0.04)
    score, churned = world(20_000, 0.5, -0.7, seed=1)
    before, after = IDENTITY(score), fitted(score)
    assert log_loss(after, churned) < log_loss(before, churned) - 0.05
    assert calibration_error(before, churned) > 0.1
    assert calibration_error(after, churned) < 0.02


def test_platt_agrees_with_a_general_optimiser() -> None:
    score, churned = world(400, 1.3, 0.4, seed=3)
    positive, negative = int(churned.sum()), int((~churned).sum())
    target = np.where(churned, (positive + 1) / (positive + 2), 1 / (negative + 2))

    def loss(w: np.ndarray) -> float:
        p = 1 / (1 + np.exp(-(w[0] * score + w[1])))
        return -float((target * np.log(p) + (1 - target) * np.log(1 - p)).sum())

    best = minimize(loss, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    fitted = platt(score, churned)
    assert (fitted.a, fitted.c) == pytest.approx(tuple(best.x), abs=1e-5)


def test_beta_finds_a_lopsided_map_and_is_chosen_only_where_it_pays() -> None:
    rng = np.random.default_rng(5)
    score = rng.normal(0, 2, 40_000)
    p = 1 / (1 + np.exp(-score))
    logit = 2.0 * np.log(p) - 0.4 * np.log(1 - p) + 0.3
    churned = rng.random(len(p)) < 1 / (1 + np.exp(-logit))
    fitted = beta(score, churned)
    assert (fitted.a, fitted.b, fitted.c) == pytest.approx((2.0, 0.4, 0.3), abs=0.1)
    assert calibrate(score, churned, seed=1).method == "beta"
    assert calibrate(score[:500], churned[:500], seed=1).method != "beta"
    assert calibrate(*world(40_000, 0.8, 0.1), seed=1).method == "platt"


def test_each_parameter_must_pay_for_itself() -> None:
    assert calibrate(*world(5_000, 1.0, 0.4), seed=1).method == "shift"
    assert calibrate(*world(500, 0.4, 0.1), seed=1).method == "platt"
    fitted = calibrate(*world(100_000, 1.0, 0.4), seed=1)
    assert (fitted.a, fitted.b, fitted.c) == pytest.approx((1, 1, 0.4), abs=0.03)


def test_damping_keeps_the_shape_and_a_share_of_the_shift_in_level() -> None:
    score, churned = world(5_000, 0.7, -0.8)
    fitted = platt(score, churned)
    none, half, full = (fitted.damped(score, share) for share in (0.0, 0.5, 1.0))
    assert {(c.a, c.b) for c in (none, half, full)} == {(fitted.a, fitted.b)}
    assert none(score).mean() == pytest.approx(IDENTITY(score).mean(), abs=1e-9)
    assert full.c == pytest.approx(fitted.c, abs=1e-9)
    assert half.c == pytest.approx((none.c + fitted.c) / 2, abs=1e-9)


def test_the_ranking_is_never_turned_round() -> None:
    score, churned = world(2_000, -1.0, 0.5, seed=2)
    fitted = platt(score, churned)
    assert fitted.a == MIN_SLOPE
    assert fitted(score).mean() == pytest.approx(churned.mean(), abs=0.002)
    assert (np.diff(fitted(np.sort(score))) >= 0).all()
    assert beta(score, churned).method == "platt"


def test_a_separating_score_stays_finite() -> None:
    score = np.linspace(-3, 3, 200)
    fitted = platt(score, score > 0)
    assert 0 < fitted(score).min() < fitted(score).max() < 1


def test_constant_scores_give_the_base_rate() -> None:
    churned = np.arange(1000) % 10 < 7
    assert platt(np.full(1000, 1.5), churned)(np.array([1.5])) == pytest.approx(0.7, abs=0.001)


@pytest.mark.parametrize("made", [Calibrator("platt", 0.9, 0.9, -0.1), Calibrator("beta", 0.9, 1.2, 0.2)])
def test_each_customer_is_mapped_alone(made: Calibrator) -> None:
    score = np.random.default_rng(1).normal(0, 5, 1_003)
    whole = made(score)
    for i in range(0, len(score), 17):
        assert made(score[i : i + 1])[0] == whole[i]
    assert (made(score[3:][::2]) == whole[3:][::2]).all()
    x = float(score[0])
    p = 1 / (1 + math.exp(-x))
    logit = made.a * math.log(p) - made.b * math.log(1 - p) + made.c
    assert whole[0] == pytest.approx(1 / (1 + math.exp(-logit)), rel=1e-12)


def test_json_returns_the_same_bits_and_refuses_damage() -> None:
    fitted = platt(*world(500, 0.7, 0.1))
    assert Calibrator.from_json(fitted.to_json()) == fitted
    with pytest.raises(InputError, match="calibration is damaged: expected"):
        Calibrator.from_json({"method": "platt", "a": 1.0})
    with pytest.raises(InputError, match=r"calibration is damaged.*not finite"):
        Calibrator.from_json({"method": "platt", "a": -1.0, "b": -1.0, "c": 0.0})


def test_one_class_is_refused() -> None:
    with pytest.raises(InputError, match="all 4 validation customers stayed"):
        calibrate(np.zeros(4), np.zeros(4, bool), seed=0)
