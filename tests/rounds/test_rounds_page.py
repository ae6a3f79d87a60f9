"""The page of many rounds: what it tells, that it is well-formed, and that nothing of the data becomes markup."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from lifestage.rounds import rounds_page, told
from lifestage.rounds.plots import gains_figure, outcomes_figure, quality_figure

FIGURES = {
    "measure": "average_precision",
    "challenger_pr_auc_rarer": 0.61,
    "champion_pr_auc_rarer": 0.58,
    "gain": 0.05,
    "gain_low": 0.01,
    "gain_high": 0.09,
}


def steps(**results: Any) -> dict[str, Any]:
    return {name.replace("_", " "): {"seconds": 30.0, "result": result} for name, result in results.items()}


def verdict(promote: bool, word: str, *reasons: str, **figures: Any) -> dict[str, Any]:
    return {
        "promote": promote,
        "verdict": word,
        "challenger": "2",
        "champion": "1",
        "reasons": list(reasons),
        "figures": figures,
    }


FIRST = told(
    "2025-01-01",
    steps(
        check_the_data={"customers": 1200, "readiness": "pass"},
        train_the_churn_model={"grade": "A"},
        gate={"churn": verdict(True, "first", "There is no champion."), "clv": verdict(True, "first")},
        promote={"release": "shop-1", "changed": True},
    ),
    None,
)
KEPT = told(
    "2025-02-01",
    steps(
        check_the_data={"customers": 1300, "readiness": "warn"},
        watch_the_data={"status": "retrain", "findings": [{"sentence": "days <b>moved</b>"}]},
        gate={"churn": verdict(False, "kept", "Segment <i> is served worse.", **FIGURES)},
        promote={"release": "shop-1", "changed": False},
    ),
    None,
)
REFUSED = told("2025-03-01", steps(train_the_churn_model={"refused": "too few customers"}), None)
FAILED = told("2025-04-01", {}, "check the data: no file")
RUNS = [
    {
        "as_of": "2025-01-01",
        "release": "shop-1",
        "complete": {"churn": True, "clv": False},
        "figures": {
            "churn": {
                "eligible": 900.0,
                "predicted_rate": 0.4,
                "observed_rate": 0.5,
                "calibration_error": 0.1,
                "roc_auc": None,
            },
            "clv": {},
        },
    },
    {
        "as_of": "2025-02-01",
        "release": "shop-1",
        "complete": {"churn": False, "clv": False},
        "figures": {"churn": {}, "clv": {}},
    },
]
PAGE = rounds_page("<shop>", [FIRST, KEPT, REFUSED, FAILED], RUNS, ["Of 1 round, <all> came true."])


def test_the_counts_stand_first() -> None:
    assert "4 rounds: of the churn challengers 1 promoted and 1 held back" in PAGE
    assert "the watch over the data had something to say in 1; training was refused in 1; 1 failed." in PAGE
    assert "共 4 轮" in PAGE


def test_every_round_has_its_row_and_its_reasons() -> None:
    rows = re.findall(r'<td class="day">(\S+)</td>', PAGE)
    assert rows == ["2025-01-01", "2025-02-01", "2025-03-01", "2025-04-01", "2025-01-01", "2025-02-01"]
    for said in (
        "There is no champion.",
        "too few customers",
        "check the data: no file",
        "0.610 : 0.580",
        "40.0\N{NO-BREAK SPACE}%",
        "50.0\N{NO-BREAK SPACE}%",
    ):
        assert said in PAGE
    assert (FIRST.promoted, FIRST.kept, KEPT.kept) == (["churn", "clv"], [], ["churn"])


def test_what_comes_from_data_is_escaped() -> None:
    for text in ("<shop>", "<b>moved</b>", "<all>", "Segment <i>"):
        assert text not in PAGE
    assert "days &lt;b&gt;moved&lt;/b&gt;" in PAGE


def test_the_page_is_well_formed_and_fetches_nothing() -> None:
    class Balance(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: Any) -> None:  # noqa: ARG002
            if tag not in {"meta", "br", "use", "path", "rect"}:
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            if tag not in {"use", "path", "rect"}:
                assert self.open.pop() == tag

    parser = Balance()
    parser.feed(PAGE)
    assert parser.open == []
    assert "<script" not in PAGE
    assert not re.search(r'(?:src|href)="(?!#)', PAGE)


def test_a_round_without_figures_draws_nothing() -> None:
    assert gains_figure([FIRST, REFUSED, FAILED]) is None
    assert quality_figure([FAILED]) is None
    assert outcomes_figure(RUNS[1:]) is None


@pytest.mark.parametrize("draw", [gains_figure, quality_figure])
def test_challengers_are_drawn_at_their_day(draw: Any) -> None:
    figure = draw([FIRST, KEPT])
    assert figure is not None
    values = {round(float(y), 3) for line in figure.axes[0].lines for y in line.get_ydata()}
    assert (5.0 if draw is gains_figure else 0.61) in values
