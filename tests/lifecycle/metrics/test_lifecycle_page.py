"""The lifecycle report: self-contained, escaped, bilingual, and its figures are those of the tables."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pyarrow as pa
import pytest

from lifestage.lifecycle.metrics import METRICS, lifecycle_metrics
from lifestage.lifecycle.metrics.plots import pictures
from lifestage.lifecycle.metrics.report import LifecycleReport, about_to_move, lifecycle_page
from lifestage.lifecycle.metrics.report.lookup import SAME, Figures, in_unit
from lifestage.lifecycle.policy import Policy, parse
from lifestage.schemas import INSTANT
from tests.lifecycle.metrics.metric_shops import POLICY_TEXT, SmallShop, small_policy

DAY = 86_400_000_000
EVIL = "<b>&\"'x</b>"
VOID = {"meta", "br", "path", "use", "rect", "circle", "line", "image", "stop"}


class Page(HTMLParser):
    """Tags, ids, attributes that could fetch something, text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.refers: list[str] = []
        self.handlers: list[str] = []
        self.text: list[str] = []
        self.zh = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href", "action"):
                self.refers.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)
            self.zh += (name, value) == ("lang", "zh")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def shop() -> SmallShop:
    """A shop of 120 whose names do all they can to break the page; three frames a month apart."""
    customers: dict[str, dict[str, Any]] = {}
    frames: dict[int, dict[str, dict[str, Any]]] = {d * DAY: {} for d in (31, 61, 91)}
    for i in range(120):
        name = f"c{i:03d}{EVIL if i == 0 else ''}"
        customers[name] = {
            "purchases": [((i % 20 + 30 * k + 1) * DAY, 10.0 + i, EVIL) for k in range(1 + i % 4)],
            "feedback": [((i % 90) * DAY, "nps", float(i % 11))],
            "acquisition_channel": EVIL if i % 2 else "直播",
            "acquisition_cost": 2.0,
            "city": EVIL if i % 3 else None,
        }
        for k, at in enumerate(frames):
            if i < 80 + 20 * k:
                stage = ["fresh", "grown", "old", "shaky", "away"][(i + (i % 7) * k) % 5]
                frames[at][name] = {
                    "stage": stage,
                    "stage_since": at,
                    "clv": 5.0 + i,
                    "churn_probability": 0.3,
                }
    return SmallShop("UTC", customers, frames)


@pytest.fixture(scope="module")
def policy() -> Policy:
    stages = [dict(stage) for stage in POLICY_TEXT["stages"]]
    stages[0] |= {
        "labels": {"en": f"Fresh {EVIL}", "zh": "新"},
        "metrics": ["acquisition_cost", "referral_rate", "renewal_rate", "nps", "my_own"],
        "actions": [{"name": "call", "en": f"Call {EVIL}", "zh": "致电"}],
    }
    return parse({**POLICY_TEXT, "stages": stages}, "small")


@pytest.fixture(scope="module")
def report(policy: Policy) -> LifecycleReport:
    made = shop()
    metrics = lifecycle_metrics(made.history(), made.tables(), policy, "city", minimum=10)
    row = {"customer_id": EVIL, "tier": None, "clv": 12.0, "churn_probability": None, "stage_since": None}
    return LifecycleReport(
        shop=EVIL,
        currency="EUR",
        zone="UTC",
        metrics=metrics,
        policy=policy,
        horizon_days=365,
        at_risk=[{**row, "reasons": [f"why {EVIL}"]}],
        about_to=[{"stage": "old", "next_stage": "shaky", "customers": 7, "clv": None}],
        release=EVIL,
    )


@pytest.fixture(scope="module")
def html(report: LifecycleReport) -> str:
    return lifecycle_page(report)


def test_nothing_is_fetched_nothing_runs_and_ids_differ(html: str) -> None:
    page = Page(html)
    assert not {"script", "img", "iframe", "object", "embed", "link", "form", "image"} & set(page.tags)
    assert page.handlers == []
    assert page.refers
    assert all(reference.startswith("#") for reference in page.refers)
    assert {r.removeprefix("#") for r in page.refers} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    assert html.startswith("<!DOCTYPE html>")
    assert page.tags.count("h1") == page.tags.count("main") == 1


def test_whatever_comes_from_data_is_escaped(html: str) -> None:
    assert "x</b>" not in html
    assert html.count("&lt;b&gt;&amp;") >= 7  # shop, release, label, action, customer, reason, channel, city


def test_every_sentence_is_there_in_chinese_too(html: str) -> None:
    page = Page(html)
    assert page.tags.count("h2") == 10
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", html)
    assert all('lang="zh"' in heading for heading in headings)
    assert all('lang="zh"' in text for text in re.findall(r"<figcaption>(.*?)</figcaption>", html))
    assert page.zh > 100


def test_the_page_says_what_it_cannot_tell(html: str) -> None:
    text = " ".join(Page(html).text)
    assert "not measured here; needs who was brought by whom" in text
    assert "the shop's data hold nothing to tell it from" in text  # renewal_rate: no subscriptions
    assert "no metric of this name is known here" in text
    assert "No stage of the policy has the role" not in text


def test_figures_of_the_page_are_those_of_the_tables(report: LifecycleReport, html: str) -> None:
    metrics = report.metrics
    newest = metrics.flow.to_pylist()
    flow = [r for r in newest if r["group"] is None][-1]
    assert f"{flow['new']:,} came, {flow['returned']:,} returned and {flow['lost']:,} were lost" in html
    assert f"{flow['end_customers']:,} customers are known" in html
    rates = [
        r for r in metrics.figures.to_pylist() if r["metric"] == "churn_rate" and r["end"] == flow["end"]
    ]
    whole = next(r for r in rates if r["group"] is None and r["stage"] is None)
    assert whole["numerator"] == flow["lost"]
    assert in_unit("share", whole["value"], "") in html


def test_a_trend_needs_more_than_chance_and_alike_periods(report: LifecycleReport) -> None:
    figures = Figures(report.metrics, "EUR")
    assert figures.comparable
    shown = figures.shown("churn_rate")
    assert shown is not None
    assert shown.trend is not None

    def trend(now: tuple[int, int], then: tuple[int, int]) -> Any:
        rows = [{"numerator": n, "denominator": d, "value": n / d, "customers": d} for n, d in (now, then)]
        return figures._trend("churn_rate", *rows)

    assert trend((50, 100), (45, 100)) is SAME
    assert trend((5000, 10_000), (4500, 10_000)).en == "▲ 5.0 points"
    assert trend((0, 40), (1, 40)) is SAME
    assert trend((100, 1000), (200, 1000)).zh == "▼ 10.0个百分点"


def test_one_frame_and_a_policy_without_roles_make_a_page(report: LifecycleReport) -> None:
    made = shop()
    newest = max(made.frames)
    plain = [{k: v for k, v in stage.items() if k != "role"} for stage in POLICY_TEXT["stages"]]
    no_roles = parse({**POLICY_TEXT, "stages": plain}, "small")
    metrics = lifecycle_metrics(made.history(), {newest: made.tables()[newest]}, no_roles)
    told = set(metrics.figures["metric"].to_pylist())
    assert not told & {"churn_rate", "win_back_rate", "lifetime"}
    html = lifecycle_page(replace(report, metrics=metrics, policy=no_roles, at_risk=()))
    assert "Moves can be told from the second run on." in html
    assert "No stage of the policy has the role <code>lost</code>" in html
    assert "Nobody is at risk." in html


def test_pictures_of_all_kinds(report: LifecycleReport) -> None:
    found = pictures(report.metrics, report.policy, "UTC")
    assert set(found) == {
        "stages",
        "flow",
        "alluvial",
        "transitions",
        "time-in-stage",
        "retention",
        "ltv-cac",
        "nps",
    }
    bars = found["ltv-cac"].axes[0]
    values = sorted(
        r["value"]
        for r in report.metrics.channels.to_pylist()
        if r["group"] is None and r["metric"] == "ltv_cac" and r["channel"] is not None
    )
    assert [bar.get_width() for bar in bars.patches] == pytest.approx(values)


def test_foreseen_moves_are_counted_up_to_the_last_day() -> None:
    def row(
        number: int, stage: str, then: str | None, days: float | None, clv: float | None
    ) -> dict[str, Any]:
        at = None if days is None else round(days * DAY)
        return {
            "customer_id": f"{number}",
            "stage": stage,
            "next_stage": then,
            "next_stage_at": at,
            "clv": clv,
        }

    rows = [
        row(1, "a", "b", 130, 2.0),  # on the last day
        row(2, "a", "b", 130 + 1e-6, 9.0),
        row(3, "a", "b", 101, None),
        row(4, "c", "b", 101, None),
        row(5, "a", None, None, 5.0),
    ]
    schema = pa.schema({n: pa.string() for n in ("customer_id", "stage", "next_stage")})
    schema = schema.append(pa.field("next_stage_at", INSTANT)).append(pa.field("clv", pa.float64()))
    scores = pa.Table.from_pylist(rows, schema=schema)
    assert about_to_move(scores, 100 * DAY) == [
        {"stage": "a", "next_stage": "b", "customers": 2, "clv": 2.0},
        {"stage": "c", "next_stage": "b", "customers": 1, "clv": None},
    ]
    assert about_to_move(scores.select(["customer_id", "stage"]), 100 * DAY) == []


def test_values_are_told_in_their_unit() -> None:
    assert in_unit("share", 0.0712, "") == "7.1\N{NO-BREAK SPACE}%"
    assert in_unit("points", -12.4, "") == "−12"
    assert in_unit("currency", 1234.5, "CNY") == "1,234\N{NO-BREAK SPACE}CNY"
    assert in_unit("currency", 12.346, "CNY") == "12.35\N{NO-BREAK SPACE}CNY"
    assert in_unit("days", 92.0, "") == "92\N{NO-BREAK SPACE}d"
    assert (
        in_unit(METRICS["purchase_frequency"].unit, 0.256, "").replace("\N{NO-BREAK SPACE}", " ")
        == "0.26 / 30 d"
    )


def test_the_small_policy_has_a_stage_of_each_role() -> None:
    assert {stage.role for stage in small_policy().stages} == {"new", "active", "at_risk", "lost"}
