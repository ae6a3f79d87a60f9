"""The loyalty preset: hand-made customers at every threshold of its stages and four tiers, and without the figure."""

import pytest

from tests.lifecycle.presets.table import COMMON, EPS, Case, Row, decide, ladder, missed, once, regular, wrong

NAME = "loyalty"
FEW = regular(5.0, 20.0, purchase_days=3.0, order_count=3.0)
LOYAL = regular(5.0, 20.0)

CASES = [
    Case("reach", {}, rule="enter"),
    *ladder(once(5.0), "order_count", (0.0, "reach"), (1.0, "conversion"), (None, "reach")),
    *ladder(once(5.0), "days_since_first_order", (0.0, "conversion"), (8 - EPS, "conversion"), (8.0, "activation"), (8 + EPS, "activation"), (61 - EPS, "activation"), (61.0, "growth"), (61 + EPS, "growth"), (None, "reach")),
    # Loyal: five days, half a year, no detractor; or a promoter.
    *ladder(LOYAL, "purchase_days", (5 - EPS, "growth"), (5.0, "loyalty"), (5 + EPS, "loyalty"), (None, "growth")),
    *ladder(LOYAL, "days_since_first_order", (181 - EPS, "growth"), (181.0, "loyalty"), (None, "reach")),
    *ladder(LOYAL, "nps_last", (6 - EPS, "growth"), (6.0, "growth"), (6 + EPS, "loyalty"), (None, "loyalty")),
    *ladder(FEW, "nps_last", (9 - EPS, "growth"), (9.0, "loyalty"), (10.0, "loyalty"), (None, "growth")),
    *ladder({**FEW, "nps_last": 9.0}, "days_since_first_order", (61 - EPS, "activation"), (61.0, "loyalty"), (None, "reach")),
    *ladder({**FEW, "nps_last": 9.0}, "order_count", (0.0, "reach"), (1.0, "loyalty"), (None, "reach")),
    Case("loyalty", LOYAL, rule="regular"),
    Case("loyalty", {**FEW, "nps_last": 9.0}, rule="promoter"),
    *ladder(FEW, "nps_last", (6 - EPS, "growth"), (6.0, "growth"), (6 + EPS, "loyalty"), (None, "loyalty"), was="loyalty", days=9.0),
    *ladder(FEW, "purchase_days", (0.0, "growth"), (1.0, "loyalty"), (None, "growth"), was="loyalty", days=9.0),
    Case("loyalty", FEW, "loyalty", 9.0, "stays"),
    # Lapsed.
    *ladder(regular(61.0, 10.0, 20.0), "recency_over_mean_gap", (3.0, "loyalty"), (3 + EPS, "lapsed"), (None, "loyalty")),
    *ladder(regular(61.0, 10.0, 20.0), "recency_over_max_gap", (1.5, "loyalty"), (1.5 + EPS, "lapsed"), (None, "loyalty")),
    *ladder(regular(61.0, 10.0, 20.0), "days_since_last_order", (60.0, "loyalty"), (60 + EPS, "lapsed"), (None, "loyalty")),
    *ladder(once(300.0), "days_since_last_order", (240.0, "growth"), (240 + EPS, "lapsed"), (None, "growth")),
    *ladder(once(300.0), "recency_over_max_gap", (1.5, "growth"), (1.5 + EPS, "lapsed"), (None, "lapsed")),
    *ladder(FEW, "days_since_last_order", (9.0, "growth"), (9 + 1e-6, "lapsed"), (None, "lapsed"), was="lapsed", days=9.0),
    *ladder(FEW, "days_since_last_order", (30.0, "growth"), (30 + EPS, "lapsed"), was="lapsed"),
    # Actions by tier and signal.
    Case("reach", {"days_since_first_contact": 31 - EPS}, action="newcomer_offer"),
    Case("reach", {"days_since_first_contact": 31.0}, action="nurture_content"),
    Case("conversion", once(2.0), action="thank_you"),
    Case("activation", once(10.0, complaints_30d=2.0, complaints_90d=2.0), action="solve_complaint"),
    Case("activation", once(10.0, frequency_percentile=0.9, monetary_percentile=0.9), action="vip_service"),
    Case("activation", once(10.0), action="second_order_offer"),
    Case("activation", once(10.0, order_count=2.0), action="satisfaction_survey"),
    Case("growth", once(100.0, tickets_30d=2.0, tickets_90d=2.0), action="solve_complaint"),
    Case("growth", once(130.0), action="wake_up_message"),
    Case("growth", once(61.0, frequency_percentile=0.9, monetary_percentile=0.9), action="vip_service"),
    Case("growth", once(50.0, days_since_first_order=70.0), action="repurchase_incentive"),
    Case("growth", once(70.0), action="automated_care"),
    Case("loyalty", regular(70.0, 30.0), action="exclusive_offer"),
    Case("loyalty", {**LOYAL, "frequency_percentile": 0.9, "monetary_percentile": 0.9}, action="vip_service"),
    Case("loyalty", LOYAL, action="points"),
    Case("lapsed", once(300.0, frequency_percentile=0.8, monetary_percentile=0.8), action="personal_contact"),
    Case("lapsed", once(300.0, frequency_percentile=0.8, monetary_percentile=0.8 - EPS), action="wake_up_message"),
]  # fmt: skip


def test_customers() -> None:
    assert wrong(NAME, CASES) == []


BEST = regular(5.0, 20.0, frequency_percentile=0.8, monetary_percentile=0.8)
TIERS: list[tuple[Row, str, list[tuple[float | None, str | None]]]] = [
    (BEST, "frequency_percentile", [(0.8 - EPS, "ordinary"), (0.8, "high_value"), (0.8 + EPS, "high_value"), (None, "ordinary")]),
    (BEST, "monetary_percentile", [(0.8 - EPS, "ordinary"), (0.8, "high_value"), (None, "ordinary")]),
    (once(5.0), "days_since_last_order", [(60 - EPS, "potential"), (60.0, "potential"), (60 + EPS, "ordinary"), (120.0, "ordinary"), (120 + EPS, "churn_risk"), (None, "ordinary")]),
    (once(5.0), "order_count", [(0.0, "potential"), (3 - EPS, "potential"), (3.0, "ordinary"), (None, None)]),
    (regular(70.0, 20.0), "recency_over_mean_gap", [(2.0, "ordinary"), (2 + EPS, "churn_risk"), (None, "ordinary")]),
    (regular(70.0, 20.0), "days_since_last_order", [(60.0, "ordinary"), (60 + EPS, "churn_risk"), (None, "ordinary")]),
    (regular(121.0, 90.0), "purchase_days", [(3 - EPS, "churn_risk"), (3.0, "ordinary"), (None, "churn_risk")]),
    (once(70.0), "order_count", [(1 - EPS, None), (1.0, "ordinary")]),
    ({}, "order_count", [(None, None), (0.0, None)]),
]  # fmt: skip


@pytest.mark.parametrize(("row", "column", "steps"), TIERS)
def test_tiers_by_condition(row: Row, column: str, steps: list[tuple[float | None, str | None]]) -> None:
    for value, tier in steps:
        assert decide(NAME, {**row, column: value})["tier"] == tier, value


def test_churn_risk_goes_before_high_value() -> None:
    assert (
        decide(NAME, regular(70.0, 20.0, frequency_percentile=0.99, monetary_percentile=0.99))["tier"]
        == "churn_risk"
    )


@pytest.mark.parametrize(
    ("ranks", "segment"),
    [
        ((0.4, 0.6, 0.6), "high_value_frequent_recent"),
        ((0.6, 0.6, 0.6), "high_value_frequent_lapsing"),
        ((0.4, 0.4, 0.6), "high_value_recent"),
        ((0.6, 0.4, 0.4), "low_value_lapsing"),
        ((None, 0.4, 0.4), "prospects"),
    ],
)
def test_eight_value_types(ranks: tuple[float | None, ...], segment: str) -> None:
    names = ("recency_percentile", "frequency_percentile", "monetary_percentile")
    assert decide(NAME, dict(zip(names, ranks, strict=True)))["segment"] == segment


def test_who_came_back_carries_the_signal() -> None:
    assert decide(NAME, regular(9.0, 40.0), "lapsed", 9.0)["on"] == {"won_back": "low"}


def test_every_outcome_is_reached() -> None:
    tiers = [Case("", {**row, column: value}) for row, column, steps in TIERS for value, _ in steps]
    assert COMMON
    assert missed(NAME, [*CASES, *tiers, Case("", regular(9.0, 40.0), "lapsed", 9.0)]) == set()
