"""What a shop's configuration means for its history: definition of churn, cutoffs, features; how progress is told."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from lifestage.features import FeatureSpec, learn
from lifestage.folds import Folds, folds_of_labels, make_folds
from lifestage.history_file import HistoryFile
from lifestage.labels import Definition
from lifestage.localtime import day_of
from lifestage.settings import Shop

Progress = Callable[[str, int | None], AbstractContextManager[Callable[[int], Any]]]
"""Opens a progress display: (label, total or None) -> context of a function that takes what was done."""


def silent(_label: str, _total: int | None) -> AbstractContextManager[Callable[[int], Any]]:
    """No progress display."""
    return nullcontext(lambda _done: None)


def definition_of(shop: Shop) -> Definition:
    """What churn means to a shop."""
    rule = shop.churn
    return Definition(rule.definition, rule.horizon_days, rule.active_within_days, rule.grace_days)


def families_of(shop: Shop) -> tuple[str, ...]:
    """Feature families beside those that are learnt: of the terms where there are any."""
    return ("subscriptions",) if shop.sources.subscriptions else ()


def folds_of(shop: Shop, file: HistoryFile, later: Folds | None = None) -> Folds:
    """The cutoffs of a shop's history; with `later`, those that are tested at its validation cutoff.

    Raises InputError where the history is too short.
    """
    rule = shop.churn
    if rule.definition == "given":
        days = file.label_days
        if later is not None:
            days = [day for day in days if day <= day_of(later.validation, file.zone)]
        return folds_of_labels(
            days, zone=file.zone, horizon_days=rule.horizon_days, train_cutoffs=rule.train_cutoffs
        )
    return make_folds(
        file.facts["first_row"],
        file.facts["observed_until"] if later is None else later.test,
        zone=file.zone,
        horizon_days=rule.horizon_days,
        train_cutoffs=rule.train_cutoffs,
        step_days=rule.step_days,
        min_history_days=rule.min_history_days,
        grace_days=rule.grace_days if rule.definition == "subscription" else 0,
    )


def learn_features(shop: Shop, file: HistoryFile, progress: Progress = silent) -> FeatureSpec:
    """Which features the shop's churn model gets, from rows before the newest training cutoff only."""
    with progress("churn: which features", file.customers) as step:
        return learn(file, folds_of(shop, file).train[-1], shop.features, step)
