"""Two policies on the same customers: the moves against staging by hand, the CSV, the picture."""

import csv
import io
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lifestage.lifecycle.alluvial import Node, alluvial, chinese_font, picture
from lifestage.lifecycle.columns import GIVEN
from lifestage.lifecycle.comparison import BOTH, compare, flows, movers_of, stage_both
from lifestage.lifecycle.policy import Policy, parse
from lifestage.lifecycle.staging import assign
from lifestage.policies.diff import COLUMNS, comparison_text, flow_picture, movers_csv
from lifestage.schemas import PREVIOUS

T = 1_700_000_000_000_000
LABELS = {"en": "x", "zh": "甲"}


def policy(bound: float, *, gone: bool = True, version: int = 1) -> Policy:
    """Who is silent for so many days is asleep; `gone` is a stage that few come to."""
    stages: list[dict[str, Any]] = [
        {
            "name": "awake",
            "enter": f"coalesce(days_since_last_order, 0) <= {bound}",
            "actions": ["cross_sell"],
        },
        {"name": "asleep", "enter": f"days_since_last_order > {bound}", "actions": ["call"]},
    ]
    if gone:
        stages.append(
            {"name": "gone", "preempts": True, "enter": "days_since_last_order > 300", "exit": "FALSE"}
        )
    document = {
        "name": "p",
        "version": version,
        "default": "awake",
        "stages": [
            {"labels": LABELS, "because": {"en": "{days_since_last_order} days", "zh": "x"}, **s}
            for s in stages
        ],
        "risk": [{"name": "high", "labels": LABELS, "when": f"days_since_last_order > {bound}"}],
    }
    return parse(document, "p.yaml")


@pytest.fixture(scope="module")
def shop() -> tuple[pa.Table, pa.Table]:
    rng = np.random.default_rng(3)
    n = 400
    ids = pa.array([f"=c{i:03d}" for i in range(n)])
    columns = {"customer_id": ids}
    for name, published in GIVEN.items():
        columns[name] = pa.nulls(n, published.type)
    silent, clv, churn = rng.uniform(0, 400, n), rng.uniform(0, 1000, n), rng.uniform(0, 1, n)
    columns["days_since_last_order"] = pa.array(silent, mask=rng.random(n) < 0.1)
    columns["clv"] = pa.array(clv, mask=rng.random(n) < 0.1)
    columns["churn_probability"] = pa.array(churn, mask=rng.random(n) < 0.3)
    stored = rng.choice(["awake", "asleep", "gone", "elsewhere"], n)
    previous = pa.table(
        [ids, stored, pa.array(np.full(n, T - 86_400_000_000), PREVIOUS[2].type)], schema=PREVIOUS
    )
    return pa.table(columns), previous


def test_moves_are_those_of_staging_each_customer_under_both(shop: tuple[pa.Table, pa.Table]) -> None:
    columns, previous = shop
    old, new = policy(90), policy(120, gone=False, version=2)
    both = stage_both((old, new), (columns, columns), T, previous)
    assert both.schema.equals(BOTH)
    sides = [assign(p, columns, T, previous).to_pylist() for p in (old, new)]
    rows = list(zip(columns.to_pylist(), *sides, strict=True))
    found = compare(both, new)
    expected: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row, before, after in rows:
        expected.setdefault((before["stage"], after["stage"]), []).append(row)
    assert flows(found) == {pair: len(members) for pair, members in expected.items()}
    for move in found.stages:
        members = expected[move.old, move.new]
        values = [m["clv"] for m in members if m["clv"] is not None]
        risks = [m["churn_probability"] for m in members if m["churn_probability"] is not None]
        assert move.clv == pytest.approx(sum(values))
        assert move.churn == pytest.approx(sum(risks) / len(risks))
        best = sorted((m for m in members if m["clv"] is not None), key=lambda m: -m["clv"])
        assert move.examples == tuple(m["customer_id"] for m in best[:3])
    moved = [r for r, a, b in rows if a["stage"] != b["stage"]]
    assert found.moved == len(moved) > 0
    assert found.customers == 400
    assert found.moved_clv == pytest.approx(sum(r["clv"] or 0 for r in moved))
    stored = previous["stage"].to_pylist()
    assert found.unknown == {name: stored.count(name) for name in ("elsewhere", "gone")}
    risk = {(m.old, m.new): m.customers for m in found.others["risk"]}
    assert risk == {("high", None): sum(a["risk"] == "high" and b["risk"] is None for _, a, b in rows)}
    actions = sum(m.customers for m in found.others["action"])
    assert actions == sum(a["action"] != b["action"] for _, a, b in rows)
    assert found.others["tier"] == ()
    text = comparison_text(found, old, new, "EUR", live=True)
    assert f"{found.moved} ({found.moved / 400:.1%}) would be in another stage" in text
    unknown = stored.count("elsewhere") + stored.count("gone")
    assert f"{unknown} customers are stored in stages that the new policy does not have (elsewhere " in text
    assert "CLV, EUR" in text
    assert "Changes of risk" in text


def test_the_same_policy_changes_nothing(shop: tuple[pa.Table, pa.Table]) -> None:
    columns, previous = shop
    same = policy(90)
    found = compare(stage_both((same, same), (columns, columns), T, previous), same)
    assert found.moved == 0
    assert not any(found.others.values())
    assert "Nothing would change for anybody." in comparison_text(found, same, same, "EUR", live=False)


def test_the_movers_as_csv(shop: tuple[pa.Table, pa.Table]) -> None:
    columns, previous = shop
    both = stage_both((policy(90), policy(120)), (columns, columns), T, previous)
    rows = list(csv.DictReader(io.StringIO(movers_csv(both))))
    assert list(rows[0]) == list(COLUMNS)
    ids = movers_of(both)["customer_id"].to_pylist()
    assert [row["customer_id"] for row in rows] == [f"'{i}" for i in ids]  # no spreadsheet runs it
    values = [float(row["clv"]) for row in rows if row["clv"]]
    assert values == sorted(values, reverse=True)
    assert {(row["old_stage"], row["new_stage"]) for row in rows} == {("asleep", "awake")}
    assert all("days" in row["reasons"] for row in rows)


def test_the_picture_shows_each_flow_once(shop: tuple[pa.Table, pa.Table]) -> None:
    columns, previous = shop
    old, new = policy(90), policy(120, gone=False)
    found = compare(stage_both((old, new), (columns, columns), T, previous), new)
    svg = flow_picture(found, old, new, "who moves")
    assert svg.startswith(b"<?xml")
    assert svg == flow_picture(found, old, new, "who moves")
    assert flow_picture(found, old, new, "who moves", "png").startswith(b"\x89PNG")


def test_bands_fill_their_bars() -> None:
    left, right = (
        [Node("a", "A", "甲"), Node("b", "B", "乙"), Node("never", "N", "无")],
        [Node("a", "A", "甲")],
    )
    counts = {("a", "a"): 30, ("a", "c"): 10, ("b", "a"): 20, ("b", "c"): 0}
    figure = alluvial(counts, left, right, title="t", heads=("x", "y"))
    (axes,) = figure.axes
    bars = [p for p in axes.patches if hasattr(p, "get_height")]
    bands = [p for p in axes.patches if not hasattr(p, "get_height")]
    assert len(bands) == 3
    assert len(bars) == 4  # a and b; a and c, which nobody named
    heights = [bar.get_height() for bar in bars]
    assert heights[0] / heights[1] == pytest.approx(40 / 20)
    assert heights[2] / heights[3] == pytest.approx(50 / 10)
    assert heights[0] + heights[1] == pytest.approx(heights[2] + heights[3])
    texts = [text.get_text() for text in axes.texts]
    chinese = chinese_font() is not None
    assert ("A 甲  40" if chinese else "A  40") in texts
    assert "c  10" in texts
    assert b"<svg" in picture(figure, "svg")
