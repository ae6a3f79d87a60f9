"""Training on a world whose probabilities are known; same bytes from the same seed; bad samples."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lifestage.churn.dataset import Sample
from lifestage.churn.metrics import calibration_error, perfect_calibration_error
from lifestage.churn.training import MAX_TREES, Fit, fit, refit, settings_for
from lifestage.errors import InputError

RULE = {"seed": 7, "horizon_days": 90, "active_within_days": 365, "num_threads": 1}


def test_probabilities_come_near_the_truth(
    fits: tuple[Fit, Fit], simulate: Callable[..., Sample], true_probability: Callable[..., np.ndarray]
) -> None:
    test = simulate(20_000, 9)
    truth = true_probability(test)
    for fitted in fits:
        p = fitted.model.predict(test.features)
        assert np.corrcoef(p, truth)[0, 1] > 0.95
        assert calibration_error(p, test.churned) < 0.03
        assert np.mean(np.abs(p - truth)) < 0.08
    gain = fits[0].model.importance()
    assert sum(gain.values()) == pytest.approx(1)
    assert set(list(gain)[:2]) == {"x0", "x1"}


def test_a_drift_of_the_base_rate_is_calibrated_away(simulate: Callable[..., Sample]) -> None:
    """Customers churn more at validation and after than in training: the trees do not know, the map does."""
    fitted = fit(simulate(4_000, 1), simulate(6_000, 2, shift=1.0), **RULE)
    test = simulate(20_000, 9, shift=1.0)
    p = fitted.model.predict(test.features)
    raw = fitted.model.booster.predict(np.column_stack(list(test.features.values())))
    assert calibration_error(raw, test.churned) > 0.1
    assert calibration_error(p, test.churned) < 0.03 + perfect_calibration_error(p)


def test_same_seed_same_bytes(simulate: Callable[..., Sample]) -> None:
    train, validation = simulate(1_000, 1), simulate(600, 2)
    first, second, other = (fit(train, validation, **{**RULE, "seed": seed}) for seed in (7, 7, 8))
    assert first == replace(second, model=first.model)
    assert first.model.fits == second.model.fits
    assert other.model.fits["evaluation"].text != first.model.fits["evaluation"].text
    shipped = [refit(fitted, train, seed=7).model.fits for fitted in (first, second)]
    assert shipped[0] == shipped[1]


def test_trees_do_not_depend_on_threads(fits: tuple[Fit, Fit], simulate: Callable[..., Sample]) -> None:
    """Few trees: threads that wait for each other are slow on a busy machine."""
    few = replace(fits[0], trees=8)
    one, two = (refit(few, simulate(1_000, 3), seed=7, num_threads=n).model.fits["shipped"] for n in (1, 2))
    assert one == two


def test_stops_where_validation_is_best_and_refits_with_as_many_trees(fits: tuple[Fit, Fit]) -> None:
    evaluated, shipped = fits
    losses = evaluated.validation_log_loss
    assert evaluated.trees == 1 + int(np.argmin(losses)) < len(losses)
    assert evaluated.trees == evaluated.model.booster.num_trees() == shipped.model.booster.num_trees()
    assert evaluated.settings == shipped.settings
    assert shipped.model.calibrator == evaluated.refit_calibrator
    assert shipped.model.fits["evaluation"] == evaluated.model.fits["evaluation"]
    assert shipped.model.fits["shipped"].text != evaluated.model.fits["evaluation"].text


def test_progress_counts_every_tree(simulate: Callable[..., Sample]) -> None:
    seen: list[tuple[int, int]] = []
    fitted = fit(
        simulate(500, 1), simulate(500, 2), **RULE, progress=lambda done, total: seen.append((done, total))
    )
    assert [done for done, _ in seen] == list(range(1, len(seen) + 1))
    assert seen[0] == (1, MAX_TREES)
    assert len(seen) >= fitted.trees


def test_noise_gives_everyone_about_the_base_rate(simulate: Callable[..., Sample]) -> None:
    def noise(n: int, seed: int) -> Sample:
        made = simulate(n, seed)
        return Sample(made.features, np.random.default_rng(seed).random(n) < 0.7, made.cutoff)

    fitted = fit(noise(60, 1), noise(2_000, 2), **RULE)
    p = fitted.model.predict(noise(2_000, 3).features)
    assert np.abs(p - 0.7).max() < 0.1


def test_no_class_is_reweighted() -> None:
    for rows in (60, 5_000, 100_000, 2_000_000):
        assert not {"is_unbalance", "scale_pos_weight"} & set(settings_for(rows, 1))
    leaves = [settings_for(rows, 1)["min_data_in_leaf"] for rows in (60, 5_000, 100_000)]
    assert leaves == [10, 50, 500]


def _with(sample: Sample, churned: np.ndarray) -> Sample:
    return Sample(sample.features, churned, sample.cutoff)


def test_bad_samples_are_refused(simulate: Callable[..., Sample], fits: tuple[Fit, Fit]) -> None:
    good = simulate(200, 1)
    with pytest.raises(InputError, match="churn training: 20 eligible customers, at least 50 are needed"):
        fit(simulate(20, 1), good, **RULE)
    with pytest.raises(InputError, match=r"churn training: 200 of 200 eligible customers churned.*lengthen"):
        fit(_with(good, np.ones(200, bool)), good, **RULE)
    with pytest.raises(InputError, match=r"churn validation: 0 of 200 eligible customers churned.*shorten"):
        fit(good, _with(good, np.zeros(200, bool)), **RULE)
    constant = Sample({"a": np.ones(200), "b": np.full(200, np.nan)}, good.churned, good.cutoff)
    with pytest.raises(InputError, match="all 2 features are constant"):
        fit(constant, constant, **RULE)
    with pytest.raises(InputError, match="missing: x0, x1, x2, x3; unknown: a"):
        fit(good, Sample({"a": np.arange(200.0)}, good.churned, good.cutoff), **RULE)
    with pytest.raises(InputError, match="shipped churn fit needs the features it was found with"):
        refit(fits[0], Sample({"a": np.arange(200.0)}, good.churned, good.cutoff), seed=7)
