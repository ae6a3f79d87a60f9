"""What presets have in common: signals, tiers, risk, health, texts in both languages, metrics, alerts."""

from typing import Any

import pytest
import yaml

from lifestage.lifecycle.metrics.catalogue import METRICS
from lifestage.lifecycle.policy import Policy, presets
from tests.lifecycle.presets.table import EPS, Row, decide, once, preset, regular

DOCUMENTS: dict[str, Any] = {name: yaml.safe_load(preset(name).source) for name in presets()}
PUBLISHED = (
    "aarrr",
    "closed_loop",
    "defecting",
    "ecommerce",
    "funnel",
    "loyalty",
    "probability_bands",
    "relationship",
    "rhythm",
    "subscription",
)
BY_CLV = [name for name in presets() if "min_percentile" in DOCUMENTS[name]["tiers"][0]]
OWN = ("lapsed", "won_back")
"""Signals that are different in every preset."""


def having(signal: str) -> list[str]:
    return [name for name in presets() if any(s["name"] == signal for s in DOCUMENTS[name]["signals"])]


def test_the_models_of_the_field_are_there() -> None:
    assert presets() == PUBLISHED or presets() == list(PUBLISHED)


def test_a_signal_of_one_name_is_one_rule() -> None:
    found: dict[str, Any] = {}
    for document in DOCUMENTS.values():
        for signal in document["signals"]:
            if signal["name"] not in OWN:
                assert found.setdefault(signal["name"], signal) == signal, signal["name"]


def levels(name: str, row: Row, signal: str) -> str | None:
    return decide(name, row)["on"].get(signal)


USED = {"events_30d": 4.0, "events_change_30d": -16.0}
SIGNALS: list[tuple[str, Row, str, list[tuple[float | None, str | None]]]] = [
    ("no_login", {}, "days_since_last_event", [(14 - EPS, None), (14.0, "medium"), (21 - EPS, "medium"), (21.0, "high"), (21 + EPS, "high"), (None, None)]),
    # 20 events before: 80% fewer are 4, half are 10.
    ("use_sharply_down", {"events_change_30d": -16.0}, "events_30d", [(4.0, "high"), (None, None), (-6.0 - EPS, None)]),
    ("use_sharply_down", {"events_30d": 4.0}, "events_change_30d", [(-16 - EPS, "high"), (-16.0, "high"), (-16 + EPS, "medium"), (-6.0, "medium"), (-6 + EPS, None), (None, None)]),
    ("use_sharply_down", {"events_30d": 0.0}, "events_change_30d", [(-10.0, "high"), (-10 + EPS, None)]),
    ("breadth_shrinking", {"event_type_count": 6.0}, "event_types_90d", [(1 - EPS, None), (1.0, "medium"), (3.0, "medium"), (3 + EPS, None), (None, None)]),
    ("breadth_shrinking", {"event_types_90d": 1.0}, "event_type_count", [(4 - EPS, None), (4.0, "medium"), (None, None)]),
    ("low_nps", {}, "nps_last", [(6 - EPS, "medium"), (6.0, "medium"), (6 + EPS, None), (None, None)]),
    ("cases_rising", {"complaints_90d": 3.0}, "complaints_30d", [(2 - EPS, None), (2.0, "high"), (None, None)]),
    ("cases_rising", {"complaints_30d": 2.0}, "complaints_90d", [(4 - EPS, "high"), (4.0, None), (None, None)]),
    ("cases_rising", {"tickets_90d": 3.0}, "tickets_30d", [(2 - EPS, None), (2.0, "medium"), (None, None)]),
    ("cases_rising", {"tickets_30d": 2.0}, "tickets_90d", [(4 - EPS, "medium"), (4.0, None), (None, None)]),
    ("beyond_rhythm", regular(40.0, 20.0, recency_over_max_gap=1 + EPS), "recency_over_mean_gap", [(1.5, None), (1.5 + EPS, "medium"), (2.0, "medium"), (2 + EPS, "high"), (None, None)]),
    ("beyond_rhythm", regular(40.0, 18.0), "recency_over_max_gap", [(1.0, "medium"), (1 + EPS, "high"), (None, "medium")]),
    ("beyond_rhythm", regular(40.0, 18.0), "days_since_last_order", [(14.0, None), (14 + EPS, "high"), (None, None)]),
    ("beyond_rhythm", regular(40.0, 18.0), "purchase_days", [(3 - EPS, None), (3.0, "high"), (None, None)]),
    # Four orders before, now one: less than a third.
    ("orders_sharply_down", regular(28.0, 20.0, orders_90d=1.0), "orders_change_90d", [(-3 - EPS, "high"), (-3.0, "high"), (-3 + EPS, None), (None, None)]),
    ("orders_sharply_down", regular(28.0, 20.0, orders_change_90d=-4.0), "orders_90d", [(2.0, "high"), (2 + EPS, None), (None, None)]),
    ("orders_sharply_down", regular(28.0, 20.0, orders_90d=1.0, orders_change_90d=-3.0), "recency_over_mean_gap", [(1.0, None), (1 + EPS, "high"), (None, None)]),
]  # fmt: skip


@pytest.mark.parametrize(("signal", "row", "column", "steps"), SIGNALS)
def test_levels_of_signals(
    signal: str, row: Row, column: str, steps: list[tuple[float | None, str | None]]
) -> None:
    names = having(signal)
    assert names
    for value, level in steps:
        assert levels(names[0], {**row, column: value}, signal) == level, (column, value)


@pytest.mark.parametrize("name", BY_CLV)
def test_tiers_by_rank(name: str) -> None:
    steps = [
        (0.99, "platinum", "gold"),
        (0.95, "gold", "silver"),
        (0.9, "silver", "bronze"),
        (0.75, "bronze", "medium"),
        (0.5, "medium", "low"),
    ]
    for rank, tier, below in steps:
        assert decide(name, {"clv_percentile": rank})["tier"] == tier
        assert decide(name, {"clv_percentile": rank + EPS})["tier"] == tier
        assert decide(name, {"clv_percentile": rank - EPS})["tier"] == below
    assert decide(name, {"clv_percentile": 0.0})["tier"] == "low"
    assert decide(name, {"clv_percentile": None})["tier"] is None


MODEL_RISK = [name for name in presets() if name != "subscription"]


@pytest.mark.parametrize("name", MODEL_RISK)
@pytest.mark.parametrize(
    ("rank", "probability", "risk"),
    [
        (0.75, 0.5, "high"),
        (0.75 - EPS, 0.5, "medium"),
        (0.75, 0.5 - EPS, "medium"),
        (0.4, 0.25, "medium"),
        (0.4 - EPS, 0.9, "low"),
        (0.9, 0.25 - EPS, "low"),
        (None, 0.9, "low"),
        (0.9, None, "low"),
    ],
)
def test_risk_by_the_model(name: str, rank: float | None, probability: float | None, risk: str) -> None:
    row = once(5.0, 10.0, churn_percentile=rank, churn_probability=probability)
    assert decide(name, row)["risk"] == risk
    assert decide(name, {**row, "eligible": False})["risk"] is None
    assert decide(name, {**row, "eligible": None})["risk"] is None


@pytest.mark.parametrize("name", presets())
def test_health_lies_between_0_and_100_and_leaves_out_what_is_missing(name: str) -> None:
    best = regular(0.0, 20.0, churn_probability=0.0, frequency_percentile=1.0, p_order=1.0, nps_last=10.0)
    best |= {"active_days_30d": 30.0, "complaints_90d": 0.0, "events_30d": 9.0, "events_change_30d": 0.0}
    worst = regular(2000.0, 20.0, churn_probability=1.0, frequency_percentile=0.0, p_order=0.0, nps_last=0.0)
    worst |= {"active_days_30d": 0.0, "complaints_90d": 9.0, "events_30d": 0.0, "events_change_30d": -9.0}
    assert decide(name, best)["health"] == pytest.approx(100)
    assert decide(name, worst)["health"] == pytest.approx(0)
    assert decide(name, {})["health"] is None
    assert decide(name, {"nps_last": 7.0})["health"] == pytest.approx(70)
    both = decide(name, {"nps_last": 7.0, "complaints_90d": 1.0})
    weights = {part["name"]: part["weight"] for part in DOCUMENTS[name]["health"]}
    mean = (70 * weights["satisfaction"] + 50 * weights["no_trouble"]) / (
        weights["satisfaction"] + weights["no_trouble"]
    )
    assert both["health"] == pytest.approx(mean)
    parts = {part["name"]: part["points"] for part in both["health_parts"]}
    assert {name for name, points in parts.items() if points is not None} == {"satisfaction", "no_trouble"}


def texts(value: Any) -> list[dict[str, Any]]:
    found = [value] if isinstance(value, dict) else []
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return found + [text for child in children for text in texts(child)]


@pytest.mark.parametrize("name", presets())
def test_both_languages_everywhere(name: str) -> None:
    policy: Policy = preset(name)
    for text in texts(DOCUMENTS[name]):
        if "en" in text or "zh" in text:
            assert text["en"].isascii()
            assert (
                any("\u4e00" <= letter <= "\u9fff" for letter in text["zh"])
                or text["en"] == text["zh"] == "LTV / CAC"
            )
    for stage in policy.stages:
        assert stage.metrics, stage.name
        assert stage.actions, stage.name
        assert stage.because or all(rule.because for rule in stage.enter) or name == "ecommerce", stage.name
        last = DOCUMENTS[name]["stages"][policy.stages.index(stage)]["actions"][-1]
        assert "when" not in last, f"{stage.name}: somebody would have no next action"
    assert policy.source.startswith("# ")


@pytest.mark.parametrize("name", presets())
def test_every_preset_has_a_way_out_and_roles(name: str) -> None:
    roles = [stage.role for stage in preset(name).stages]
    assert "lost" in roles
    assert {"prospect", "new"} & set(roles)
    assert any(stage.exit for stage in preset(name).stages)
    assert all(stage.exit for stage in preset(name).stages if stage.preempts)


@pytest.mark.parametrize("name", presets())
def test_metrics_are_of_the_catalogue(name: str) -> None:
    for stage in preset(name).stages:
        assert {metric.name for metric in stage.metrics} <= METRICS.keys()
