"""Both models of a shop from its history file: evaluation fit, holdout figures, shipped fit. No tracking here."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from lifestage.churn import evaluation as churn_evaluation
from lifestage.churn import training
from lifestage.churn.dataset import Sample, concatenate
from lifestage.churn.leaks import refuse_leaks
from lifestage.clv import evaluation as clv_evaluation
from lifestage.clv.model import ClvModel
from lifestage.errors import InputError
from lifestage.features import FeatureSpec, learn
from lifestage.folds import Folds, check_folds, folds_of_labels, make_folds
from lifestage.gather import concatenated, where_blocks_lie
from lifestage.history import History
from lifestage.history_file import HistoryFile
from lifestage.labels import Definition, eligible
from lifestage.labels.definitions import after_days
from lifestage.localtime import DAY
from lifestage.ragged import Floats, at
from lifestage.samples import buyers, churn_samples
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


def folds_of(shop: Shop, file: HistoryFile) -> Folds:
    """The cutoffs of a shop's history. Raises InputError where the history is too short."""
    rule = shop.churn
    if rule.definition == "given":
        return folds_of_labels(
            file.label_days, zone=file.zone, horizon_days=rule.horizon_days, train_cutoffs=rule.train_cutoffs
        )
    return make_folds(
        file.facts["first_row"],
        file.facts["observed_until"],
        zone=file.zone,
        horizon_days=rule.horizon_days,
        train_cutoffs=rule.train_cutoffs,
        step_days=rule.step_days,
        min_history_days=rule.min_history_days,
        grace_days=rule.grace_days if rule.definition == "subscription" else 0,
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
    if facts["first_purchase"] is None:
        raise InputError("CLV: there is no purchase to learn from; give sources.transactions")
    if shop.churn.definition == "given":  # labels need not reach as far as the orders, nor lie in time at all
        holdout_from = after_days(facts["observed_until"], -shop.churn.horizon_days, file.zone)
    else:
        holdout_from = folds_of(shop, file).test
    rule = definition_of(shop)
    with progress("CLV: summaries", 2 * file.customers) as step:
        end = after_days(holdout_from, shop.churn.horizon_days, file.zone)
        held_out = buyers(file, holdout_from, end, definition=rule, progress=step)
        everyone = buyers(file, facts["as_of"], facts["as_of"], definition=rule, progress=step)
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


@dataclass(frozen=True)
class Held:
    """The rows that training does not see: validation stops and calibrates, test grades."""

    validation: Sample
    test: Sample


def parts_of(folds: Folds, samples: dict[int, Sample], seed: int) -> tuple[Sample, Held, Sample | None]:
    """Training rows, held ones, and the shipped fit's where they are already there; empties `samples`.

    By time; of folds that are not out of time by a stratified draw: 60 % train, 20 % each later part, and
    the whole for the shipped fit.
    """
    if folds.out_of_time:
        held = Held(samples.pop(folds.validation), samples.pop(folds.test))
        return concatenate([samples.pop(cutoff) for cutoff in folds.train]), held, None
    sample = samples.pop(folds.test)
    part = np.zeros(len(sample), np.int64)
    rng = np.random.default_rng(seed)
    for outcome in (False, True):
        rows = rng.permutation(np.flatnonzero(sample.churned == outcome))
        part[rows[: len(rows) // 5]] = 2
        part[rows[len(rows) // 5 : 2 * len(rows) // 5]] = 1
    return sample.take(part == 0), Held(sample.take(part == 1), sample.take(part == 2)), sample


def fit_churn(
    shop: Shop,
    file: HistoryFile,
    progress: Progress = silent,
    folds: Folds | None = None,
    *,
    spec: FeatureSpec | None = None,
) -> FittedChurn:
    """Fit on several cutoffs, stop and calibrate on a later one, grade on the newest complete one, refit.

    `folds` of one's own must keep the label windows apart. `spec`: the features to use, by default those of
    `learn_features`. Raises InputError where label windows overlap, or where a feature alone tells leavers from
    stayers (see churn.leaks).
    """
    rule, definition = shop.churn, definition_of(shop)
    folds = folds or folds_of(shop, file)
    check_folds(folds, zone=file.zone, label_days=definition.label_days)
    learnt = spec or learn_features(shop, file, progress)

    def sample(cutoffs: Sequence[int]) -> dict[int, Sample]:
        with progress(f"churn: features at {len(cutoffs)} cutoffs", file.customers) as step:
            return churn_samples(
                file,
                cutoffs,
                definition=definition,
                families=families_of(shop),
                spec=learnt,
                progress=step,
            )

    fitting, held, shipping = parts_of(
        folds, sample(sorted({*folds.train, folds.validation, folds.test})), rule.seed
    )
    rows = {"train": len(fitting), "validation": len(held.validation), "test": len(held.test)}
    refuse_leaks(fitting, shop.features.max_single_auc)
    with progress("churn: boosting", None) as step:
        evaluated = training.fit(
            fitting,
            held.validation,
            seed=rule.seed,
            horizon_days=rule.horizon_days,
            active_within_days=rule.active_within_days,
            spec=learnt,
            definition=rule.definition,
            grace_days=rule.grace_days,
            progress=lambda _done, _total: step(1),
        )
    # The shipped fit's cutoffs are read after the graded fit has let go of its own: half the memory.
    del fitting
    if shipping is None:
        newer = {
            folds.test: held.test,
            **sample([cutoff for cutoff in folds.ship_train if cutoff != folds.test]),
        }
        shipping = concatenate([newer.pop(cutoff) for cutoff in folds.ship_train])
    with progress("churn: boosting the shipped fit", evaluated.trees) as step:
        shipped = training.refit(evaluated, shipping, seed=rule.seed, progress=lambda _done, _total: step(1))
    del shipping
    with progress("churn: grading", None):
        rules, rules_validation = _rules(shop, file, folds, held)
        result = churn_evaluation.evaluate(
            evaluated.model.predict(held.test.features),
            rules,
            rules_validation,
            held.test.churned,
            held.validation.churned,
            training_base_rate=evaluated.base_rate,
            out_of_time=folds.out_of_time,
        )
    return FittedChurn(evaluated, shipped, result, folds, rows)


Rules = dict[str, Floats | None]


def _rules(shop: Shop, file: HistoryFile, folds: Folds, held: Held) -> tuple[Rules, Rules]:
    """What a plain rule of the definition says of each test and each validation customer.

    purchase: days since the last order, and BG/NBD's expected orders; activity: days since the last event;
    subscription: days subscribed; given: nothing but the base rate, for no rule fits every shop's labels.
    """
    name = shop.churn.definition
    if name == "purchase":
        days, orders = "days_since_last_order", "bg_nbd_expected_orders"
        rules: Rules = {days: held.test.features[days], orders: _expected_orders(shop, file, folds.test)}
        earlier: Rules = {
            days: held.validation.features[days],
            orders: None if rules[orders] is None else _expected_orders(shop, file, folds.validation),
        }
        if earlier[orders] is None:
            rules[orders] = None
        return rules, earlier
    if name == "activity":
        days = "days_since_last_event"
        definition = definition_of(shop)
        test, validation = (event_ages(file, cutoff, definition) for cutoff in (folds.test, folds.validation))
        return {days: test}, {days: validation}
    if name == "subscription":
        days = "days_subscribed"
        return {days: held.test.features[days]}, {days: held.validation.features[days]}
    return {}, {}


@where_blocks_lie(concatenated)
def event_ages(blocks: Iterable[History], cutoff: int, definition: Definition) -> Floats:
    """Days since the last event of the eligible customers, in the order of the samples."""
    ages = []
    for history in blocks:
        view = history.before(cutoff)
        rows = view.events
        last = at(rows.t, rows.ends - 1, rows.counts > 0)
        ages.append(((cutoff - last) / DAY)[eligible(view, definition)])
    return np.concatenate(ages)


def _expected_orders(shop: Shop, file: HistoryFile, cutoff: int) -> Floats | None:
    """The BG/NBD rule: fitted on rows before the cutoff only, for the customers of that cutoff's sample.

    None where the shop's data allow no such model then: a rule that cannot be had is no reason not to train.
    """
    rule = shop.churn
    end = after_days(cutoff, rule.horizon_days, file.zone)
    known = buyers(file, cutoff, end, definition=definition_of(shop))
    try:
        model = ClvModel.fit(
            known.summary, horizon_days=rule.horizon_days, yearly_discount_rate=0.0, margin=1.0
        )
    except InputError:
        return None
    return model.predict(known.summary.take(known.eligible))["expected_orders"]
