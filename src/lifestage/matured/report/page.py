"""Matured outcomes as one self-contained HTML page: nothing is fetched, no script runs."""

from typing import Any

from lifestage.churn.report.words import churned_means
from lifestage.localtime import day_of
from lifestage.matured.past import KINDS
from lifestage.matured.report.meanings import MEANINGS
from lifestage.matured.report.plots import pictures
from lifestage.matured.report.pooled import pooled_stages
from lifestage.matured.rounds import Backtest, Round
from lifestage.matured.sentences import left_out_sentence, recent, sentences
from lifestage.pages import Words, environment
from lifestage.pages.svg import inline_svg

TEMPLATE = "page.html"
LACKING = "–"


def backtest_page(found: Backtest) -> str:
    """The page as text. Whatever comes from data or configuration is escaped."""
    filters = {"number": _number, "percent": _percent, "whole": _whole, "signed": _signed}
    template = environment("lifestage.matured.report", filters).get_template(TEMPLATE)
    headline, *others = sentences(found)
    rounds = found.rounds
    return template.render(
        b=found,
        headline=headline,
        sentences=others,
        left_out_words=left_out_sentence(found),
        left_out=[(run, KINDS[run.kind]) for run in found.left_out],
        until=day_of(found.observed_until, found.zone).isoformat(),
        rounds=rounds,
        newest=rounds[-1] if rounds else None,
        definitions=_definitions(rounds),
        quarter=[r.day for r in recent(rounds)] if rounds else [],
        stages=pooled_stages(rounds),
        svg={name: inline_svg(figure, name) for name, figure in pictures(found).items()},
        meanings=MEANINGS,
    )


def _definitions(rounds: Any) -> list[Words]:
    """Each definition of churn that the rounds had, once."""
    kinds = dict.fromkeys(r.terms.definition for r in rounds if isinstance(r, Round))
    return [churned_means(d.name, d.horizon_days, d.active_within_days) for d in kinds]


def _number(value: float | None, places: int = 3) -> str:
    return LACKING if value is None else f"{value:,.{places}f}".replace("-", "−")


def _signed(value: float | None, places: int = 1) -> str:
    return LACKING if value is None else f"{round(value, places) + 0.0:+,.{places}f}".replace("-", "−")


def _percent(value: float | None, places: int = 0) -> str:
    return LACKING if value is None else f"{100 * value:.{places}f}\N{NO-BREAK SPACE}%"


def _whole(value: float | None) -> str:
    return LACKING if value is None else f"{value:,.0f}"
