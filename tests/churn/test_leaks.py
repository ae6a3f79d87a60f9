"""The leak detector against a plain count of pairs."""

import numpy as np
import pytest

from lifestage.churn.dataset import Sample
from lifestage.churn.leaks import category_auc, leaking, refuse_leaks, single_auc
from lifestage.errors import InputError

RNG = np.random.default_rng(5)
N = 400
CHURNED = np.arange(N) % 2 == 0


def pairs(values: np.ndarray, churned: np.ndarray) -> float:
    """Share of (leaver, stayer) pairs in order, ties half."""
    won = [(a > b) + (a == b) / 2 for a in values[churned] for b in values[~churned]]
    auc = float(np.mean(won))
    return max(auc, 1 - auc)


def a_sample(**extra: np.ndarray) -> Sample:
    features = {"noise": RNG.normal(size=N), "good": RNG.normal(size=N) + CHURNED, **extra}
    return Sample(
        features, CHURNED, np.zeros(N, np.int64), categorical=("reason",) if "reason" in extra else ()
    )


def test_auc_is_the_share_of_pairs_in_order() -> None:
    for values in (RNG.normal(size=N) + CHURNED, RNG.integers(0, 4, N).astype(float), -CHURNED.astype(float)):
        assert single_auc(values, CHURNED) == pytest.approx(pairs(values, CHURNED))


def test_what_is_missing_can_tell_all() -> None:
    values = np.where(CHURNED, np.nan, RNG.normal(size=N))
    assert single_auc(values, CHURNED) == 1
    codes = np.where(CHURNED, np.nan, RNG.integers(0, 3, N))
    assert category_auc(codes, CHURNED) == 1


def test_a_feature_that_knows_the_answer_stops_training() -> None:
    leak = CHURNED + RNG.normal(scale=0.1, size=N)
    reason = np.where(CHURNED, 1.0, RNG.integers(0, 2, N) * 2.0)  # no order in its codes
    sample = a_sample(cancelled_days=leak, reason=reason)
    assert {name for name, _ in leaking(sample, 0.97)} == {"cancelled_days", "reason"}
    with pytest.raises(InputError, match=r"'cancelled_days' \(AUC 1\.000\).*raise features.max_single_auc"):
        refuse_leaks(sample, 0.97)
    refuse_leaks(sample, 1.0)
    refuse_leaks(a_sample(), 0.97)


def test_small_samples_are_not_judged() -> None:
    few = np.arange(N) < 20
    sample = Sample({"lucky": few.astype(float)}, few, np.zeros(N, np.int64))
    assert leaking(sample, 0.97) == []
