"""Both models of a shop from its history file: evaluation fit, holdout figures, shipped fit. No tracking here."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from lifestage.churn import evaluation as churn_evaluation
from lifestage.churn import training
from lifestage.churn.dataset import Sample, concatenate
from lifestage.churn.leaks import refuse_leaks
from lifestage.clv import evaluation as clv_evaluation
from lifestage.clv.model import ClvModel
from lifestage.errors import InputError
from lifestage.features import FeatureSpec, learn
from lifestage.folds import Folds, make_folds
from lifestage.history_file import HistoryFile
from lifestage.ragged import Floats
from lifestage.samples import after_days, buyers, churn_samples
from lifestage.settings import Shop

Progress = Callable[[str, int | None], AbstractContextManager[Callable[[int], Any]]]
"""Opens a progress display: (label, total or None) -> context of a function that takes what was done."""


def silent(_label: str, _total: int | None) -> AbstractContextManager[Callable[[int], Any]]:
    """No progress display."""
    return nullcontext(lambda _done: None)


def folds_of(shop: Shop, file: HistoryFile) -> Folds:
    """The cutoffs of a shop's history. Raises InputError where the history is too short."""
    rule = shop.churn
    return make_folds(
        file.facts["first_purchase"],
        file.facts["observed_until"],
        zone=file.zone,
        horizon_days=rule.horizon_days,
        train_cutoffs=rule.train_cutoffs,
        step_days=rule.step_days,
        min_history_days=rule.min_history_days,
    )


@dataclass(frozen=True)
class FittedClv:
    """The shipped fit on everything before as_of, and the holdout figures of a fit at `holdout_from`."""

    shipped: ClvModel
    evaluation: clv_evaluation.Evaluation
    holdout_from: int


def fit_clv(shop: Shop, file: HistoryFile, progress: Progress = silent) -> FittedClv:
    """Fit BG/NBD + Gamma-Gamma; the holdout runs from the churn test cutoff to the end of observation."""
    facts = file.facts
    holdout_from = folds_of(shop, file).test
    active = shop.churn.active_within_days
    with progress("CLV: summaries", 2 * file.customers) as step:
        end = after_days(holdout_from, shop.churn.horizon_days, file.zone)
        held_out = buyers(file, holdout_from, end, active_within_days=active, progress=step)
        everyone = buyers(file, facts["as_of"], facts["as_of"], active_within_days=active, progress=step)
    terms = {"yearly_discount_rate": shop.clv.yearly_discount_rate, "margin": shop.clv.margin}
    with progress("CLV: fitting", 2) as step:
        evaluated = ClvModel.fit(held_out.summary, horizon_days=shop.churn.horizon_days, **terms)
        step(1)
        shipped = ClvModel.fit(everyone.summary, horizon_days=shop.clv.horizon_days, **terms)
        step(1)
    result = clv_evaluation.evaluate(
        evaluated.predict(held_out.summary),
        held_out.summary,
        held_out.outcome.purchase_days,
        held_out.outcome.spend,
        horizon_days=shop.churn.horizon_days,
    )
    return FittedClv(shipped, result, holdout_from)


def learn_features(shop: Shop, file: HistoryFile, progress: Progress = silent) -> FeatureSpec:
    """Which features the shop's churn model gets, from rows before the newest training cutoff only."""
    with progress("churn: which features", file.customers) as step:
        return learn(file, folds_of(shop, file).train[-1], shop.features, step)


@dataclass(frozen=True)
class FittedChurn:
    """The fit that was graded, the one that ships, the grade, and the rows behind them."""

    evaluated: training.Fit
    shipped: training.Fit
    """Its model holds both fits."""
    evaluation: churn_evaluation.Evaluation
    folds: Folds
    rows: dict[str, int]


def fit_churn(
    shop: Shop, file: HistoryFile, progress: Progress = silent, *, spec: FeatureSpec | None = None
) -> FittedChurn:
    """Fit on several cutoffs, stop and calibrate on a later one, grade on the newest complete one, refit.

    `spec`: the features to use, by default those of `learn_features`. Raises InputError where a feature alone
    tells leavers from stayers (see churn.leaks).
    """
    rule = shop.churn
    folds = folds_of(shop, file)
    learnt = spec or learn_features(shop, file, progress)

    def sample(cutoffs: Sequence[int]) -> dict[int, Sample]:
        with progress(f"churn: features at {len(cutoffs)} cutoffs", file.customers) as step:
            return churn_samples(
                file,
                cutoffs,
                horizon_days=rule.horizon_days,
                active_within_days=rule.active_within_days,
                spec=learnt,
                progress=step,
            )

    # The shipped fit's cutoffs are read after the graded fit has let go of its own: half the memory.
    samples = sample([*folds.train, folds.validation, folds.test])
    validation, test = samples.pop(folds.validation), samples.pop(folds.test)
    fitting = concatenate([samples.pop(cutoff) for cutoff in folds.train])
    rows = {"train": len(fitting), "validation": len(validation), "test": len(test)}
    refuse_leaks(fitting, shop.features.max_single_auc)
    with progress("churn: boosting", None) as step:
        evaluated = training.fit(
            fitting,
            validation,
            seed=rule.seed,
            horizon_days=rule.horizon_days,
            active_within_days=rule.active_within_days,
            spec=learnt,
            progress=lambda _done, _total: step(1),
        )
    del fitting
    newer = {folds.test: test, **sample([cutoff for cutoff in folds.ship_train if cutoff != folds.test])}
    shipping = concatenate([newer.pop(cutoff) for cutoff in folds.ship_train])
    with progress("churn: boosting the shipped fit", evaluated.trees) as step:
        shipped = training.refit(evaluated, shipping, seed=rule.seed, progress=lambda _done, _total: step(1))
    del shipping
    with progress("churn: grading", None):
        days, orders = "days_since_last_order", "bg_nbd_expected_orders"
        rules = {days: test.features[days], orders: _expected_orders(shop, file, folds.test)}
        rules_validation = {
            days: validation.features[days],
            orders: None if rules[orders] is None else _expected_orders(shop, file, folds.validation),
        }
        if rules_validation[orders] is None:
            rules[orders] = None
        result = churn_evaluation.evaluate(
            evaluated.model.predict(test.features),
            rules,
            rules_validation,
            test.churned,
            validation.churned,
            training_base_rate=evaluated.base_rate,
        )
    return FittedChurn(evaluated, shipped, result, folds, rows)


def _expected_orders(shop: Shop, file: HistoryFile, cutoff: int) -> Floats | None:
    """The BG/NBD rule: fitted on rows before the cutoff only, for the customers of that cutoff's sample.

    None where the shop's data allow no such model then: a rule that cannot be had is no reason not to train.
    """
    rule = shop.churn
    end = after_days(cutoff, rule.horizon_days, file.zone)
    known = buyers(file, cutoff, end, active_within_days=rule.active_within_days)
    try:
        model = ClvModel.fit(
            known.summary, horizon_days=rule.horizon_days, yearly_discount_rate=0.0, margin=1.0
        )
    except InputError:
        return None
    return model.predict(known.summary.take(known.eligible))["expected_orders"]
