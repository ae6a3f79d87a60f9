"""The CLV model of a shop: order model, season and level; holdout figures of an earlier fit; the fit that ships."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lifestage.clv.clock import Clock
from lifestage.clv.evaluation import Evaluation
from lifestage.clv.families import FAMILIES
from lifestage.clv.held import Held
from lifestage.clv.level import Level, level_ahead
from lifestage.clv.model import ClvModel
from lifestage.clv.order_choice import HeldFits, fit_orders, rank, why
from lifestage.clv.season import Season, find_season
from lifestage.clv.summary import Summary
from lifestage.errors import InputError
from lifestage.fitting.clv_holdout import grade, held_out
from lifestage.fitting.plan import Progress, definition_of, folds_of, silent
from lifestage.history_file import HistoryFile
from lifestage.labels.definitions import after_days
from lifestage.localtime import local_days
from lifestage.samples import buyers, holdouts, shop_days
from lifestage.settings import Shop

FORECASTS = 10
"""Earlier forecasts from which choice and level are learnt, a third of a horizon apart."""
COMPARED = 3
"""Of these, those on which order models are compared."""
DRAWN = 200_000
"""Customers on whom they are made; of a larger shop so many are drawn, by a hash of their id."""


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
        return [
            shipped["order_model"],
            f"season: {shipped['season']['why']}",
            f"level: {shipped['level']['why']}",
        ]


def fit_clv(shop: Shop, file: HistoryFile, progress: Progress = silent) -> FittedClv:
    """Fit the order model and the Gamma-Gamma; the holdout runs from the churn test cutoff to the end of observation.

    What is graded saw nothing of its holdout: its order model was chosen, and its season and level were found, on
    the days before it.
    """
    facts, horizon = file.facts, shop.churn.horizon_days
    if facts["first_purchase"] is None:
        raise InputError("CLV: there is no purchase to learn from; give sources.transactions")
    if shop.churn.definition == "given":  # labels need not reach as far as the orders, nor lie in time at all
        holdout_from = after_days(facts["observed_until"], -horizon, file.zone)
    else:
        holdout_from = folds_of(shop, file).test
    rule = definition_of(shop)
    with progress("CLV: summaries", 2 * file.customers) as step:
        names, now = shop.clv.covariates, facts["as_of"]
        graded = held_out(file, holdout_from, horizon, definition=rule, covariates=names, progress=step)
        everyone = buyers(file, now, now, definition=rule, covariates=names, progress=step)
    windows = _windows(shop, file, holdout_from)
    share = min(1.0, DRAWN / max(file.customers, 1))
    with progress("CLV: earlier forecasts", file.customers) as step:
        held = holdouts(file, windows, horizon, share, progress=step)
    terms = {"yearly_discount_rate": shop.clv.yearly_discount_rate, "margin": shop.clv.margin}
    choice: dict[str, Any] = {}
    fits, known = {}, HeldFits()
    with progress("CLV: fitting", 2) as step:
        for name, cutoff, material, days in (
            ("evaluated", holdout_from, graded, horizon),
            ("shipped", facts["as_of"], everyone, shop.clv.horizon_days),
        ):
            due = {c: one for c, one in held.items() if windows[c] <= cutoff}
            models, clock, choice[name] = _settled(shop, file, cutoff, due, known)
            fits[name] = ClvModel.fit(
                material.summary, horizon_days=days, order_models=models, clock=clock, **terms
            )
            step(1)
    with progress("CLV: holdout", file.customers) as step:
        result = grade(file, fits["evaluated"], graded, horizon, step)
    return FittedClv(fits["shipped"], result, holdout_from, choice, fits["evaluated"], everyone.summary)


def _windows(shop: Shop, file: HistoryFile, newest: int) -> dict[int, int]:
    """Cutoffs of earlier forecasts -> the end of their horizon; the newest first."""
    horizon = shop.churn.horizon_days
    earliest = after_days(file.facts["first_purchase"], shop.churn.min_history_days, file.zone)
    cutoffs = [after_days(newest, -i * max(horizon // 3, 1), file.zone) for i in range(FORECASTS)]
    return {c: after_days(c, horizon, file.zone) for c in cutoffs if c >= earliest}


def _settled(
    shop: Shop, file: HistoryFile, cutoff: int, due: Mapping[int, Held], fits: HeldFits
) -> tuple[Sequence[str], Clock, dict[str, Any]]:
    """Order models to try, the calendar of their rates, and what spoke for them, from rows before the cutoff."""
    wanted, day = shop.clv.model, int(local_days(np.array([cutoff]), file.zone)[0])
    report: dict[str, Any] = {}
    if wanted != "auto":
        models = [wanted, *(name for name in FAMILIES if name != wanted)]
        report["order_model"] = f"{wanted}: as configured"
    elif due:
        models, report["holdout"] = rank(_apart([due[c] for c in sorted(due, reverse=True)]), fits)
        report["order_model"] = why(models, report["holdout"])
    else:
        models = list(FAMILIES)
        report["order_model"] = f"{models[0]}: no forecast has come due yet by which to choose another"
    season = _season(shop, file, cutoff, models)
    report["season"] = {"factors": list(season.factors), "kept": season.kept, "why": season.why}
    clock = Clock(season.factors)
    seasonal = HeldFits() if season.factors else fits  # in operational days other histories are fitted
    level = _level(shop, due, models, clock, day, seasonal)
    report["level"] = {
        "factor": level.factor,
        "trust": level.trust,
        "errors": {str(np.datetime64(c, "D")): error for c, error in level.errors.items()},
        "why": level.sentence() if shop.clv.level else "switched off",
    }
    return models, Clock(season.factors, level.factor), report


def _apart(held: Sequence[Held]) -> list[Held]:
    """Of holdouts from the newest on, up to `COMPARED` whose windows do not overlap."""
    kept: list[Held] = []
    for one in held:
        if len(kept) < COMPARED and (not kept or one.cutoff_day + one.horizon <= kept[-1].cutoff_day):
            kept.append(one)
    return kept


def _season(shop: Shop, file: HistoryFile, cutoff: int, models: Sequence[str]) -> Season:
    if not shop.clv.season:
        return Season((), 0.0, "switched off")
    seen_days = (cutoff - file.facts["first_purchase"]) / (24 * 3_600_000_000)
    if seen_days < 2 * 365:
        return Season((), 0.0, f"{seen_days:.0f} days were seen; a season asks for two full years")
    share = min(1.0, DRAWN / max(file.customers, 1))
    newest = holdouts(file, {cutoff: cutoff}, shop.churn.horizon_days, share)[cutoff]
    fitted = fit_orders(newest.customers, models)
    return find_season(shop_days(file, cutoff), fitted.name, fitted.params)


def _level(  # noqa: PLR0917
    shop: Shop, due: Mapping[int, Held], models: Sequence[str], clock: Clock, day: int, fits: HeldFits
) -> Level:
    came, foreseen = {}, {}
    for one in due.values() if shop.clv.level else ():
        lived = one.lived(clock)
        fitted = fits.first(lived, models)
        came[int(one.cutoff_day)] = one.came
        expected = lived.expected(fitted.name, fitted.params)
        foreseen[int(one.cutoff_day)] = float(np.sum(one.before.count * expected))
    return level_ahead(came, foreseen, shop.churn.horizon_days, day)
