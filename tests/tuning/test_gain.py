"""The gain of tuned settings: a slow loop as oracle, and no reward for luck."""

import numpy as np
import pytest
from scipy.stats import t as student

from lifestage.tuning.gain import cross_fitted_gains


def test_equals_a_slow_loop() -> None:
    losses = np.random.default_rng(3).uniform(0.01, 0.05, (5, 2, 7))
    losses[0] += 0.01
    gain, by_cutoff = cross_fitted_gains(losses)
    paired: list[list[float]] = [[], []]
    for group in range(7):
        best, least = 0, float("inf")
        for trial in range(5):
            total = sum(losses[trial, c, g] for c in range(2) for g in range(7) if g % 2 != group % 2)
            if total < least:
                best, least = trial, total
        for c in range(2):
            paired[c].append(losses[0, c, group] - losses[best, c, group])
    for found, addends in (
        (by_cutoff[0], paired[0]),
        (by_cutoff[1], paired[1]),
        (gain, [(a + b) / 2 for a, b in zip(*paired, strict=True)]),
    ):
        low, high = student.interval(0.95, 6, loc=np.mean(addends), scale=np.std(addends, ddof=1) / 7**0.5)
        assert found.mean == pytest.approx(sum(addends))
        assert (found.low, found.high) == pytest.approx((7 * low, 7 * high))


def test_luck_is_not_rewarded_and_a_true_gain_is() -> None:
    """40 trials as good as the defaults: the best looks better on the customers that chose it, and is not."""
    flattered, honest, hits = [], [], 0
    for seed in range(200):
        noise = np.random.default_rng(seed).normal(0.02, 0.002, (40, 2, 20))
        mean = noise.mean(axis=1).sum(axis=1)
        gain, _ = cross_fitted_gains(noise)
        flattered.append(mean[0] - mean.min())
        honest.append(gain.mean)
        hits += gain.significant
    assert np.mean(flattered) > 0.01
    assert abs(np.mean(honest)) < 0.003
    assert hits / 200 < 0.06
    better = np.random.default_rng(1).normal(0.02, 0.001, (3, 2, 20))
    better[2] -= 0.003
    assert cross_fitted_gains(better)[0].significant


def test_the_defaults_alone_gain_nothing() -> None:
    gain, _ = cross_fitted_gains(np.full((1, 2, 20), 0.03))
    assert (gain.mean, gain.low, gain.high) == (0, 0, 0)
    assert not gain.significant
