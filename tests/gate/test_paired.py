"""Relative gains and their intervals against plain loops over the same draws."""

import math
import random

import numpy as np
import pytest

from lifestage.churn.served.dimensions import Dimension
from lifestage.gate.segments import SegmentLoss, brier_gain, compare_segments, relative_gain

N = 160


def forecasts(seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two forecasts with ties and what came, a third of whom churned."""
    rng = np.random.default_rng(seed)
    true = rng.beta(1, 2, N)
    churned = rng.random(N) < true
    good = np.round(np.clip(true + rng.normal(0, 0.1, N), 0.01, 0.99), 2)
    bad = np.round(np.clip(true + rng.normal(0, 0.4, N), 0.01, 0.99), 2)
    return good, bad, churned


def plain_average_precision(scores: list[float], outcomes: list[bool]) -> float:
    """Over descending thresholds, ties together: recall gained x precision."""
    found = taken = total = 0.0
    for threshold in sorted(set(scores), reverse=True):
        hits = sum(1 for s, y in zip(scores, outcomes, strict=True) if s == threshold and y)
        taken += sum(1 for s in scores if s == threshold)
        found += hits
        total += hits * found / taken
    return total / found


def plain_auc(scores: list[float], outcomes: list[bool]) -> float:
    won = pairs = 0.0
    for s, y in zip(scores, outcomes, strict=True):
        for t, z in zip(scores, outcomes, strict=True):
            if y and not z:
                pairs += 1
                won += 1.0 if s > t else 0.5 if s == t else 0.0
    return won / pairs


def plain_quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


@pytest.mark.parametrize("measure", ["average_precision", "roc_auc"])
@pytest.mark.parametrize("rarer_is_churned", [True, False])
def test_the_paired_interval_is_that_of_a_plain_loop(measure: str, rarer_is_churned: bool) -> None:
    good, bad, churned = forecasts()
    value, found = relative_gain(
        good, bad, churned, measure, rarer_is_churned=rarer_is_churned, seed=11, repetitions=40
    )
    plain = plain_average_precision if measure == "average_precision" else plain_auc
    turn = measure == "average_precision" and not rarer_is_churned

    def measured(rows: list[int]) -> tuple[float, float]:
        outcomes = [bool(churned[i]) != turn for i in rows]
        sign = -1.0 if turn else 1.0
        return tuple(plain([sign * float(p[i]) for i in rows], outcomes) for p in (good, bad))  # type: ignore[return-value]

    own, other = measured(list(range(N)))
    rng = np.random.default_rng(11)
    drawn = []
    for _ in range(40):
        a, b = measured([int(i) for i in rng.integers(0, N, N)])
        drawn.append(a - b)
    expected = [(own - other) / other, *(plain_quantile(drawn, share) / other for share in (0.025, 0.975))]
    assert value == pytest.approx(other, rel=1e-12)
    assert found == pytest.approx(expected, rel=1e-10)


def test_brier_gain_is_that_of_a_plain_loop() -> None:
    good, bad, churned = forecasts(5)
    off, theirs = [], []
    for p, q, y in zip(good, bad, churned, strict=True):
        theirs.append((float(q) - float(y)) ** 2)
        off.append((float(q) - float(y)) ** 2 - (float(p) - float(y)) ** 2)
    mean = sum(off) / N
    deviation = math.sqrt(sum((x - mean) ** 2 for x in off) / (N - 1))
    reach = 1.959963984540054 * deviation / math.sqrt(N)
    whole = sum(theirs) / N
    expected = (mean / whole, (mean - reach) / whole, (mean + reach) / whole)
    assert brier_gain(good, bad, churned.astype(float)) == pytest.approx(expected, rel=1e-12)


def test_nothing_is_undefined_aloud() -> None:
    assert all(map(math.isnan, brier_gain(np.ones(1), np.ones(1), np.zeros(1))))
    sure = np.array([1.0, 0.0])
    assert all(map(math.isnan, brier_gain(sure, sure, sure)))


def test_identical_forecasts_gain_nothing() -> None:
    good, _, churned = forecasts()
    _, gain = relative_gain(good, good, churned, "roc_auc", rarer_is_churned=True, seed=1)
    assert gain == (0.0, 0.0, 0.0)


def segments_of(challenger: np.ndarray, champion: np.ndarray, churned: np.ndarray) -> dict[str, SegmentLoss]:
    codes = np.arange(len(churned)) % 2
    halves = Dimension("half", "half", "半", codes, ("even", "odd"))
    rows = compare_segments(
        challenger, champion, churned, [halves], measure="average_precision", rarer_is_churned=True, seed=2
    )
    return {row.level: row for row in rows}


def test_only_the_segment_that_was_spoilt_is_lost() -> None:
    rng = np.random.default_rng(8)
    p = rng.beta(1, 2, 3_000)
    churned = rng.random(3_000) < p
    spoilt = np.where(np.arange(3_000) % 2 == 1, rng.permutation(p), p)
    found = segments_of(spoilt, p, churned)
    assert [name for name, row in found.items() if row.lost(0.1)] == ["odd"]
    assert found["odd"].customers == found["even"].customers == 1_500
    assert found["even"].gain == 0.0


def test_a_segment_whose_level_alone_is_spoilt_is_lost() -> None:
    rng = np.random.default_rng(9)
    p = rng.uniform(0.1, 0.5, 4_000)
    churned = rng.random(4_000) < p
    shifted = np.where(np.arange(4_000) % 2 == 1, p + 0.4, p)  # the order within is the same
    row = segments_of(shifted, p, churned)["odd"]
    assert row.gain == 0.0
    assert row.brier_gain_high < -0.1
    assert row.lost(0.1)


def test_too_few_of_an_outcome_are_no_loss() -> None:
    random.seed(1)
    churned = np.array([False] * 95 + [True] * 5)
    row = segments_of(np.linspace(0, 1, 100), np.linspace(0, 1, 100), churned)["odd"]
    assert math.isnan(row.gain)
    assert not row.lost(0.0)
