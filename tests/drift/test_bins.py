"""Bins: about equal, single values apart, missing ones apart, texts."""

import numpy as np

from lifestage.drift.bins import LEVELS, Bins, learn_bins


def counts_by_loop(bins: Bins, values: list[float]) -> list[int]:
    """One value after the other."""
    found = [0] * len(bins)
    for value in values:
        if np.isnan(value):
            found[-1] += 1
            continue
        for i, edge in enumerate(bins.edges):
            if value <= edge:
                found[i] += 1
                break
        else:
            found[len(bins.edges)] += 1
    return found


def test_ten_bins_of_about_equally_many() -> None:
    values = np.random.default_rng(0).gamma(2.0, size=5_000)
    bins = learn_bins(values)
    counts = bins.counts(values)
    assert len(bins.edges) == 9 and counts[-1] == 0
    assert np.abs(counts[:-1] - 500).max() <= 1


def test_zero_and_frequent_values_have_a_bin_of_their_own() -> None:
    rng = np.random.default_rng(1)
    values = np.concatenate([np.zeros(60), np.full(500, 5.0), rng.uniform(1, 9, 2_000), np.full(40, np.nan)])
    bins = learn_bins(values)
    counts = bins.counts(values).tolist()
    assert counts == counts_by_loop(bins, values.tolist())
    assert counts[bins.edges.index(0.0)] == 60
    assert counts[bins.edges.index(5.0)] == 500
    assert counts[-1] == 40
    moved = values.copy()
    moved[moved == 5.0] = 4.999
    assert bins.counts(moved)[bins.edges.index(5.0)] == 0


def test_few_values_get_few_bins_and_values_never_seen_a_place() -> None:
    bins = learn_bins(np.arange(1.0, 101.0))
    assert len(bins.edges) == 3
    assert bins.counts(np.array([-50.0, 1e9, np.inf, np.nan])).tolist() == [1, 0, 0, 2, 1]
    empty = learn_bins(np.full(9, np.nan))
    assert empty.counts(np.array([1.0, np.nan])).tolist() == [1, 1]
    constant = learn_bins(np.full(200, 3.0))
    assert constant.counts(np.array([2.0, 3.0, 4.0])).tolist() == [1, 1, 1, 0]


def test_texts_by_their_frequency() -> None:
    texts = [f"t{i}" for i in range(LEVELS + 5) for _ in range(40 - i)] + [None, None]
    bins = learn_bins(np.array(texts, object))
    counts = bins.counts(np.array(texts, object))
    assert bins.levels is not None and len(bins.levels) == LEVELS
    assert (
        counts[0] == 40 and counts[-1] == 2 and counts[-2] == sum(40 - i for i in range(LEVELS, LEVELS + 5))
    )
    assert bins.counts(np.array(["new", None], object))[-2:].tolist() == [1, 1]
