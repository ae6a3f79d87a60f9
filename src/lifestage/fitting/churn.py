"""The churn model of a shop: found, graded beside its baselines, and shipped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lifestage.churn import evaluation as churn_evaluation
from lifestage.churn import training
from lifestage.churn.base import P_NO_ORDER, RFM, Transform
from lifestage.churn.dataset import Sample
from lifestage.churn.leaks import refuse_leaks
from lifestage.churn.monotone import monotone_settings
from lifestage.churn.profit.evaluation import ProfitEvaluation, evaluate_profit
from lifestage.churn.served.dimensions import check_names, dimensions
from lifestage.churn.served.four_way import FourWay, four_way
from lifestage.churn.served.segments import Segments, evaluate_segments
from lifestage.clv.summary import Summary
from lifestage.features import FeatureSpec
from lifestage.fitting.draws import Parts, Samples, draw_samples, parts_of, shares_of
from lifestage.fitting.plan import Progress, definition_of, folds_of, learn_features, silent
from lifestage.folds import Folds, check_folds
from lifestage.history_file import HistoryFile
from lifestage.order_columns import OrderParams, expected_orders, fit_orders
from lifestage.ragged import Floats
from lifestage.samples import drawn_buyers
from lifestage.settings import Shop
from lifestage.stakes import graded_values


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
    """What lists by what ships would have earned among them; None without `profit` in the configuration."""
    segments: Segments
    """The figures of what ships by value tier, tenure, channel and `churn.segments`."""
    four_way: FourWay
    """Its figures on customers seen in training and not, at the same and a later time."""


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
    with progress("churn: the order model of today", None):
        orders: dict[str, OrderParams | None] = {
            "evaluation": samples.orders.get(folds.test),
            "shipped": None,
        }
        if samples.orders:  # on every row known today: the shipped fit scores with it
            newest = drawn_buyers(file, file.facts["as_of"], shares[folds.test])
            orders["shipped"] = None if newest is None else fit_orders(newest)

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
    others = {}
    if rule.definition == "purchase":
        others[churn_evaluation.LOGISTIC] = fitted("logistic regression", RFM, 0).evaluated
    with progress("churn: grading", None):
        result = _evaluation(shop, folds, parts, samples, made.evaluated, others=others)
    champion = churn_evaluation.MODEL if result.grade != "C" else result.best_baseline
    losses = made.found.validation_log_loss
    if champion != churn_evaluation.MODEL:
        made = fitted(f"{champion} ships", ALONE.get(champion, RFM if champion in others else ()), 0)
    with progress("churn: profit, segments, customers new since training", None):  # of what ships
        p = made.evaluated.model.predict(parts.test.features, num_threads=0)
        profit = _profit(shop, file, folds.test, tested=parts.tested, p=p, result=result)
        segments, parted = _served(shop, parts, made.evaluated, p, result)
    rows = {
        "search": len(parts.search),
        "validation": len(parts.validation),
        "evaluation": len(parts.graded),
        "test": len(parts.test),
        "shipped": len(parts.ship),
    }
    return FittedChurn(
        evaluated=made.evaluated,
        shipped=made.shipped,
        evaluation=result,
        folds=folds,
        rows=rows,
        losses=losses,
        champion=champion,
        test=parts.test,
        profit=profit,
        segments=segments,
        four_way=parted,
    )


def _evaluation(
    shop: Shop,
    folds: Folds,
    parts: Parts,
    samples: Samples,
    model: training.Fit,
    *,
    others: Mapping[str, training.Fit],
) -> churn_evaluation.Evaluation:
    """The model's grade on the test customers beside the plain rules and the other fits."""
    rules, rules_validation = _rules(shop, folds, parts, samples)
    return churn_evaluation.evaluate(
        model.model.predict(parts.test.features, num_threads=0),
        rules,
        rules_validation,
        parts.test.churned,
        parts.validation.churned,
        methods={name: other.model.predict(parts.test.features) for name, other in others.items()},
        measure=shop.churn.grade_measure,
        training_base_rate=model.base_rate,
        out_of_time=folds.out_of_time,
        seed=shop.churn.seed,
    )


def _served(
    shop: Shop, parts: Parts, model: training.Fit, p: Floats, result: churn_evaluation.Evaluation
) -> tuple[Segments, FourWay]:
    """Which segments are served badly; customers seen in training and new ones, at the same and a later time."""
    rarer_is_churned = result.rarer == "churned"
    by = dimensions(parts.test.features, model.model.spec, shop.churn.segments)
    return (
        evaluate_segments(p, result.churned, by, rarer_is_churned=rarer_is_churned),
        four_way(
            model,
            parts.graded,
            parts.test,
            p,
            rarer_is_churned=rarer_is_churned,
            out_of_time=result.out_of_time,
            seed=shop.churn.seed,
        ),
    )


def _profit(
    shop: Shop,
    file: HistoryFile,
    cutoff: int,
    *,
    tested: Summary,
    p: Floats,
    result: churn_evaluation.Evaluation,
) -> ProfitEvaluation | None:
    """What lists of the graded customers by `p` would have earned; None where nobody said what a contact costs."""
    if shop.profit is None:
        return None
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
