"""The study in its SQLite file: one trial after another, each the same whether the search ran through or in parts."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import optuna
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from lifestage.boosting import Boosting
from lifestage.churn.monotone import monotone_settings
from lifestage.churn.training import Watch, settings_for
from lifestage.errors import InputError
from lifestage.history_file import HistoryFile
from lifestage.ragged import Floats
from lifestage.settings import Shop
from lifestage.tuning.material import Material, fitted_losses

RECIPE = 1
"""Raised with every change that makes new trials incomparable with old ones."""
RANDOM_TRIALS = 10
"""Before the Parzen estimators are asked."""
UNPRUNED = 5
"""Complete trials before any is pruned."""
SHRINKAGE_A_STEP = 0.5
"""Trials are compared at the same sum of learning rates over trees (17 trees of 0.03): at the same tree, slow
learners would always lose."""
UNPRUNED_STEPS = 4
STEPS_A_PART = 100_000
LOSSES, TREES = "losses", "trees"
"""Attributes of a complete trial: addends of the log loss (cutoffs x groups), trees at each cutoff."""

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


def study_name(shop: Shop, file: HistoryFile) -> str:
    """The shop's, with a digest of all that a trial's value depends on: data, what churn means, features, seed."""
    facts = {key: file.facts[key] for key in ("fingerprint", "as_of", "observed_until", "first_row")}
    churn = shop.churn.model_dump(mode="json", exclude={"settings", "monotone", "grade_measure"})
    features = shop.features.model_dump(mode="json")
    text = json.dumps([RECIPE, lightgbm.__version__, facts, churn, features], sort_keys=True)
    return f"{shop.shop}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def open_study(path: Path, name: str) -> optuna.Study:
    """The study of that name, new or resumed; a trial that was cut off counts as failed and is run again.

    The caller sees to it that nobody else is running it. Raises InputError where the file is damaged.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if path.exists():
            with closing(sqlite3.connect(path)) as database:
                found = database.execute("PRAGMA quick_check").fetchone()[0]
            if found != "ok":
                raise sqlite3.DatabaseError(found)
        study = optuna.create_study(
            storage=f"sqlite:///{path}",
            study_name=name,
            direction="minimize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(UNPRUNED, UNPRUNED_STEPS),
        )
        for cut_off in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(cut_off.number, state=TrialState.FAIL)
    except (sqlite3.DatabaseError, SQLAlchemyError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{path}: is damaged or no file of ours ({reason}); move it away, and tuning begins anew"
        ) from None
    return study


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Complete and pruned trials, in order."""
    return study.get_trials(deepcopy=False, states=FINISHED)


def complete(study: optuna.Study) -> list[FrozenTrial]:
    """In order; the first is the defaults."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def losses_of(trials: list[FrozenTrial]) -> Floats:
    """Of complete trials, shape (trials, cutoffs, groups)."""
    return np.array([trial.user_attrs[LOSSES] for trial in trials])


def defaults(rows: int) -> dict[str, Any]:
    """What training uses for so many rows, as parameters of a trial."""
    chosen = settings_for(rows, 0)
    names = ("learning_rate", "num_leaves", "min_data_in_leaf", "lambda_l2", "feature_fraction")
    return {**{name: chosen[name] for name in names}, "bagging_fraction": 1.0}


def suggested(trial: Trial, rows: int, monotone: bool) -> dict[str, Any]:
    """Keys of the configuration's `churn` section; `monotone` where any feature has an agreed direction.

    Around the defaults, wide enough that their optimum lies inside for small shops and large ones.
    """
    leaf = defaults(rows)["min_data_in_leaf"]
    numbers = {
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 3, 64, log=True),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", max(2, leaf // 8), leaf * 4, log=True),
        "lambda_l2": trial.suggest_float("lambda_l2", 0.1, 200.0, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.2, 1.0),
        "bagging_fraction": trial.suggest_float("bagging_fraction", 0.4, 1.0),
    }
    section = {"settings": {k: v if isinstance(v, int) else float(f"{v:.3g}") for k, v in numbers.items()}}
    return (
        {**section, "monotone": trial.suggest_categorical("monotone", [False, True])} if monotone else section
    )


def section_of(trial: FrozenTrial, rows: int) -> dict[str, Any]:
    """The part of the `churn` section that makes training use a trial's settings."""
    return suggested(optuna.trial.FixedTrial(trial.params), rows, "monotone" in trial.params)


Evaluate = Callable[[int, Mapping[str, Any], Watch], tuple[Floats, int]]
"""(index of the part, keys of the churn section, watch) -> addends of the log loss, trees."""


def evaluator(shop: Shop, material: Material) -> Evaluate:
    """Fits a trial's settings to one part of the material."""

    def evaluate(index: int, section: Mapping[str, Any], watch: Watch) -> tuple[Floats, int]:
        settings = Boosting(**section["settings"]).parameters()
        if section.get("monotone"):
            settings |= monotone_settings(material.names)
        return fitted_losses(shop, material.spec, material.parts[index], settings, watch)

    return evaluate


def search(
    study: optuna.Study,
    evaluate: Evaluate,
    *,
    parts: int,
    rows: int,
    monotone: bool,
    seed: int,
    trials: int,
    go_on: Callable[[], bool] = lambda: True,
) -> Iterator[FrozenTrial]:
    """So many further trials, each as it ends; the first of a study are the defaults, never pruned.

    `go_on` is asked before each but the first. Each trial's sampler is seeded by its place, so that two runs of two
    trials give what one of four gives. The value is the mean over the parts of their validation log loss.
    """
    for i in range(trials):
        if i and not go_on():
            return
        done = len(finished(study))
        if not done and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            study.enqueue_trial(defaults(rows) | ({"monotone": False} if monotone else {}))
        study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=RANDOM_TRIALS, multivariate=True, seed=seed + done
        )
        trial = study.ask()
        try:
            section = suggested(trial, rows, monotone)
            losses, trees = _run(trial, evaluate, section, parts)
        except optuna.TrialPruned:
            yield study.tell(trial, state=TrialState.PRUNED)
        except BaseException:
            study.tell(trial, state=TrialState.FAIL)
            raise
        else:
            trial.set_user_attr(LOSSES, [part.tolist() for part in losses])
            trial.set_user_attr(TREES, trees)
            yield study.tell(trial, float(np.mean([part.sum() for part in losses])))


def _run(
    trial: Trial, evaluate: Evaluate, section: Mapping[str, Any], parts: int
) -> tuple[list[Floats], list[int]]:
    """A trial's fits, one part after another; reports the gain over the base so far, summed over the parts."""
    losses, trees, gained = [], [], 0.0
    for index in range(parts):
        watch = _Watch(trial, index, section["settings"]["learning_rate"], gained, parts)
        part, grown = evaluate(index, section, watch)
        losses.append(part)
        trees.append(grown)
        gained = watch.best
    return losses, trees


class _Watch:
    """Reports a part's validation log loss less that of the base, which falls from part to part: so a trial's best
    so far is comparable at every step. Raises TrialPruned where it is worse than the median of the others."""

    def __init__(self, trial: Trial, index: int, learning_rate: float, gained: float, parts: int) -> None:
        self.trial, self.learning_rate, self.parts = trial, learning_rate, parts
        self.before = self.best = gained
        self.offset = index * STEPS_A_PART
        self.base, self.step = 0.0, 0

    def __call__(self, trees: int, loss: float) -> None:
        if trees == 0:
            self.base = loss
            return
        now = self.before + (loss - self.base) / self.parts
        self.best = min(self.best, now)
        step = int(trees * self.learning_rate / SHRINKAGE_A_STEP + 1e-9)
        if step > self.step:
            self.step = step
            self.trial.report(now, self.offset + step)
            if self.trial.should_prune():
                raise optuna.TrialPruned
