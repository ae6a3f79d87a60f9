"""The rhythm preset: Clutch's 80% and 100% of the customer's own longest gap, exactly."""

import pytest

from tests.lifecycle.presets.table import EPS, Case, Row, decide, ladder, missed, once, regular, wrong

NAME = "rhythm"


def share(of: float | None, **more: object) -> Row:
    """`of` of the longest gap of 100 days, 40 on average."""
    return regular(100.0 if of is None else 100 * of, 40.0, 100.0, recency_over_max_gap=of, **more)


CASES = [
    Case("prospect", {}, rule="enter"),
    *ladder(once(5.0), "order_count", (0.0, "prospect"), (None, "prospect"), (1.0, "newcomer")),
    *(Case(stage, share(of)) for of, stage in ((0.0, "active"), (0.8 - EPS, "active"), (0.8, "active"), (0.8 + EPS, "at_risk"), (1 - EPS, "at_risk"), (1.0, "at_risk"), (1 + EPS, "churned"), (9.0, "churned"))),
    # A longest gap of less than 14 days counts as 14: 80% are 11.2 days.
    *(Case(stage, regular(days, 3.0, 5.0)) for days, stage in ((11.2 - EPS, "active"), (11.2 + EPS, "at_risk"), (14.0, "at_risk"), (14 + EPS, "churned"))),
    *ladder(regular(20.0, 10.0, 14.0), "recency_over_max_gap", (1.0, "at_risk"), (1 + EPS, "churned")),
    *ladder(share(0.5), "purchase_days", (3.0, "active"), (3 - EPS, "newcomer"), (None, "prospect")),
    *ladder(once(5.0), "days_since_last_order", (120 - EPS, "newcomer"), (120.0, "newcomer"), (120 + EPS, "at_risk"), (240.0, "at_risk"), (240 + EPS, "churned"), (None, "prospect")),
    *ladder(once(5.0, purchase_days=2.0), "days_since_last_order", (120.0, "newcomer"), (120 + EPS, "at_risk"), (240 + EPS, "churned")),
    Case("at_risk", share(0.9), rule="own_rhythm"),
    Case("at_risk", once(200.0), rule="no_rhythm"),
    Case("churned", share(1.1), rule="own_rhythm"),
    Case("churned", once(300.0), rule="no_rhythm"),
    # Left clearly below the border that brought them in.
    *(Case(stage, share(of), "at_risk", 10.0) for of, stage in ((0.6, "active"), (0.6 + EPS, "at_risk"), (0.8, "at_risk"), (1 + EPS, "churned"))),
    Case("at_risk", share(0.7), "at_risk", 10.0, "stays"),
    *ladder(once(100.0), "days_since_last_order", (90.0, "newcomer"), (90 + EPS, "at_risk"), (None, "at_risk"), was="at_risk", days=10.0),
    Case("prospect", {"order_count": 0.0}, "at_risk", 10.0),
    Case("prospect", {"order_count": 0.0}, "churned", 10.0),
    # Churned is left by an order since.
    *ladder(share(0.1), "days_since_last_order", (10.0, "active"), (10 + 1e-6, "churned"), (None, "churned"), was="churned", days=10.0),
    *ladder(share(0.1), "days_since_last_order", (30.0, "active"), (30 + EPS, "churned"), was="churned"),
    Case("churned", share(0.5), "churned", 10.0, "stays"),
    Case("active", share(0.5), "newcomer", 10.0),
    Case("newcomer", once(20.0), "active", 10.0),
    # Actions.
    Case("newcomer", once(5.0, complaints_30d=2.0, complaints_90d=2.0), action="solve_complaint"),
    Case("newcomer", once(5.0), action="second_order_offer"),
    Case("newcomer", once(5.0, purchase_days=2.0), action="related_products"),
    Case("active", share(0.1, complaints_30d=2.0, complaints_90d=2.0), action="solve_complaint"),
    Case("active", share(0.1, clv_percentile=0.95), action="vip_service"),
    Case("active", share(0.1), action="cross_sell"),
    Case("at_risk", share(0.9, clv_percentile=0.95), action="personal_contact"),
    Case("at_risk", share(0.9), action="active_contact"),
    Case("churned", share(1.1, clv_percentile=0.95), action="personal_contact"),
    Case("churned", share(1.1), action="win_back_offer"),
]  # fmt: skip


def test_customers() -> None:
    assert wrong(NAME, CASES) == []


@pytest.mark.parametrize(
    ("row", "risk"),
    [
        (share(0.8), "low"), (share(0.8 + EPS), "medium"), (share(1.0), "medium"), (share(1 + EPS), "high"),
        (once(120.0), "low"), (once(120 + EPS), "medium"), (once(240 + EPS), "high"), (once(366.0), None),
    ],
)  # fmt: skip
def test_risk_by_rhythm(row: Row, risk: str | None) -> None:
    quiet = {**row, "recency_over_mean_gap": 1.0}
    assert decide(NAME, quiet)["risk"] == risk


def test_who_came_back_carries_the_signal() -> None:
    assert decide(NAME, regular(9.0, 40.0), "churned", 9.0)["on"] == {"won_back": "low"}


def test_every_outcome_is_reached() -> None:
    assert missed(NAME, [*CASES, Case("active", regular(9.0, 40.0), "churned", 9.0)]) == set()
