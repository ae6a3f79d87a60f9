"""Fitting the churn classifier: boosted until validation stops improving, then calibrated out of time."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np

from lifestage.churn.calibration import calibrate
from lifestage.churn.dataset import Sample, matrix
from lifestage.churn.model import ChurnModel, Trees
from lifestage.errors import InputError
from lifestage.features import PLAIN, FeatureSpec

MIN_ROWS = 50
MIN_PER_CLASS = 5
MAX_TREES = 2_000
PATIENCE = 50
"""Trees without a better validation log loss before the boosting stops."""

THREADS_FROM_ROWS = 200_000
"""Below this one thread takes seconds, and several that wait for each other on a busy machine take minutes."""

Progress = Callable[[int, int], None]
"""Called after each tree with (trees so far, most trees possible)."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A trained classifier with all that a refit and a report need."""

    model: ChurnModel
    settings: Mapping[str, Any]
    """LightGBM parameters, without threads."""
    trees: int
    rows: int
    base_rate: float
    """Share of churned rows in training."""
    validation_log_loss: tuple[float, ...]
    """Before calibration, after each tree; empty in a refit."""


def settings_for(rows: int, seed: int) -> dict[str, Any]:
    """LightGBM parameters for a sample of so many rows (customers x cutoffs).

    Small trees, half of the features a tree, strong shrinkage: rows at neighbouring cutoffs are much alike,
    so their number overstates what is known. Fixed by size, not searched: of nine settings compared at the
    test cutoffs of sixteen folds of three shops (3,000 to 140,000 rows) none was ahead of these by more than
    .003 in a shop's mean AUC. Above 140,000 rows they are a guess.
    """
    leaf = int(np.clip(rows // 100, 10, 500))
    return {
        "objective": "binary",
        "metric": "binary_logloss",
        "learning_rate": 0.03 if rows < 500_000 else 0.06,
        "num_leaves": 8 if rows < 50_000 else 16 if rows < 500_000 else 31,
        "min_data_in_leaf": leaf,
        "min_sum_hessian_in_leaf": leaf / 10,  # the same rows where outcomes are even, more where one is rare
        "lambda_l2": 10.0,
        "feature_fraction": 0.5,
        "max_bin": 255,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,  # else LightGBM times both ways and takes the faster: not reproducible
        "verbosity": -1,
    }


def fit(
    train: Sample,
    validation: Sample,
    *,
    seed: int,
    horizon_days: int,
    active_within_days: int,
    spec: FeatureSpec = PLAIN,
    definition: str = "purchase",
    grace_days: int = 0,
    num_threads: int = 0,
    progress: Progress | None = None,
) -> Fit:
    """One classifier for all rows of `train` (its label windows end no later than `validation`'s cutoff).

    No class is reweighted, so that probabilities are true. The number of trees is the one of least log loss
    on `validation`; the calibration is fitted there too. The same data and seed give the same bytes, and the
    trees do not depend on `num_threads` (0 = one below THREADS_FROM_ROWS rows, else all cores).
    `definition`, `horizon_days`, `active_within_days` and `grace_days` say what the labels mean, `spec` how the
    features are made; the model carries them.

    Raises InputError for too few rows, one class only, constant features, or features that differ.
    """
    _check(train, "training")
    _check(validation, "validation")
    _check_features(train)
    names, settings = train.names, settings_for(len(train), seed)
    held_out = matrix(validation.features, names)
    history: dict[str, Any] = {}
    data = _dataset(train, names)
    booster = lgb.train(
        {**settings, "num_threads": _threads(train, num_threads)},
        data,
        MAX_TREES,
        valid_sets=[data.create_valid(held_out, validation.churned.astype(np.float64))],
        valid_names=["validation"],
        callbacks=[
            lgb.early_stopping(PATIENCE, verbose=False),
            lgb.record_evaluation(history),
            *_reporting(progress),
        ],
    )
    trees = int(booster.best_iteration)
    score = booster.predict(
        held_out, raw_score=True, num_iteration=trees, num_threads=_threads(train, num_threads)
    )
    calibrator = calibrate(np.asarray(score, np.float64), validation.churned, seed=seed)
    model = ChurnModel(
        {"evaluation": Trees(_text(booster, trees), calibrator)},
        "evaluation",
        features=names,
        horizon_days=horizon_days,
        active_within_days=active_within_days,
        spec=spec,
        definition=definition,
        grace_days=grace_days,
    )
    losses = tuple(history["validation"]["binary_logloss"])
    return Fit(model, settings, trees, len(train), train.base_rate, losses)


def refit(
    evaluation: Fit,
    sample: Sample,
    *,
    seed: int,
    num_threads: int = 0,
    progress: Progress | None = None,
) -> Fit:
    """The shipped fit: `evaluation`'s settings, number of trees and calibration, trained on newer cutoffs.

    No labels are left to calibrate it out of time, so it keeps the evaluation fit's map. That map looks
    exactly as far ahead as the shipped fit has to: validation lies one horizon after the newest training
    cutoff, and the first day to score lies one horizon after the newest cutoff of `sample`.

    Raises InputError as `fit` does.
    """
    _check(sample, "shipped training")
    _check_features(sample)
    model = evaluation.model
    if sample.names != model.features:
        raise InputError(
            "the shipped churn fit needs the features of the evaluation fit; build both samples alike"
        )
    settings = {**evaluation.settings, "seed": seed}
    booster = lgb.train(
        {**settings, "num_threads": _threads(sample, num_threads)},
        _dataset(sample, model.features),
        evaluation.trees,
        callbacks=_reporting(progress),
    )
    shipped = ChurnModel(
        {**model.fits, "shipped": Trees(_text(booster, evaluation.trees), model.calibrator)},
        "shipped",
        features=model.features,
        horizon_days=model.horizon_days,
        active_within_days=model.active_within_days,
        spec=model.spec,
        definition=model.definition,
        grace_days=model.grace_days,
    )
    return Fit(shipped, settings, evaluation.trees, len(sample), sample.base_rate, ())


def _threads(sample: Sample, num_threads: int) -> int:
    return 1 if num_threads == 0 and len(sample) < THREADS_FROM_ROWS else num_threads


def _dataset(sample: Sample, names: tuple[str, ...]) -> lgb.Dataset:
    return lgb.Dataset(
        matrix(sample.features, names),
        sample.churned.astype(np.float64),
        feature_name=list(names),
        categorical_feature=list(sample.categorical),
    )


def _text(booster: lgb.Booster, trees: int) -> str:
    """The text format, without the one line that depends on the machine and not on the model."""
    text: str = booster.model_to_string(num_iteration=trees)
    return re.sub(r"^\[num_threads: -?\d+\]$", "[num_threads: 0]", text, flags=re.MULTILINE)


def _reporting(progress: Progress | None) -> list[Callable[[Any], None]]:
    if progress is None:
        return []
    return [lambda env: progress(env.iteration + 1, env.end_iteration)]


def _check(sample: Sample, part: str) -> None:
    n, churned = len(sample), int(np.count_nonzero(sample.churned))
    if n < MIN_ROWS:
        raise InputError(
            f"churn {part}: {n} eligible customers, at least {MIN_ROWS} are needed; "
            "widen churn.active_within_days or give more history"
        )
    if min(churned, n - churned) < MIN_PER_CLASS:
        raise InputError(
            f"churn {part}: {churned} of {n} eligible customers churned and {n - churned} stayed, at least "
            f"{MIN_PER_CLASS} of each are needed; {'lengthen' if churned > n - churned else 'shorten'} "
            "churn.horizon_days or give more history"
        )


def _check_features(sample: Sample) -> None:
    if all(_constant(values) for values in sample.features.values()):
        raise InputError(
            f"churn: all {len(sample.features)} features are constant, so nothing tells customers apart; "
            "check the column mapping of the sources"
        )


def _constant(values: np.ndarray[Any, np.dtype[np.float64]]) -> bool:
    missing = np.isnan(values)
    return bool(missing.all() or (not missing.any() and (values == values[0]).all()))
