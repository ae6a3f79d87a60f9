"""Every past run whose horizon has passed, judged; the others with the reason."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lifestage.churn.metrics import Reliability, reliability
from lifestage.errors import InputError
from lifestage.history_file import HistoryFile
from lifestage.labels.definitions import after_days
from lifestage.localtime import day_of
from lifestage.matured import notes
from lifestage.matured.churn_figures import churn_figures, rule_figures
from lifestage.matured.matching import Later, Matched, Question, matched
from lifestage.matured.past import LeftOut, PastRun, past_runs
from lifestage.matured.stage_figures import ahead_figures, stage_figures
from lifestage.matured.terms import Terms
from lifestage.matured.value_figures import value_figures
from lifestage.pages import Words

Progress = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Round:
    """One run judged. A part whose horizon is not over is empty."""

    name: str
    as_of: int
    terms: Terms
    complete: Mapping[str, bool]
    """By part, "churn" and "clv": whether its horizon has passed."""
    customers: Mapping[str, int]
    """scored; matched: of these, still in the history; gone: the others; strangers: in the history before the run's day
    and not in the run; no_longer_eligible: by the history as it is now."""
    churn: Mapping[str, float] = field(default_factory=dict)
    clv: Mapping[str, float] = field(default_factory=dict)
    stages: Sequence[Mapping[str, Any]] = ()
    ahead: Mapping[str, float] = field(default_factory=dict)
    reliability: Reliability | None = None
    notes: Sequence[Words] = ()

    @property
    def day(self) -> str:
        """Local day of the run."""
        return day_of(self.as_of, self.terms.zone).isoformat()

    def figures(self) -> dict[str, Any]:
        """JSON: the figures by part."""
        return {
            "customers": dict(self.customers),
            "churn": dict(self.churn),
            "clv": dict(self.clv),
            "ahead": dict(self.ahead),
            "stages": [dict(row) for row in self.stages],
        }


@dataclass(frozen=True, slots=True)
class Backtest:
    """All runs of a shop, those judged in the order of their as_of."""

    shop: str
    observed_until: int
    zone: str
    rounds: Sequence[Round]
    left_out: Sequence[LeftOut]


def backtest(
    shop: str, history: HistoryFile, runs: Path, releases: Path, progress: Progress | None = None
) -> Backtest:
    """Judge every run below `runs` by what the history says happened.

    Each run is read by itself, a block of customers at a time; horizons, the definition of churn, discount and margin
    are its own release's. `progress` gets the customers of each block done.
    """
    found, left = past_runs(runs, releases)
    until = int(history.facts["observed_until"])
    rounds = []
    for run in found:
        churn_end, clv_end = ends(run)
        if min(end for end in (churn_end, clv_end) if end is not None) > until:
            left.append(notes.waiting(run, churn_end, until))
            continue
        try:
            rounds.append(_judge(run, history, _later(run, found, until), progress))
        except InputError as error:
            left.append(LeftOut(run.name, run.as_of, "damaged", f"{run.name}: {error}"))
    return Backtest(shop, until, history.zone, rounds, left)


def ends(run: PastRun) -> tuple[int, int | None]:
    """Where the churn label's days (grace included) and the CLV horizon of a run end; None without a CLV model."""
    terms = run.terms
    churn = after_days(run.as_of, terms.definition.label_days, terms.zone)
    return churn, None if terms.clv_days is None else after_days(run.as_of, terms.clv_days, terms.zone)


def _later(run: PastRun, runs: Sequence[PastRun], until: int) -> Later | None:
    """The next run of the same policy, where the data reach it."""
    for other in runs:
        if run.as_of < other.as_of <= until and other.terms.policy == run.terms.policy:
            return Later(str(other.folder.resolve()), other.as_of)
    return None


def _judge(run: PastRun, history: HistoryFile, later: Later | None, progress: Progress | None) -> Round:
    terms = run.terms
    until = int(history.facts["observed_until"])
    churn_end, clv_end = ends(run)
    complete = {"churn": churn_end <= until, "clv": clv_end is not None and clv_end <= until}
    asked = Question(
        as_of=run.as_of,
        zone=terms.zone,
        definition=terms.definition,
        churn_over=complete["churn"],
        clv_days=terms.clv_days if complete["clv"] else None,
        yearly_discount_rate=terms.yearly_discount_rate,
        margin=terms.margin,
        stages=tuple(stage.name for stage in terms.stages),
        now=int(history.facts["as_of"]),
        later=later,
    )
    rows = matched(history, str(run.folder.resolve()), asked, progress=progress)
    churn, lines = _churn(rows) if complete["churn"] else ({}, None)
    clv = value_figures(rows) if complete["clv"] else {}
    customers = {
        "scored": run.customers,
        "matched": len(rows.eligible),
        "gone": run.customers - len(rows.eligible),
        "strangers": int(rows.strangers.sum()),
        "no_longer_eligible": int((rows.then_eligible & ~rows.eligible).sum()) if complete["churn"] else 0,
    }
    return Round(
        name=run.name,
        as_of=run.as_of,
        terms=terms,
        complete=complete,
        customers=customers,
        churn=churn,
        clv=clv,
        stages=stage_figures(rows, terms.stages),
        ahead={} if later is None else ahead_figures(rows, later.as_of),
        reliability=lines,
        notes=notes.of_run(run, history.zone, clv_end, customers, clv, churn_over=complete["churn"]),
    )


def _churn(rows: Matched) -> tuple[dict[str, float], Reliability | None]:
    asked = rows.eligible & np.isfinite(rows.churn_probability)
    probability, churned = rows.churn_probability[asked], rows.churned[asked]
    if not len(churned):
        return {"eligible": 0.0}, None
    silent = rows.days_silent[asked]
    return churn_figures(probability, churned) | rule_figures(silent, churned), reliability(
        probability, churned
    )
