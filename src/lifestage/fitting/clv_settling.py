"""What a CLV model is to be before it is fitted: its order model, season and level, from the days before a cutoff."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lifestage.clv.clock import Clock
from lifestage.clv.families import FAMILIES
from lifestage.clv.held import Held
from lifestage.clv.level import Level, level_ahead
from lifestage.clv.order_choice import HeldFits, fit_orders, rank, why
from lifestage.clv.season import UNSEEN, Season, find_season
from lifestage.fitting.plan import Progress, silent
from lifestage.history_file import HistoryFile
from lifestage.labels.definitions import after_days
from lifestage.localtime import DAY, local_days
from lifestage.samples import drawn_buyers, holdouts, shop_days
from lifestage.settings import Shop

FORECASTS = 10
"""Earlier forecasts from which choice and level are learnt, a third of a horizon apart."""
COMPARED = 3
"""Of these, those on which order models are compared."""
DRAWN = 200_000
"""Customers on whom they are made; of a larger shop so many are drawn, by a hash of their id."""


@dataclass(frozen=True)
class Earlier:
    """Earlier forecasts of a shop's orders: what came after each cutoff, and the fits on what was known at it."""

    ends: Mapping[int, int]
    """Cutoff -> end of its horizon (instants), the newest first."""
    held: Mapping[int, Held]
    fits: HeldFits

    def due(self, cutoff: int) -> dict[int, Held]:
        """Those whose horizon had passed at a cutoff."""
        return {c: one for c, one in self.held.items() if self.ends[c] <= cutoff}


def earlier_forecasts(shop: Shop, file: HistoryFile, newest: int, progress: Progress = silent) -> Earlier:
    """Of `FORECASTS` cutoffs back from `newest`, as far as the history reaches."""
    horizon = shop.churn.horizon_days
    earliest = after_days(file.facts["first_purchase"], shop.churn.min_history_days, file.zone)
    cutoffs = [after_days(newest, -i * max(horizon // 3, 1), file.zone) for i in range(FORECASTS)]
    ends = {c: after_days(c, horizon, file.zone) for c in cutoffs if c >= earliest}
    if not ends:
        return Earlier({}, {}, HeldFits())
    with progress("CLV: earlier forecasts", file.customers) as step:
        held = holdouts(file, ends, horizon, _share(file), progress=step)
    return Earlier(ends, held, HeldFits())


def _share(file: HistoryFile) -> float:
    return min(1.0, DRAWN / max(file.customers, 1))


def settle(
    shop: Shop, file: HistoryFile, cutoff: int, earlier: Earlier
) -> tuple[Sequence[str], Clock, dict[str, Any]]:
    """Order models to try, the calendar of their rates, and what spoke for them (JSON), from rows before the cutoff."""
    due, fits = earlier.due(cutoff), earlier.fits
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
    seen_days = (cutoff - file.facts["first_purchase"]) / DAY
    if seen_days < 2 * 365:
        return Season(
            (), 0.0, f"{seen_days:.0f} days were seen, and a season asks for two full years; {UNSEEN}"
        )
    known = drawn_buyers(file, cutoff, _share(file))
    if known is None:
        return Season((), 0.0, "none of the drawn customers had bought yet")
    fitted = fit_orders(known, models)
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
