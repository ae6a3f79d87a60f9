"""The CLV model of a shop: order model, season and level; holdout figures of an earlier fit; the fit that ships."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lifestage.clv.evaluation import Evaluation
from lifestage.clv.families import LABELS
from lifestage.clv.model import ClvModel
from lifestage.clv.summary import Summary
from lifestage.errors import InputError
from lifestage.fitting.clv_holdout import grade, held_out
from lifestage.fitting.clv_settling import Earlier, earlier_forecasts, settle
from lifestage.fitting.plan import Progress, definition_of, folds_of, silent
from lifestage.history_file import HistoryFile
from lifestage.labels.definitions import after_days
from lifestage.samples import Buyers, buyers, holdouts
from lifestage.settings import Shop

MOST = 2_000_000
"""Customers held one by one, for spend, covariates and holdout figures; of a larger shop so many are drawn."""


@dataclass(frozen=True)
class FittedClv:
    """The shipped fit on everything before as_of, and the holdout figures of a fit at `holdout_from`."""

    shipped: ClvModel
    evaluation: Evaluation
    holdout_from: int
    choice: Mapping[str, Any]
    """What spoke for the order model, its season and its level, of both fits (JSON); `notes` in words."""
    evaluated: ClvModel
    """The fit at `holdout_from`."""
    summary: Summary
    """Of everybody with a purchase before as_of: what the shipped fit saw."""

    def notes(self) -> list[str]:
        """What was chosen and why, one sentence each."""
        shipped = self.choice["shipped"]
        said = [
            shipped["order_model"],
            f"season: {shipped['season']['why']}",
            f"level: {shipped['level']['why']}",
        ]
        if self.evaluated.order_model != self.shipped.order_model:
            said.append(
                f"the holdout's figures are those of a {LABELS[self.evaluated.order_model]}, which the days before it "
                f"spoke for; the model that ships is a {LABELS[self.shipped.order_model]}"
            )
        if self.shipped.horizon_days > self.evaluated.horizon_days:
            said.append(
                f"values are for {self.shipped.horizon_days:g} days, and forecasts were tested over "
                f"{self.evaluated.horizon_days:g}"
            )
        return said


def fit_clv(shop: Shop, file: HistoryFile, progress: Progress = silent) -> FittedClv:
    """Fit the order model and the Gamma-Gamma; the holdout runs from the churn test cutoff to the end of observation.

    What is graded saw nothing of its holdout: its order model was chosen, and its season and level were found, on
    the days before it.
    """
    facts, holdout_from = file.facts, holdout_cutoff(shop, file)
    now, earlier = facts["as_of"], earlier_forecasts(shop, file, holdout_from, progress)
    held = holdout_at(shop, file, holdout_from, earlier, progress)
    with progress("CLV: fitting on everybody", file.customers) as step:
        everyone = buyers(file, now, now, **_asked(shop, file, step))
        shipped, choice = _fitted(shop, file, everyone, shop.clv.horizon_days, earlier)
    return FittedClv(
        shipped,
        held.evaluation,
        holdout_from,
        {"evaluated": held.choice, "shipped": choice},
        held.model,
        everyone.summary,
    )


def holdout_cutoff(shop: Shop, file: HistoryFile) -> int:
    """Where the holdout of a CLV model begins: the churn test cutoff (an instant). Raises InputError."""
    facts, horizon = file.facts, shop.churn.horizon_days
    if facts["first_purchase"] is None:
        raise InputError("CLV: there is no purchase to learn from; give sources.transactions")
    if shop.churn.definition == "given":  # labels need not reach as far as the orders, nor lie in time at all
        return after_days(facts["observed_until"], -horizon, file.zone)
    return folds_of(shop, file).test


@dataclass(frozen=True)
class ClvHoldout:
    """A model fitted on the days before a cutoff, its figures on the horizon after it, and what spoke for it."""

    model: ClvModel
    evaluation: Evaluation
    choice: Mapping[str, Any]


def holdout_at(
    shop: Shop, file: HistoryFile, cutoff: int, earlier: Earlier | None = None, progress: Progress = silent
) -> ClvHoldout:
    """Calibration and holdout at any cutoff (an instant, a local midnight) that leaves a churn horizon to compare with.

    earlier: forecasts made before, which may reach beyond the cutoff: what was not due at it is not looked at.
    Raises InputError for a cutoff that leaves less.
    """
    horizon = shop.churn.horizon_days
    if (
        not file.facts["first_purchase"]
        < cutoff
        <= after_days(file.facts["observed_until"], -horizon, file.zone)
    ):
        raise InputError(
            f"a holdout of {horizon} days asks for a cutoff after the first purchase and {horizon} days before the end "
            "of the observation; choose an earlier one"
        )
    if earlier is None:
        earlier = earlier_forecasts(shop, file, cutoff, progress)
    with progress("CLV: holdout", 2 * file.customers) as step:
        known = held_out(file, cutoff, horizon, **_asked(shop, file, step))
        model, choice = _fitted(shop, file, known, horizon, earlier)
        return ClvHoldout(model, grade(file, model, known, horizon, step), choice)


def _asked(shop: Shop, file: HistoryFile, step: Callable[[int], Any]) -> dict[str, Any]:
    """What is asked of the buyers, at whatever cutoff."""
    return {
        "definition": definition_of(shop),
        "covariates": shop.clv.covariates,
        "share": min(1.0, MOST / max(file.customers, 1)),
        "progress": step,
    }


def _fitted(
    shop: Shop, file: HistoryFile, known: Buyers, horizon_days: int, earlier: Earlier
) -> tuple[ClvModel, dict[str, Any]]:
    """The model of those who bought before a cutoff, and what spoke for it."""
    models, clock, choice = settle(shop, file, known.cutoff, earlier)
    histories = None
    if known.share < 1:
        # of a giant shop the histories of all still fit, once they are compressed where they lie
        whole = holdouts(file, {known.cutoff: known.cutoff}, shop.churn.horizon_days)[known.cutoff]
        histories = whole.lived(clock).customers
    model = ClvModel.fit(
        known.summary,
        horizon_days=horizon_days,
        yearly_discount_rate=shop.clv.yearly_discount_rate,
        margin=shop.clv.margin,
        order_models=models,
        clock=clock,
        everyone=histories,
    )
    return model, choice
