"""Figures against loops in plain Python that share no code with them."""

import math
from itertools import pairwise

import numpy as np
import pytest

from lifestage.churn.intervals import paired_differences
from lifestage.churn.metrics import (
    calibration_error,
    calibration_error_interval,
    calibration_interval,
    gain_curve,
    level_error,
    perfect_calibration_error,
    reliability,
    shape_error,
    top_decile_lift,
)


def auc_by_pairs(score: np.ndarray, churned: np.ndarray) -> float:
    pairs = [(a > b) + (a == b) / 2 for a in score[churned] for b in score[~churned]]
    return sum(pairs) / len(pairs)


def average_precision_by_loop(score: np.ndarray, churned: np.ndarray) -> float:
    total, recall = 0.0, 0.0
    for threshold in sorted(set(score.tolist()), reverse=True):
        taken = [bool(y) for s, y in zip(score, churned, strict=True) if s >= threshold]
        now = sum(taken) / churned.sum()
        total += (now - recall) * sum(taken) / len(taken)
        recall = now
    return total


def lift_by_loop(score: np.ndarray, churned: np.ndarray) -> float:
    """Fill a tenth of the customers from the top, a group of ties in proportion."""
    room, found = len(score) / 10, 0.0
    for value in sorted(set(score.tolist()), reverse=True):
        group = [bool(y) for s, y in zip(score, churned, strict=True) if s == value]
        share = min(1.0, room / len(group))
        found += share * sum(group)
        room -= share * len(group)
        if room <= 1e-12:
            break
    return (found / (len(score) / 10)) / (churned.sum() / len(churned))


def ece_by_loop(probability: np.ndarray, churned: np.ndarray) -> float:
    """No ties: ten bins in order of probability, the first n % 10 no smaller than the others."""
    rows = sorted(zip(probability.tolist(), churned.tolist(), strict=True))
    edges = [len(rows) * i // 10 for i in range(11)]
    total = 0.0
    for a, b in pairwise(edges):
        total += abs(sum(p for p, _ in rows[a:b]) - sum(y for _, y in rows[a:b]))
    return total / len(rows)


@pytest.fixture(params=[0, 1, 2])
def scored(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and outcomes; the later ones with many ties."""
    rng = np.random.default_rng(request.param)
    p = rng.random(237)
    p = p if request.param == 0 else np.round(p, 1 if request.param == 1 else 2)
    return p, rng.random(237) < p * 0.7 + 0.1


def test_lift_and_gain(scored: tuple[np.ndarray, np.ndarray]) -> None:
    score, churned = scored
    assert top_decile_lift(score, churned) == pytest.approx(lift_by_loop(score, churned), rel=1e-12)
    assert gain_curve(score, churned, np.array([0.0, 1.0])).tolist() == [0.0, 1.0]
    assert math.isnan(top_decile_lift(score, np.zeros(len(score), bool)))


def test_calibration_error() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(237)
    churned = rng.random(237) < p**2
    assert calibration_error(p, churned) == pytest.approx(ece_by_loop(p, churned), rel=1e-12)
    assert calibration_error(p[:7], churned[:7]) == pytest.approx(np.abs(p[:7] - churned[:7]).mean())


def test_no_figure_depends_on_the_order_of_rows(scored: tuple[np.ndarray, np.ndarray]) -> None:
    p, churned = scored
    order = np.random.default_rng(9).permutation(len(p))
    assert calibration_error(p, churned) == pytest.approx(
        calibration_error(p[order], churned[order]), rel=1e-12
    )
    assert top_decile_lift(p, churned) == pytest.approx(top_decile_lift(p[order], churned[order]), rel=1e-12)


def test_one_probability_for_all_errs_by_the_difference_of_base_rates() -> None:
    churned = np.arange(100) < 30
    assert calibration_error(np.full(100, 0.4), churned) == pytest.approx(0.1)
    r = reliability(np.full(100, 0.4), churned)
    np.testing.assert_allclose(r.observed, 0.3)
    assert r.customers.tolist() == [10.0] * 10


def test_a_perfect_model_shows_the_error_of_chance() -> None:
    rng = np.random.default_rng(4)
    p = rng.beta(2, 1, 3_000)
    seen = [calibration_error(p, rng.random(len(p)) < p) for _ in range(200)]
    assert perfect_calibration_error(p) == pytest.approx(np.mean(seen), rel=0.05)


def test_differences_equal_the_measures_by_loop(scored: tuple[np.ndarray, np.ndarray]) -> None:
    score, churned = scored
    rule = np.round(np.random.default_rng(8).random(len(score)), 1)
    for rarer_is_churned in (True, False):
        sign, outcome = (1, churned) if rarer_is_churned else (-1, ~churned)
        made = paired_differences(
            score, {"rule": rule}, churned, rarer_is_churned=rarer_is_churned, seed=1, repetitions=20
        )["rule"]
        auc = auc_by_pairs(score, churned) - auc_by_pairs(rule, churned)
        precision = average_precision_by_loop(sign * score, outcome) - average_precision_by_loop(
            sign * rule, outcome
        )
        assert made["roc_auc"].value == pytest.approx(auc, rel=1e-12)
        assert made["average_precision"].value == pytest.approx(precision, rel=1e-12)
        assert made["roc_auc"].low < made["roc_auc"].value < made["roc_auc"].high


def test_the_interval_has_the_width_of_repeated_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Truth: draw the world 300 times. Bootstrap of one draw, on all rows and on a bag of a quarter of them."""
    n = 2_000

    def draw(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        x, noise = rng.standard_normal(n), rng.standard_normal(n)
        return x, x + noise, rng.random(n) < 1 / (1 + np.exp(-1.5 * x))

    def lead(seed: int, repetitions: int) -> tuple[float, float]:
        model, rule, churned = draw(seed)
        made = paired_differences(
            model, {"rule": rule}, churned, rarer_is_churned=True, seed=1, repetitions=repetitions
        )["rule"]["roc_auc"]
        return made.value, made.high - made.low

    width = 2 * 1.96 * np.std([lead(seed, 1)[0] for seed in range(300)])
    assert lead(1_000, 500)[1] == pytest.approx(width, rel=0.2)
    monkeypatch.setattr("lifestage.churn.intervals.BAG", n // 4)
    assert lead(1_000, 500)[1] == pytest.approx(width, rel=0.3)
    assert lead(1_000, 500) == lead(1_000, 500)


def test_what_true_probabilities_would_show() -> None:
    """The interval against plain simulation; the level taken out of the error."""
    rng = np.random.default_rng(3)
    for n in (300, 5_000):
        p = rng.beta(2, 3, n)
        low, high = calibration_interval(p, seed=1)
        drawn = [calibration_error(p, rng.random(n) < p) for _ in range(300)]
        assert np.mean([low <= e <= high for e in drawn]) == pytest.approx(0.95, abs=0.06)
        assert low < perfect_calibration_error(p) < high
    p = rng.beta(2, 3, 50_000)
    moved = 1 / (1 + np.exp(-(np.log(p / (1 - p)) + 0.7)))
    churned = rng.random(50_000) < moved
    assert level_error(p, churned) == pytest.approx(p.mean() - churned.mean())
    assert calibration_error(p, churned) > 0.1
    assert shape_error(p, churned) < 2 * perfect_calibration_error(p)
    assert np.isnan(shape_error(p, np.ones(50_000, bool)))


def test_the_interval_of_the_calibration_error_covers_the_true_one() -> None:
    """Probabilities too low by a shift: the error of 200,000 customers is the truth that samples of 3,000 must cover."""
    rng = np.random.default_rng(11)
    p = rng.beta(2, 3, 200_000)
    true = 1 / (1 + np.exp(-(np.log(p / (1 - p)) + 0.5)))
    truth = calibration_error(p, rng.random(len(p)) < true)
    hits = 0
    for i in range(200):
        some = rng.integers(0, len(p), 3_000)
        low, high = calibration_error_interval(p[some], rng.random(3_000) < true[some], seed=i)
        hits += low <= truth <= high
    assert hits / 200 == pytest.approx(0.95, abs=0.04)
