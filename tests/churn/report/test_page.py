"""The page of a run: whole, safe, without a request, in both languages."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from lifestage.campaign import Profit
from lifestage.churn.evaluation import evaluate
from lifestage.churn.profit.evaluation import evaluate_profit
from lifestage.churn.report.page import Driver, Report, drivers_of, report_page
from lifestage.churn.report.words import calibration, fallbacks_of, use, warnings_of
from lifestage.churn.served.auc import Auc
from lifestage.churn.served.dimensions import Dimension
from lifestage.churn.served.four_way import PARTS, FourWay, Part
from lifestage.churn.served.segments import evaluate_segments
from lifestage.pages import Words

N = 1_200
EVIL = '<script>alert("x")</script>'
VOID = {"meta", "link", "br", "img", "input", "hr"}
SECTIONS = {
    "data": "数据与评估",
    "methods": "模型与简单规则对比",
    "curves": "概率是否准确",
    "profit": "联系客户能带来多少收益",
    "drivers": "主要驱动因素",
    "segments": "哪些分群表现不佳",
    "four-way": "新客户与时间推移",
    "warnings": "警告",
    "terms": "术语",
}


class Page(HTMLParser):
    """Checks that tags nest; collects ids, what is referred to, headings and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.refers: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
                self.refers.append(value or "")
            assert not name.startswith("on"), f"{tag} {name}"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def report() -> Report:
    """A shop that does all it can to break the page: one segment planted to fail, names that are markup."""
    rng = np.random.default_rng(3)
    logit = rng.normal(0.3, 1.2, N)
    p = 1 / (1 + np.exp(-logit))
    days, churned = np.exp(3 + 0.4 * logit + rng.normal(0, 0.6, N)), rng.random(N) < p
    codes = rng.integers(0, 3, N)
    said = np.where(codes == 1, p * 0.45, p)
    rules = {"days_since_last_order": days}
    evaluation = evaluate(said, rules, rules, churned, churned, repetitions=40)
    segments = evaluate_segments(
        said, churned, [Dimension("d", f"at{EVIL}", "属性", codes, ("x", EVIL, "z"))], rarer_is_churned=True
    )
    profit = evaluate_profit(
        Profit(contact_cost=1, offer_cost=5, success_rate=0.3),
        said,
        churned,
        rng.uniform(10, 90, N),
        rules,
        repetitions=20,
    )
    nan = float("nan")
    parts = [Part(when, who, 400, 0.6, Auc(0.7, 0.02), 0.6, 0.5, 0.02, 0.04) for when, who in PARTS[:3]]
    return Report(
        shop=EVIL,
        currency="EUR",
        definition="purchase",
        horizon_days=90,
        active_within_days=365,
        window={
            "data_from": "2024-01-01 08:00",
            "as_of": "2026-01-01",
            "observed_until": "2025-12-31",
            "customers": "4000",
            "fingerprint": "ab",
        },
        cutoffs={
            "train": ["2025-01-05"],
            "validation": "2025-04-05",
            "evaluation": ["2025-04-05"],
            "test": "2025-07-04",
            "shipped": ["2025-07-04"],
            "out_of_time": True,
        },
        evaluation=evaluation,
        champion="model",
        drivers=[
            Driver(f"profile_{EVIL}", 0.6, f"attribute '{EVIL}'", f"属性{EVIL}"),
            Driver("order_count", 0.4, "orders so far"),
        ],
        segments=segments,
        four_way=FourWay((*parts, Part("later", "new", 3, 0.3, Auc(nan, nan), nan, nan, nan, nan))),
        profit=profit,
        fallbacks=[Words("Made do without.", "缺少某项。")],
    )


@pytest.fixture(scope="module")
def html(report: Report) -> str:
    return report_page(report)


def test_the_page_is_well_formed_and_ids_are_its_own(html: str) -> None:
    page = Page(html)
    assert page.open == []
    assert html.startswith("<!DOCTYPE html>")
    assert len(page.ids) == len(set(page.ids))
    assert page.tags.count("h1") == page.tags.count("main") == page.tags.count("title") == 1
    assert page.tags.count("svg") == 3


def test_nothing_is_fetched_and_nothing_runs(html: str) -> None:
    page = Page(html)
    assert "script" not in page.tags
    assert not {"img", "iframe", "object", "embed", "link", "form", "image"} & set(page.tags)
    assert page.refers
    assert all(target.startswith("#") and target[1:] in page.ids for target in page.refers)
    assert all(target in page.ids for target in re.findall(r"url\(#([^)]+)\)", html))
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    urls = set(re.findall(r"https?://[^\s\"'<>]+", html))
    assert urls <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}  # names, not addresses


def test_names_that_are_markup_are_text(html: str) -> None:
    assert EVIL not in html
    assert html.count("&lt;script&gt;") >= 6  # title, heading, driver, meaning, dimension, level
    assert EVIL in "".join(Page(html).text)


def test_all_sections_in_order_and_both_languages(html: str) -> None:
    places = [html.index(f'<h2 id="{name}">') for name in SECTIONS]
    assert places == sorted(places)
    for name, zh in SECTIONS.items():
        heading = html[html.index(f'<h2 id="{name}">') :].split("</h2>", maxsplit=1)[0]
        assert zh in heading
        assert re.search("[A-Za-z]{4}", heading)
    text = " ".join("".join(Page(html).text).split())
    for said in (
        "Data from 2024-01-01 to 2026-01-01; graded on customers as of 2025-07-04",
        "数据自2024-01-01至2026-01-01",
        "no order within 90 days, of customers who ordered in the 365 days before",
        "days since last order",
        "距最近一单天数",
        "too few customers (3) are new since training",
        "Made do without. 缺少某项。",
        "Average precision of those who",
        "Contacting the",
        "EUR",
    ):
        assert said in text, said
    assert text.count("Grade ") >= 2
    assert html.count('lang="zh"') > 60


def test_failing_segments_are_told_and_marked(html: str, report: Report) -> None:
    assert [row.level for row in report.segments.failing] == [EVIL]
    (row,) = report.segments.failing
    text = " ".join("".join(Page(html).text).split())
    p, y = (f"{100 * share:.0f} %" for share in (row.mean_probability, row.base_rate))
    assert f"{p} foreseen, {y} churned: probabilities too low here" in text
    assert "此处概率偏低" in text
    assert html.count('<tr class="fails">') == 1
    assert "1 of 3 segments is served worse" in text


def test_missing_figures_are_a_dash_and_never_nan(html: str) -> None:
    assert "nan" not in "".join(Page(html).text).lower().replace("finan", "")
    assert "–" in html
    assert "– to –" not in html
    assert "≤ –" not in html


def test_the_same_run_gives_the_same_page(report: Report, html: str) -> None:
    assert report_page(report) == html


def test_without_profit_drivers_or_segments(report: Report) -> None:
    bare = replace(report, profit=None, drivers=[], segments=replace(report.segments, rows=()))
    page = Page(html := report_page(bare))
    assert page.open == []
    assert 'id="profit"' not in html
    assert "The model gives everybody the same chance." in html
    assert "too few customers, or nothing is known that tells them apart" in html
    assert page.tags.count("svg") == 2


def test_warnings_name_what_to_know(report: Report) -> None:
    e = report.evaluation
    said = warnings_of(e, "model", report.segments, report.profit, report.fallbacks)
    text = " ".join(w.en for w in said)
    assert "were foreseen to churn" in text
    assert "1 of 3 segments is served worse" in text
    assert said[-1].en == "Made do without."
    assert all(w.zh for w in said)
    worse = warnings_of(
        replace(e, out_of_time=False, churned=e.churned[:300]),
        "days_since_last_order",
        report.segments,
        None,
    )
    assert worse[0].en.startswith("Not graded out of time")
    assert worse[1].en.startswith("A baseline scores")
    assert "距最近一单天数" in worse[1].zh
    assert any(w.en.startswith("Few customers: 300 graded") for w in worse)


def test_a_baseline_that_ships_and_a_grade_that_fails_are_said(report: Report) -> None:
    bad = replace(report.evaluation, grade="C")
    html = report_page(replace(report, evaluation=bad, champion="days_since_last_order"))
    assert "Grade C: the model is not proven better than the plain rule" in html
    assert "Days since last order, calibrated, scores in its place." in html
    assert "Treat the order of customers as a rule of thumb" in html
    assert '<div class="grade c">' in html


def test_calibration_words(report: Report) -> None:
    e = report.evaluation
    own = dict(e.figures["model"])

    def having(**figures: float) -> tuple[str, str]:
        made = replace(e, figures={**e.figures, "model": {**own, **figures}})
        return calibration(made).en, use(replace(made, grade="A")).en

    true, use_all = having(ece=0.01, ece_if_perfect_high=0.02)
    assert true == f"The probabilities were true as far as {N:,} customers can tell."
    assert use_all == "Use its order and its probabilities for campaigns."
    level, order_only = having(ece=0.08, ece_if_perfect_high=0.02, ece_shape=0.01, ece_level=0.08)
    assert "The level was off, about alike at all risks" in level
    assert "probabilities are too high" in level
    assert order_only.startswith("Use its order for campaigns; its probabilities were off")
    shape, _ = having(ece=0.08, ece_if_perfect_high=0.02, ece_shape=0.07, ece_level=0.001)
    assert shape.endswith("Use the order; take the probabilities themselves with caution.")


def test_drivers_are_groups_with_a_share_the_strongest_first() -> None:
    rows = [
        ("rhythm", "silence", "沉默", 0.7),
        ("spend", "spend", "消费", 0.3),
        ("city", "city", "城市", 0.0),
    ]
    table = pd.DataFrame(rows, columns=["group", "label", "label_zh", "share"])
    assert drivers_of(table) == [
        Driver("rhythm", 0.7, "silence", "沉默"),
        Driver("spend", 0.3, "spend", "消费"),
    ]
    assert len(drivers_of(table, top=1)) == 1


def test_fallbacks_are_those_of_the_model(fits) -> None:
    model = fits[1].model
    assert [w.en for w in fallbacks_of(model, "model")] == [
        "The data allow no BG/NBD order model, so the model goes by its features alone."
    ]
