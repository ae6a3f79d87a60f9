"""Both models of a shop from its history file: evaluation fit, holdout figures, shipped fit. No tracking here."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from lifestage.churn import evaluation as churn_evaluation
from lifestage.churn import training
from lifestage.churn.base import P_NO_ORDER, RFM, Transform
from lifestage.churn.dataset import Sample, concatenate
from lifestage.churn.dimensions import check_names, dimensions
from lifestage.churn.four_way import FourWay, four_way
from lifestage.churn.leaks import refuse_leaks
from lifestage.churn.monotone import monotone_settings
from lifestage.churn.profit_evaluation import ProfitEvaluation, evaluate_profit
from lifestage.churn.segments import Segments, evaluate_segments
from lifestage.clv import evaluation as clv_evaluation
from lifestage.clv.compress import compress
from lifestage.clv.model import ClvModel
from lifestage.clv.summary import Summary
from lifestage.errors import InputError
from lifestage.features import FeatureSpec, learn
from lifestage.folds import Folds, check_folds, folds_of_labels, make_folds
from lifestage.history_file import HistoryFile
from lifestage.labels import Definition
from lifestage.labels.definitions import after_days
from lifestage.localtime import day_of
from lifestage.order_columns import OrderParams, expected_orders, fit_orders, order_columns
from lifestage.ragged import Floats
from lifestage.samples import buyers, churn_samples
from lifestage.settings import Shop
from lifestage.stakes import graded_values

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
    losses: tuple[float, ...]
    """Validation log loss after each tree, before calibration."""
    champion: str
    """The method that ships: the model, or the best baseline where the grade is C."""
    test: Sample
    """The graded customers, in the order of the evaluation."""
    profit: ProfitEvaluation | None
    """What lists would have earned among them; None without `profit` in the configuration."""
    segments: Segments
    """The graded model's figures by value tier, tenure, channel and `churn.segments`."""
    four_way: FourWay
    """Its figures on customers seen in training and not, at the same and a later time."""


def shares_of(shop: Shop, customers: int, cutoffs: Sequence[int], held: Sequence[int]) -> dict[int, float]:
    """Cutoff -> share of the customers to draw, so that no fit has more than churn.max_rows rows; of the `held`
    cutoffs, which stop, calibrate and grade, a quarter of that each."""
    most = shop.churn.max_rows
    training_share = most / max(customers * min(shop.churn.train_cutoffs, len(cutoffs)), 1)
    share = dict.fromkeys(cutoffs, min(1.0, training_share))
    return share | dict.fromkeys(held, min(1.0, max(training_share, most / 4 / max(customers, 1))))


@dataclass(frozen=True)
class Samples:
    """The rows of every cutoff with their order columns, and the order model of each cutoff."""

    at: dict[int, Sample]
    summary: dict[int, Summary]
    orders: dict[int, OrderParams]
    """Empty where the shop has no order model at one of the cutoffs."""


def draw_samples(
    shop: Shop,
    file: HistoryFile,
    spec: FeatureSpec,
    cutoffs: Mapping[int, float],
    progress: Progress = silent,
) -> Samples:
    """Features, labels and order columns at each cutoff, of a share of the customers; the order model of a cutoff
    sees the rows before it."""
    definition = definition_of(shop)
    with progress(f"churn: features at {len(cutoffs)} cutoffs", file.customers) as step:
        drawn = churn_samples(
            file,
            list(cutoffs),
            definition=definition,
            families=families_of(shop),
            spec=spec,
            share=cutoffs,
            progress=step,
        )
    fitted: dict[int, OrderParams | None] = {}
    if shop.churn.definition == "purchase":
        fitted = {c: None if d.buyers is None else fit_orders(d.buyers) for c, d in drawn.items()}
    orders = {cutoff: params for cutoff, params in fitted.items() if params is not None}
    if len(orders) < len(cutoffs):
        orders = {}
    at = {}
    for cutoff in cutoffs:
        one = drawn[cutoff]
        at[cutoff] = one.sample
        if orders:
            columns = order_columns(orders[cutoff], one.summary, definition.horizon_days)
            at[cutoff] = one.sample.having(columns)
    return Samples(at, {cutoff: one.summary for cutoff, one in drawn.items()}, orders)


@dataclass(frozen=True)
class Parts:
    """The rows of each use."""

    search: Sample
    """Finds the trees."""
    validation: Sample
    """Stops them and calibrates."""
    graded: Sample
    """The evaluation fit's."""
    test: Sample
    ship: Sample
    tested: Summary
    """Of the customers of `test`."""


def parts_of(folds: Folds, samples: Samples, seed: int) -> Parts:
    """By time; of folds that are not out of time by a stratified draw: 60 % search, 20 % each validation and test,
    the evaluation fit has the first two, and the whole ships."""
    at, summary = samples.at, samples.summary[folds.test]
    if folds.out_of_time:
        search, graded, ship = (
            concatenate([at[cutoff] for cutoff in cutoffs])
            for cutoffs in (folds.train, folds.grade_train, folds.ship_train)
        )
        return Parts(search, at[folds.validation], graded, at[folds.test], ship, summary)
    sample = at[folds.test]
    part = np.zeros(len(sample), np.int64)
    rng = np.random.default_rng(seed)
    for outcome in (False, True):
        rows = rng.permutation(np.flatnonzero(sample.churned == outcome))
        part[rows[: len(rows) // 5]] = 2
        part[rows[len(rows) // 5 : 2 * len(rows) // 5]] = 1
    search, validation, test = (sample.take(part == place) for place in range(3))
    return Parts(search, validation, sample.take(part < 2), test, sample, summary.take(part == 2))


def fit_churn(
    shop: Shop,
    file: HistoryFile,
    progress: Progress = silent,
    folds: Folds | None = None,
    *,
    spec: FeatureSpec | None = None,
) -> FittedChurn:
    """Find trees and calibration on several cutoffs, refit through validation, grade, refit through the newest.

    `folds` of one's own must keep the label windows apart. `spec`: the features to use, by default those of
    `learn_features`. Where the grade is C the best baseline ships in the model's place, calibrated. Raises
    InputError where label windows overlap, or where a feature alone tells leavers from stayers (see churn.leaks).
    """
    rule, definition = shop.churn, definition_of(shop)
    folds = folds or folds_of(shop, file)
    check_folds(folds, zone=file.zone, label_days=definition.label_days)
    learnt = spec or learn_features(shop, file, progress)
    check_names(rule.segments, learnt)
    cutoffs = sorted({*folds.train, folds.validation, *folds.grade_train, folds.test, *folds.ship_train})
    shares = shares_of(shop, file.customers, cutoffs, (folds.validation, folds.test))
    samples = draw_samples(shop, file, learnt, shares, progress)
    parts = parts_of(folds, samples, rule.seed)
    refuse_leaks(parts.search, shop.features.max_single_auc)
    with progress("churn: the order model on every buyer", None):
        orders = {
            "evaluation": samples.orders.get(folds.test),
            "shipped": _newest_orders(file, definition) if samples.orders else None,
        }

    boosting = rule.settings.parameters() | (monotone_settings(parts.search.names) if rule.monotone else {})

    def fitted(label: str, terms: Sequence[tuple[str, Transform]] | None, max_trees: int) -> Fits:
        with progress(f"churn: {label}", None) as step:
            return fit_all(
                parts,
                orders,
                terms=terms,
                settings=boosting,  # nothing to a rule without trees
                max_trees=max_trees,
                progress=lambda _done, _total: step(1),
                seed=rule.seed,
                horizon_days=rule.horizon_days,
                active_within_days=rule.active_within_days,
                spec=learnt,
                definition=rule.definition,
                grace_days=rule.grace_days,
            )

    made = fitted("boosting", None, training.MAX_TREES)
    with progress("churn: grading", None):
        logistic = {}
        if rule.definition == "purchase":
            logistic[churn_evaluation.LOGISTIC] = fitted("logistic regression", RFM, 0)
        rules, rules_validation = _rules(shop, folds, parts, samples)
        result = churn_evaluation.evaluate(
            made.evaluated.model.predict(parts.test.features, num_threads=0),
            rules,
            rules_validation,
            parts.test.churned,
            parts.validation.churned,
            methods={
                name: fits.evaluated.model.predict(parts.test.features) for name, fits in logistic.items()
            },
            measure=rule.grade_measure,
            training_base_rate=made.evaluated.base_rate,
            out_of_time=folds.out_of_time,
        )
        profit = _profit(shop, file, folds.test, parts.tested, result)
    with progress("churn: segments, and customers new since training", None):
        p, rarer_is_churned = result.probabilities[churn_evaluation.MODEL], result.rarer == "churned"
        segments = evaluate_segments(
            p,
            result.churned,
            dimensions(parts.test.features, learnt, rule.segments),
            rarer_is_churned=rarer_is_churned,
        )
        parted = four_way(
            made.evaluated,
            parts.graded,
            parts.test,
            p,
            rarer_is_churned=rarer_is_churned,
            out_of_time=folds.out_of_time,
            seed=rule.seed,
        )
    champion = churn_evaluation.MODEL if result.grade != "C" else result.best_baseline
    if champion != churn_evaluation.MODEL:
        made = fitted(f"{champion} ships", ALONE.get(champion, RFM if champion in logistic else ()), 0)
    rows = {
        "search": len(parts.search),
        "validation": len(parts.validation),
        "evaluation": len(parts.graded),
        "test": len(parts.test),
        "shipped": len(parts.ship),
    }
    return FittedChurn(
        made.evaluated,
        made.shipped,
        result,
        folds,
        rows,
        made.found.validation_log_loss,
        champion,
        parts.test,
        profit,
        segments,
        parted,
    )


def _profit(
    shop: Shop, file: HistoryFile, cutoff: int, tested: Summary, result: churn_evaluation.Evaluation
) -> ProfitEvaluation | None:
    """What lists of the graded customers would have earned; None where nobody said what a contact costs."""
    if shop.profit is None:
        return None
    p = result.probabilities[churn_evaluation.MODEL]
    value = graded_values(shop, file, cutoff, tested, p, definition=definition_of(shop))
    others = {name: score for name, score in result.scores.items() if name != churn_evaluation.MODEL}
    return evaluate_profit(shop.profit, p, result.churned, value, others)


ALONE: dict[str, tuple[tuple[str, Transform], ...]] = {
    "days_since_last_order": (("days_since_last_order", "log1p"),),
    "bg_nbd_expected_orders": ((P_NO_ORDER, "logit"),),
    "days_since_last_event": (("days_since_last_event", "log1p"),),
    "days_subscribed": (("days_subscribed", "log1p"),),
}
"""Plain rule -> the one term of the base that is it, as a probability."""


@dataclass(frozen=True)
class Fits:
    found: training.Fit
    evaluated: training.Fit
    shipped: training.Fit


def fit_all(parts: Parts, orders: Mapping[str, OrderParams | None], *, seed: int, **about: Any) -> Fits:
    """The three fits of one kind of model: found, refitted through validation, refitted through the newest."""
    found = training.fit(parts.search, parts.validation, seed=seed, **about)
    evaluated = training.refit(found, parts.graded, seed=seed, name="evaluation", orders=orders["evaluation"])
    shipped = training.refit(evaluated, parts.ship, seed=seed, name="shipped", orders=orders["shipped"])
    return Fits(found, evaluated, shipped)


def _newest_orders(file: HistoryFile, definition: Definition) -> OrderParams | None:
    """The order model on every row known today: the one that the shipped fit scores with."""
    as_of = file.facts["as_of"]
    everyone = buyers(file, as_of, as_of, definition=definition)
    return fit_orders(compress(everyone.summary.frequency, everyone.summary.recency, everyone.summary.T))


PLAIN_RULE = {
    "purchase": "days_since_last_order",
    "activity": "days_since_last_event",
    "subscription": "days_subscribed",
}
"""Churn definition -> what a person would rank by; for labels of the shop's own no rule fits every shop."""
Rules = dict[str, Floats | None]


def _rules(shop: Shop, folds: Folds, parts: Parts, samples: Samples) -> tuple[Rules, Rules]:
    """What the plain rules say of each test and each validation customer: the definition's own, and BG/NBD."""
    name = PLAIN_RULE.get(shop.churn.definition)
    test: Rules = {} if name is None else {name: parts.test.features[name]}
    validation: Rules = {} if name is None else {name: parts.validation.features[name]}
    if samples.orders:
        for rules, cutoff in ((test, folds.test), (validation, folds.validation)):
            rules["bg_nbd_expected_orders"] = expected_orders(
                samples.orders[cutoff], samples.summary[cutoff], shop.churn.horizon_days
            )
    return test, validation
