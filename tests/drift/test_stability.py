"""The stability index against a plain loop, its closed forms, and chance."""

import math

import numpy as np
import pytest

from lifestage.drift.stability import by_chance, excess, highest_by_chance, stability_index

RUNS = 2_000


def loop(then: list[int], now: list[int]) -> float:
    """PSI bin by bin, half a count added to each bin that either holds."""
    kept = [(a, b) for a, b in zip(then, now, strict=True) if a or b]
    n = sum(a for a, _ in kept) + len(kept) / 2
    m = sum(b for _, b in kept) + len(kept) / 2
    total = 0.0
    for a, b in kept:
        p, q = (a + 0.5) / n, (b + 0.5) / m
        total += (q - p) * math.log(q / p)
    return total


def test_the_index_is_the_sum_over_bins() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        then, now = rng.integers(0, 40, (2, 9))
        assert stability_index(then, now) == pytest.approx(loop(then.tolist(), now.tolist()), abs=1e-12)


def test_two_bins_by_hand() -> None:
    """A third of the customers become two thirds: 2 x 1/3 x ln 2, but for the half counts."""
    many = 10**9
    found = stability_index(np.array([many, 2 * many]), np.array([2 * many, many]))
    assert found == pytest.approx(2 / 3 * math.log(2), abs=1e-6)
    assert stability_index(np.array([5, 5]), np.array([5, 5])) == 0


def test_a_steady_shift_grows_with_its_square() -> None:
    """J-divergence of two normal laws that lie d standard deviations apart: d squared."""
    from scipy.stats import norm

    edges = np.linspace(-6, 8, 1_401)
    shares = [np.diff(norm.cdf(edges, loc=d)) for d in (0.0, 0.1, 0.3)]
    counts = [np.rint(s * 1e12).astype(np.int64) for s in shares]
    assert stability_index(counts[0], counts[1]) == pytest.approx(0.01, rel=0.01)
    assert stability_index(counts[0], counts[2]) == pytest.approx(0.09, rel=0.01)


@pytest.mark.parametrize(("n", "m"), [(300, 300), (2_000, 500), (400, 8_000)])
def test_chance_alone_has_the_mean_and_the_tail_that_we_say(n: int, m: int) -> None:
    rng = np.random.default_rng(7)
    p = np.full(10, 0.1)
    then, now = rng.multinomial(n, p, RUNS), rng.multinomial(m, p, RUNS)
    found = np.array([stability_index(a, b) for a, b in zip(then, now, strict=True)])
    assert by_chance(then[0], now[0]) == pytest.approx(9 * (1 / n + 1 / m))
    assert found.mean() == pytest.approx(by_chance(then[0], now[0]), rel=0.06)
    limit = highest_by_chance(then[0], now[0], 0.01)
    assert (found > limit).mean() == pytest.approx(0.01, abs=0.008)


def test_bins_that_nobody_is_in_do_not_count() -> None:
    then, now = np.array([50, 50, 0, 0]), np.array([40, 60, 0, 0])
    assert stability_index(then, now) == stability_index(then[:2], now[:2])
    assert by_chance(then, now) == by_chance(then[:2], now[:2]) == pytest.approx(1 / 100 + 1 / 100)
    assert excess(np.array([50, 50]), np.array([50, 50])) == 0
    assert highest_by_chance(np.array([9]), np.array([9]), 0.01) == 0
