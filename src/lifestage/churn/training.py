"""Fitting the churn classifier: a linear base, boosted until validation stops improving, calibrated out of time."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import lightgbm as lgb
import numpy as np
from scipy.special import log_expit

from lifestage.churn.base import TERMS, Base, Transform, fit_base
from lifestage.churn.calibration import Calibrator, calibrate
from lifestage.churn.dataset import Sample, matrix
from lifestage.churn.model import ChurnModel, FitName, Trees
from lifestage.errors import InputError
from lifestage.features import PLAIN, FeatureSpec
from lifestage.ragged import Bools, Floats

MIN_ROWS = 50
MIN_PER_CLASS = 5
MAX_TREES = 2_000
DAMPING = 0.5
"""Share of the shift in level, seen between training and validation, that a refit expects to go on.

Over the horizon between its own newest labels and the customers it scores the level may move as far again, or
back. Half of it, as in damped trends (Gardner & McKenzie 1985): of 0, 1/4, 1/2, 3/4 and 1 no share was best for
each of four shops at 43 cutoffs; all of it was worst where the level swings, none where it goes one way.
"""
PATIENCE = 50
"""Trees without a better validation log loss before the boosting stops."""

THREADS_FROM_ROWS = 200_000
"""Below this one thread takes seconds, and several that wait for each other on a busy machine take minutes."""

Progress = Callable[[int, int], None]
"""Called after each tree with (trees so far, most trees possible)."""
Watch = Callable[[int, float], None]
"""Called with (0, log loss of the base) and after each tree with (trees so far, log loss), on validation before
calibration; what it raises ends the fit."""


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
    """Before calibration, after each tree; empty in a refit and without trees."""
    terms: tuple[tuple[str, Transform], ...]
    """What the base was offered."""
    refit_calibrator: Calibrator
    """The map of the fits that are refitted through newer cutoffs."""


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
    orders: Mapping[str, float] | None = None,
    terms: Sequence[tuple[str, Transform]] | None = None,
    settings: Mapping[str, Any] | None = None,
    max_trees: int = MAX_TREES,
    num_threads: int = 0,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Fit:
    """One classifier for all rows of `train` (its label windows end no later than `validation`'s cutoff).

    log-odds = base + trees: the base is a logistic regression on `terms` (by default those of the definition),
    the trees are boosted from it. No class is reweighted, so that probabilities are true. The number of trees is
    the one of least log loss on `validation`; the calibration is fitted there too. The same data and seed give
    the same bytes, and the trees do not depend on `num_threads` (0 = one below THREADS_FROM_ROWS rows, else all
    cores). `definition`, `horizon_days`, `active_within_days` and `grace_days` say what the labels mean, `spec`
    how the features are made, `orders` the parameters behind its order columns; the model carries them.
    `settings`: LightGBM parameters in place of `settings_for`'s. `max_trees` 0: the base alone, a plain rule.
    `watch` sees the validation log loss tree by tree.

    Raises InputError for too few rows, one class only, constant features, or features that differ.
    """
    _check(train, "training")
    _check(validation, "validation")
    _check_features(train)
    names = train.names
    chosen = {**settings_for(len(train), seed), **(settings or {})}
    offered = tuple(TERMS.get(definition, ()) if terms is None else terms)
    base = fit_base(train, offered)
    held_out = matrix(validation.features, names)
    score = base(validation.features)
    text, trees, losses = "", 0, ()
    if max_trees:
        history: dict[str, Any] = {}
        data = _dataset(train, names, base)
        threads = _threads(train, num_threads)
        before = _log_loss(score, validation.churned)
        if watch is not None:
            watch(0, before)
        booster = lgb.train(
            {**chosen, "num_threads": threads},
            data,
            max_trees,
            valid_sets=[data.create_valid(held_out, validation.churned.astype(np.float64), init_score=score)],
            valid_names=["validation"],
            callbacks=[
                lgb.early_stopping(PATIENCE, verbose=False),
                lgb.record_evaluation(history),
                *_reporting(progress),
                *_watching(watch),
            ],
        )
        losses = tuple(history["validation"]["binary_logloss"])
        if min(losses) < before:  # else the trees only spoil the base
            trees = int(booster.best_iteration)
            text = _text(booster, trees)
            score = score + booster.predict(
                held_out, raw_score=True, num_iteration=trees, num_threads=threads
            )
    calibrator = calibrate(score, validation.churned, seed=seed)
    model = ChurnModel(
        {"evaluation": Trees(text, calibrator, base, orders)},
        "evaluation",
        features=names,
        horizon_days=horizon_days,
        active_within_days=active_within_days,
        spec=spec,
        definition=definition,
        grace_days=grace_days,
    )
    later = calibrator.damped(score, DAMPING)
    return Fit(model, chosen, trees, len(train), train.base_rate, losses, offered, later)


def refit(
    found: Fit,
    sample: Sample,
    *,
    seed: int,
    name: FitName = "shipped",
    orders: Mapping[str, float] | None = None,
    num_threads: int = 0,
    progress: Progress | None = None,
) -> Fit:
    """`found`'s settings, number of trees and calibration, trained on newer cutoffs: the fit `name` of the model.

    The evaluation fit goes through the validation cutoff, the shipped one through the newest complete cutoff:
    each has used all labels that are known one horizon before the customers it is used on, so that what the one
    is graded at, the other will do. No labels are left to calibrate it out of time: it keeps the map, with DAMPING
    of the shift in level. `orders`: parameters behind the order columns of the customers it will score.

    Raises InputError as `fit` does.
    """
    _check(sample, f"{name} training")
    _check_features(sample)
    model = found.model
    if sample.names != model.features:
        raise InputError(
            f"the {name} churn fit needs the features it was found with; build all samples alike"
        )
    settings = {**found.settings, "seed": seed}
    base, text = fit_base(sample, found.terms), ""
    if found.trees:
        booster = lgb.train(
            {**settings, "num_threads": _threads(sample, num_threads)},
            _dataset(sample, model.features, base),
            found.trees,
            callbacks=_reporting(progress),
        )
        text = _text(booster, found.trees)
    again = ChurnModel(
        {**model.fits, name: Trees(text, found.refit_calibrator, base, orders)},
        name,
        features=model.features,
        horizon_days=model.horizon_days,
        active_within_days=model.active_within_days,
        spec=model.spec,
        definition=model.definition,
        grace_days=model.grace_days,
    )
    return replace(
        found,
        model=again,
        settings=settings,
        rows=len(sample),
        base_rate=sample.base_rate,
        validation_log_loss=(),
    )


def _log_loss(score: Floats, churned: Bools) -> float:
    """Of log-odds `score`, a row on average."""
    return float(-log_expit(np.where(churned, score, -score)).mean())


def _threads(sample: Sample, num_threads: int) -> int:
    return 1 if num_threads == 0 and len(sample) < THREADS_FROM_ROWS else num_threads


def _dataset(sample: Sample, names: tuple[str, ...], base: Base) -> lgb.Dataset:
    return lgb.Dataset(
        matrix(sample.features, names),
        sample.churned.astype(np.float64),
        init_score=base(sample.features),
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


def _watching(watch: Watch | None) -> list[Callable[[Any], None]]:
    if watch is None:
        return []
    return [lambda env: watch(env.iteration + 1, float(env.evaluation_result_list[0][2]))]


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
