"""The page and the long table say what the figures say."""

import re
from datetime import date, timedelta

import pytest

from lifestage.matured import Backtest, backtest, long_table, sentences
from lifestage.matured.report import backtest_page, pictures

from .conftest import AS_OF, Shop, midnight_us, scores, write_history, write_release, write_run


@pytest.fixture
def found(shop: Shop) -> Backtest:
    """Three rounds, a month apart, the last of them without CLV; one hindsight."""
    for days, name in ((-60, "r-60"), (-30, "r-30")):
        day = AS_OF + timedelta(days=days)
        write_release(shop.releases, name, day)
        at = midnight_us(day)
        write_run(shop.runs, f"as-of-{day}", at, name, scores(shop.rows, at, name, seed=-days))
    past = midnight_us(AS_OF - timedelta(days=90))
    write_run(shop.runs, "back<fill>", past, "r1", scores(shop.rows, past, "r1", seed=2))
    until = AS_OF + timedelta(days=40)
    return backtest("<shop>", write_history(shop.path, shop.rows, until), shop.runs, shop.releases)


def test_sentences_count_what_is_there(found: Backtest) -> None:
    said = [words.en for words in sentences(found)]
    rates = [(r.churn["predicted_rate"], r.churn["observed_rate"]) for r in found.rounds]
    near = sum(
        abs(p - o) <= max(0.05, r.churn["rate_chance"]) for (p, o), r in zip(rates, found.rounds, strict=True)
    )
    assert said[0].startswith(f"Of the 3 rounds whose 30 days have passed, {near} came true")
    assert (
        f"The newest, of {AS_OF}, foresaw {rates[-1][0]:.0%}".replace("%", "\N{NO-BREAK SPACE}%") in said[0]
    )
    left = sum(r.churn["churned"] for r in found.rounds)
    assert any(
        f"Last quarter (3 rounds from {found.rounds[0].day} on):" in s and f"{left:,.0f} left" in s
        for s in said
    )
    clv = [r.clv for r in found.rounds if r.clv]
    assert len(clv) == 2
    came = sum(c["orders_actual"] for c in clv)
    assert any(f"/ {came:,.0f} (" in s for s in said)
    assert all(words.zh for words in sentences(found))


def test_the_page_is_whole_and_fetches_nothing(found: Backtest) -> None:
    page = backtest_page(found)
    assert "&lt;shop&gt;: did the predictions come true?" in page
    assert "<shop>" not in page
    assert "back&lt;fill&gt;: scored with r1" in page
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!#)', page)
    for one in found.rounds:
        assert f"<td>{one.day}</td><td>{one.churn['eligible']:,.0f}</td>" in page
    assert f"{found.rounds[0].clv['orders_actual']:,.0f}" in page
    assert "60 days of CLV end on 2022-05-09: churn only." in page
    assert set(pictures(found)) == {
        "level",
        "reliability",
        "calibration",
        "order",
        "value",
        "coverage",
        "stages",
    }
    assert backtest_page(found) == page


def test_the_page_of_no_runs(shop: Shop) -> None:
    nothing = Backtest("shop", shop.as_of, "Europe/Berlin", (), ())
    assert "No scoring run is kept yet" in backtest_page(nothing)
    assert pictures(nothing) == {}
    assert long_table(nothing).num_rows == 0


def test_the_long_table_holds_every_figure(found: Backtest) -> None:
    table = long_table(found)
    rows = {(r["run"], r["part"], r["stage"], r["measure"]): r["value"] for r in table.to_pylist()}
    assert len(rows) == len(table)
    for one in found.rounds:
        for part in ("customers", "churn", "clv", "ahead"):
            for measure, value in getattr(one, part).items():
                assert rows.pop((one.name, part, None, measure)) == value
        for stage in one.stages:
            for measure, value in stage.items():
                if measure not in ("stage", "role") and value is not None:
                    assert rows.pop((one.name, "stages", stage["stage"], measure)) == value
    assert not rows
    assert table["as_of"].to_pylist()[0] == date.fromisoformat(found.rounds[0].day)
