"""The ecommerce preset: hand-made customers just below, at and above every threshold."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from lifestage.lifecycle.columns import GIVEN
from lifestage.lifecycle.policy import load
from lifestage.lifecycle.staging import assign
from lifestage.schemas import PREVIOUS

AS_OF = datetime(2024, 5, 1, tzinfo=UTC)
T = (AS_OF - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
PRESET = load("ecommerce")
EPS = 1e-9

Row = dict[str, Any]


def decide(row: Row, was: str | None = None, days_in_stage: float | None = None) -> Row:
    columns = {"customer_id": pa.array(["c"])}
    for name, published in GIVEN.items():
        columns[name] = pa.array([row.get(name)], published.type)
    previous = None
    if was is not None:
        since = None if days_in_stage is None else AS_OF - timedelta(days=days_in_stage)
        previous = pa.table([["c"], [was], [since]], schema=PREVIOUS)
    result: Row = assign(PRESET, pa.table(columns), T, previous).to_pylist()[0]
    result["on"] = {signal["name"]: signal["level"] for signal in result["signals"]}
    return result


def once(days: float, age: float | None = None, **more: Any) -> Row:
    """Bought on one day, `days` ago."""
    row = {
        "order_count": 1.0,
        "purchase_days": 1.0,
        "days_since_last_order": days,
        "eligible": days <= 365,
        "days_since_first_contact": days if age is None else age,
        "orders_90d": float(days <= 90),
        "orders_change_90d": 1.0 if days <= 90 else -1.0 if days <= 180 else 0.0,
    }
    return {**row, **more}


def regular(days: float, gap: float, longest: float | None = None, age: float = 1000, **more: Any) -> Row:
    """Bought on ten days, `gap` apart on average and at most `longest`, the last time `days` ago."""
    longest = gap if longest is None else longest
    row = {
        "order_count": 10.0,
        "purchase_days": 10.0,
        "days_since_last_order": days,
        "eligible": days <= 365,
        "days_since_first_contact": age,
        "mean_gap_days": gap,
        "max_gap_days": longest,
        "last_gap_days": gap,
        "recency_over_mean_gap": days / gap,
        "recency_over_max_gap": days / longest,
        "orders_90d": 2.0,
        "orders_change_90d": 0.0,
    }
    return {**row, **more}


AGES = [
    (0.0, "acquisition"),
    (2 - EPS, "acquisition"),
    (2.0, "activation"),
    (31 - EPS, "activation"),
    (31.0, "growth"),
    (181 - EPS, "growth"),
]


@pytest.mark.parametrize(("age", "stage"), [*AGES, (181.0, "loyalty"), (5000.0, "loyalty")])
def test_windows_of_age_of_an_active_customer(age: float, stage: str) -> None:
    assert decide(once(min(age, 20.0), age))["stage"] == stage


@pytest.mark.parametrize(("age", "stage"), [*AGES, (181.0, "win_back"), (5000.0, "win_back")])
def test_who_never_bought_goes_by_age(age: float, stage: str) -> None:
    zeros = dict.fromkeys(("order_count", "orders_90d", "orders_change_90d", "purchase_days"), 0.0)
    for row in ({}, zeros, {**zeros, "eligible": False}):
        got = decide({**row, "days_since_first_contact": age})
        assert got["stage"] == stage
        assert got["on"] == {}
        assert (got["tier"], got["segment"], got["risk"]) == (None, "prospects", None)


def test_who_was_never_seen_at_all_has_the_default_stage() -> None:
    assert decide({})["stage"] == PRESET.default == "acquisition"
    assert decide({"order_count": 0.0, "eligible": False})["stage"] == "acquisition"


@pytest.mark.parametrize(
    ("days", "stage"),
    [
        (120.0, "growth"),
        (120 + EPS, "at_risk"),
        (240.0, "at_risk"),
        (240 + EPS, "win_back"),
        (500.0, "win_back"),
    ],
)
def test_one_time_buyers_by_days(days: float, stage: str) -> None:
    assert decide(once(days))["stage"] == stage


def test_one_day_with_two_orders_is_no_rhythm() -> None:
    assert decide(once(200.0, order_count=2.0))["stage"] == "at_risk"


@pytest.mark.parametrize(
    ("days", "stage"),
    [(20.0, "loyalty"), (21.0, "loyalty"), (21 + EPS, "at_risk"), (60.0, "at_risk"), (60 + EPS, "win_back")],
)
def test_weekly_groceries(days: float, stage: str) -> None:
    """Gaps of a week, once a little more than ten days: twice the gap is 14, longer than ever 21, the floor 60."""
    assert decide(regular(days, gap=7.0, longest=21.0))["stage"] == stage


@pytest.mark.parametrize(("days", "stage"), [(14.0, "loyalty"), (14 + EPS, "at_risk")])
def test_daily_buyers_get_two_weeks(days: float, stage: str) -> None:
    assert decide(regular(days, gap=1.0))["stage"] == stage


@pytest.mark.parametrize(
    ("days", "stage"),
    [
        (90.0, "loyalty"),
        (90 + EPS, "loyalty"),
        (100.0, "loyalty"),
        (100 + EPS, "at_risk"),
        (150.0, "at_risk"),
        (150 + EPS, "win_back"),
    ],
)
def test_lapse_needs_the_mean_and_the_longest_gap(days: float, stage: str) -> None:
    """Gaps of 30 days on average and once 100: three gaps are 90, half as much again as the longest is 150."""
    assert decide(regular(days, gap=30.0, longest=100.0))["stage"] == stage


@pytest.mark.parametrize(
    ("days", "eligible", "stage"),
    [
        (364.0, True, "loyalty"),
        (380.0, False, "loyalty"),
        (500.0, False, "loyalty"),
        (500 + 1e-6, False, "win_back"),
        (500 + 1e-6, True, "loyalty"),
        (800 + 1e-6, True, "at_risk"),
    ],
)
def test_yearly_gifts(days: float, eligible: bool, stage: str) -> None:
    """Gaps of a year, at most 400 days: out of eligibility, but within their own rhythm until 1.25 x 400 days."""
    assert decide(regular(days, gap=365.0, longest=400.0, eligible=eligible))["stage"] == stage


@pytest.mark.parametrize(
    ("days", "stage"), [(375.0, "loyalty"), (376.0, "at_risk"), (450.0, "at_risk"), (451.0, "win_back")]
)
def test_two_days_a_long_gap_apart(days: float, stage: str) -> None:
    row = regular(days, gap=300.0, order_count=2.0, purchase_days=2.0, eligible=True)
    assert decide(row)["stage"] == stage


@pytest.mark.parametrize(
    ("now", "earlier", "on"),
    [
        (1.0, 4.0, True),
        (2.0, 6.0, True),
        (2.0, 5.0, False),
        (0.0, 4.0, True),
        (0.0, 3.0, False),
        (1.0, 3.0, False),
    ],
)
def test_orders_sharply_down(now: float, earlier: float, on: bool) -> None:
    row = regular(28.0, gap=20.0, orders_90d=now, orders_change_90d=now - earlier)
    got = decide(row)
    assert ("orders_sharply_down" in got["on"]) is on
    assert got["stage"] == ("at_risk" if on else "loyalty")
    assert "orders_sharply_down" not in decide({**row, "recency_over_mean_gap": 1.0})["on"]
    assert "orders_sharply_down" not in decide({**row, "recency_over_mean_gap": None})["on"]
    assert "orders_sharply_down" not in decide({**row, "orders_change_90d": None})["on"]


@pytest.mark.parametrize(
    ("rank", "probability", "age", "level", "stage"),
    [
        (0.9, 0.5, 200.0, "high", "at_risk"), (0.9 - EPS, 0.5, 200.0, "medium", "loyalty"),
        (0.75, 0.5, 200.0, "medium", "loyalty"), (0.75 - EPS, 0.5, 200.0, None, "loyalty"),
        (0.99, 0.5 - EPS, 200.0, None, "loyalty"), (0.99, 0.9, 31.0, "high", "at_risk"),
        (0.99, 0.9, 31 - EPS, None, "activation"), (None, 0.9, 200.0, None, "loyalty"),
        (0.99, None, 200.0, None, "loyalty"),
    ],
)  # fmt: skip
def test_likely_to_leave(rank: Any, probability: Any, age: float, level: Any, stage: str) -> None:
    got = decide(once(5.0, age, churn_percentile=rank, churn_probability=probability))
    assert got["on"].get("likely_to_leave") == level
    assert got["stage"] == stage


@pytest.mark.parametrize(
    ("ratio", "level"), [(1.5, None), (1.5 + EPS, "medium"), (2.0, "medium"), (2 + EPS, "high"), (None, None)]
)
def test_levels_of_beyond_rhythm(ratio: float | None, level: str | None) -> None:
    row = regular(40.0, gap=20.0, recency_over_mean_gap=ratio, recency_over_max_gap=1 + EPS)
    assert decide(row)["on"].get("beyond_rhythm") == level


@pytest.mark.parametrize(
    ("days", "level"),
    [
        (60.0, None),
        (60 + EPS, "medium"),
        (120.0, "medium"),
        (120 + EPS, "high"),
        (240.0, "high"),
        (240 + EPS, None),
    ],
)
def test_levels_of_no_repeat(days: float, level: str | None) -> None:
    assert decide(once(days))["on"].get("no_repeat") == level


# --- hysteresis --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "stage"),
    [
        ({}, "loyalty"),
        ({"recency_over_mean_gap": 1 + EPS}, "at_risk"),
        ({"recency_over_mean_gap": None}, "at_risk"),
        ({"churn_percentile": 0.8 - EPS}, "loyalty"),
        ({"churn_percentile": 0.8}, "at_risk"),
        ({"orders_90d": 2.0, "orders_change_90d": -2.0}, "at_risk"),
        ({"orders_90d": 3.0, "orders_change_90d": -2.0}, "loyalty"),
    ],
)
def test_at_risk_is_left_only_when_all_is_calm(change: Row, stage: str) -> None:
    row = {**regular(20.0, gap=20.0), **change}
    assert decide(row, "at_risk", 10.0)["stage"] == stage
    assert decide(row)["stage"] == "loyalty"  # whoever was not at risk does not come in by these


@pytest.mark.parametrize(("days", "stage"), [(60.0, "loyalty"), (60 + EPS, "at_risk")])
def test_at_risk_without_a_rhythm_is_left_by_days(days: float, stage: str) -> None:
    row = regular(days, gap=200.0, order_count=2.0, purchase_days=2.0)
    assert decide(row, "at_risk", 10.0)["stage"] == stage


@pytest.mark.parametrize(
    ("days", "days_in_stage", "stage"),
    [
        (9.0, 10.0, "loyalty"),
        (10.0, 10.0, "loyalty"),
        (11.0, 10.0, "win_back"),
        (30.0, None, "loyalty"),
        (31.0, None, "win_back"),
    ],
)
def test_win_back_is_left_by_an_order_since(days: float, days_in_stage: float | None, stage: str) -> None:
    assert decide(regular(days, gap=40.0), "win_back", days_in_stage)["stage"] == stage


def test_win_back_is_not_left_because_a_figure_changes() -> None:
    assert decide(once(200.0), "win_back", 100.0)["stage"] == "at_risk"  # at_risk preempts
    assert decide(once(110.0), "win_back", 100.0)["stage"] == "win_back"


@pytest.mark.parametrize(
    ("row", "was", "on"),
    [
        (regular(9.0, gap=40.0), "win_back", True),
        (regular(11.0, gap=40.0), "win_back", False),
        (regular(9.0, gap=40.0), "at_risk", False),
        (once(5.0, 300.0), "win_back", False),  # a cold contact's first order is no return
        (regular(30.0, gap=50.0, last_gap_days=120.0), None, True),
        (regular(30 + EPS, gap=50.0, last_gap_days=120.0), None, False),
        (regular(30.0, gap=50.0, last_gap_days=120 - EPS), None, False),
        (regular(30.0, gap=60.0, last_gap_days=120.0), None, False),
        (regular(30.0, gap=120.0, last_gap_days=120.0, order_count=2.0, purchase_days=2.0), None, True),
    ],
)
def test_won_back(row: Row, was: str | None, on: bool) -> None:
    assert ("won_back" in decide(row, was, 10.0)["on"]) is on


# --- risk, tiers, texts ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("rank", "probability", "risk"),
    [
        (0.75, 0.5, "high"),
        (0.75 - EPS, 0.5, "medium"),
        (0.75, 0.5 - EPS, "medium"),
        (0.4, 0.25, "medium"),
        (0.4 - EPS, 0.9, "low"),
        (0.9, 0.25 - EPS, "low"),
        (None, None, "low"),
    ],
)
def test_risk_of_the_eligible(rank: Any, probability: Any, risk: str) -> None:
    assert decide(once(5.0, 10.0, churn_percentile=rank, churn_probability=probability))["risk"] == risk


def test_risk_needs_eligibility() -> None:
    assert decide(once(400.0))["risk"] is None
    assert decide(once(250.0))["risk"] == "high"
    assert decide(once(100.0))["risk"] == "medium"


@pytest.mark.parametrize(
    ("rank", "tier"),
    [
        (1.0, "platinum"),
        (0.99, "platinum"),
        (0.99 - EPS, "gold"),
        (0.95, "gold"),
        (0.9, "silver"),
        (0.75, "bronze"),
        (0.5, "medium"),
        (0.5 - EPS, "low"),
        (0.0, "low"),
        (None, None),
    ],
)
def test_tiers(rank: float | None, tier: str | None) -> None:
    assert decide({"clv_percentile": rank})["tier"] == tier


def test_reasons_of_a_customer_at_risk() -> None:
    got = decide(regular(96.0, gap=41.0, churn_percentile=0.93, churn_probability=0.81))
    assert got["stage"] == "at_risk"
    assert got["action"] == "active_contact"
    assert got["reasons"] == [
        "at_risk: no order for 96 days, over twice the usual 41",
        "beyond_rhythm: no order for 96 days, 2.3 times the usual 41",
        "likely_to_leave: 81% likely not to order again in time, more than 93% of customers",
    ]


def test_reasons_of_the_lapsed_and_of_the_cold() -> None:
    assert decide(once(546.0))["reasons"] == ["win_back: last order 546 days ago"]
    cold = decide({"order_count": 0.0, "days_since_first_contact": 200.0})
    assert cold["reasons"] == ["win_back: first contact 200 days ago, and no order"]


@pytest.mark.parametrize("was", [None, *(stage.name for stage in PRESET.stages), "unheard_of"])
@pytest.mark.parametrize("row", [{}, once(10.0), once(1000.0), regular(10.0, 30.0), regular(400.0, 30.0)])
def test_everybody_has_one_stage(row: Row, was: str | None) -> None:
    assert decide(row, was, 5.0)["stage"] in {stage.name for stage in PRESET.stages}
