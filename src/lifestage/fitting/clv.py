"""The CLV model of a shop: holdout figures of an earlier fit, and the fit that ships."""

from dataclasses import dataclass

from lifestage.clv import evaluation as clv_evaluation
from lifestage.clv.model import ClvModel
from lifestage.errors import InputError
from lifestage.fitting.plan import Progress, definition_of, folds_of, silent
from lifestage.history_file import HistoryFile
from lifestage.labels.definitions import after_days
from lifestage.samples import buyers
from lifestage.settings import Shop


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
