"""The relationship preset: hand-made customers at every threshold, and without the figure."""

import pytest

from tests.lifecycle.presets.table import (
    EPS,
    Case,
    Row,
    decide,
    ended,
    ladder,
    missed,
    once,
    regular,
    term,
    wrong,
)

NAME = "relationship"
FEW = regular(100.0, 200.0, purchase_days=3.0, order_count=3.0)
LOYAL = regular(100.0, 200.0)
CONTRACT = term(200.0, 2.0)

CASES = [
    Case("prospect", {}, rule="enter"),
    *ladder({}, "order_count", (0.0, "prospect"), (1.0, "prospect")),
    Case("prospect", {"order_count": 1.0}, rule="default"),
    *ladder(once(5.0), "days_since_first_order", (0.0, "acquired"), (91 - EPS, "acquired"), (91.0, "purchasing"), (91 + EPS, "purchasing"), (None, "prospect")),
    *ladder(once(0.0, 900.0, days_since_first_order=900.0), "days_since_last_order", (365 - EPS, "purchasing"), (365.0, "purchasing"), (365 + EPS, "maintained"), (1095.0, "maintained"), (1095 + EPS, "lost"), (None, "prospect")),
    *ladder(term(50.0, 1.0), "days_in_term", (0.0, "acquired"), (91 - EPS, "acquired"), (91.0, "maintained"), (None, "maintained")),
    *ladder(term(50.0, 1.0), "term_count", (1.0, "acquired"), (2.0, "maintained"), (3.0, "loyal"), (None, "maintained")),
    *ladder(term(50.0, 1.0), "days_since_first_order", (91 - EPS, "acquired"), (91.0, "maintained"), (None, "acquired")),
    Case("acquired", once(5.0), rule="first_purchase"),
    Case("acquired", term(50.0, 1.0), rule="first_contract"),
    *ladder(CONTRACT, "subscribed", (True, "maintained"), (None, "prospect")),
    *ladder({**CONTRACT, "order_count": 1.0, "days_since_first_order": 900.0}, "days_since_last_order", (365.0, "purchasing"), (365 + EPS, "maintained"), (None, "maintained")),
    *ladder({**once(400.0), "subscribed": True, "term_count": 2.0}, "recency_over_max_gap", (1.0, "maintained"), (9.0, "maintained")),
    Case("maintained", CONTRACT, rule="contract"),
    *(Case("purchasing", {**once(365.0), **more}, rule="enter") for more in ({}, {"subscribed": True, "term_count": 2.0})),
    *(Case("purchasing", {**once(365.0), **more}, "maintained", 9.0) for more in ({}, {"subscribed": True, "term_count": 2.0})),
    Case("maintained", once(400.0), rule="silent"),
    Case("maintained", ended(100.0), rule="contract_over"),
    *ladder(ended(0.0), "days_since_term_end", (0.0, "maintained"), (365 - EPS, "maintained"), (365.0, "maintained"), (365 + EPS, "lost"), (None, "prospect")),
    *ladder({**ended(400.0), **once(0.0)}, "days_since_last_order", (365.0, "acquired"), (365 + EPS, "lost"), (None, "lost")),
    *ladder(once(1200.0), "recency_over_max_gap", (1.25, "maintained"), (1.25 + EPS, "lost"), (None, "lost")),
    *ladder(once(1200.0), "subscribed", (True, "maintained"), (False, "lost"), (None, "lost")),
    # Loyal.
    *ladder(LOYAL, "purchase_days", (5 - EPS, "purchasing"), (5.0, "loyal"), (None, "purchasing")),
    *ladder(LOYAL, "days_since_first_order", (365 - EPS, "purchasing"), (365.0, "loyal"), (None, "prospect")),
    *ladder(LOYAL, "days_since_last_order", (365.0, "loyal"), (365 + EPS, "maintained"), (None, "prospect")),
    *ladder(LOYAL, "nps_last", (6.0, "purchasing"), (6 + EPS, "loyal"), (None, "loyal")),
    *ladder(term(200.0, 3.0), "term_count", (3 - EPS, "maintained"), (3.0, "loyal"), (None, "maintained")),
    *ladder(term(200.0, 3.0), "nps_last", (6.0, "maintained"), (6 + EPS, "loyal"), (None, "loyal")),
    *ladder(FEW, "nps_last", (9 - EPS, "purchasing"), (9.0, "loyal"), (None, "purchasing")),
    *ladder({**FEW, "nps_last": 9.0}, "days_since_first_order", (365 - EPS, "purchasing"), (365.0, "loyal"), (None, "prospect")),
    *ladder({**CONTRACT, "nps_last": 9.0}, "days_in_term", (365 - EPS, "maintained"), (365.0, "loyal"), (None, "maintained")),
    Case("loyal", LOYAL, rule="purchases"),
    Case("loyal", term(200.0, 3.0), rule="contracts"),
    Case("loyal", {**FEW, "nps_last": 9.0}, rule="promoter"),
    *ladder(LOYAL, "days_since_last_order", (548.0, "loyal"), (548 + EPS, "maintained"), (None, "prospect"), was="loyal", days=9.0),
    *ladder(FEW, "nps_last", (6.0, "purchasing"), (6 + EPS, "loyal"), (None, "loyal"), was="loyal", days=9.0),
    *ladder({**CONTRACT, "nps_last": 8.0}, "subscribed", (True, "loyal"), (None, "prospect"), was="loyal", days=9.0),
    Case("loyal", {**LOYAL, "days_since_last_order": 400.0}, "loyal", 9.0, "stays"),
    # Lost is left by a purchase or a contract.
    *ladder(FEW, "days_since_last_order", (100.0, "purchasing"), (100 + 1e-6, "lost"), (None, "lost"), was="lost", days=100.0),
    *ladder(FEW, "days_since_last_order", (30.0, "purchasing"), (30 + EPS, "lost"), was="lost"),
    Case("maintained", CONTRACT, "lost", 100.0),
    Case("lost", ended(100.0), "lost", 100.0, "stays"),
    # Actions.
    Case("prospect", {"days_since_first_contact": 91 - EPS}, action="needs_talk"),
    Case("prospect", {"days_since_first_contact": 91.0}, action="nurture_content"),
    Case("acquired", once(5.0, clv_percentile=0.9), action="welcome_call"),
    Case("acquired", once(5.0), action="usage_guide"),
    Case("purchasing", {**FEW, "nps_last": 3.0}, action="solve_complaint"),
    Case("purchasing", {**FEW, "churn_percentile": 0.9, "churn_probability": 0.9, "clv_percentile": 0.9}, action="personal_contact"),
    Case("purchasing", FEW, action="next_product"),
    Case("maintained", ended(90.0), action="renewal_talk"),
    Case("maintained", ended(90 + EPS), action="regular_review"),
    Case("maintained", ended(100.0, clv_percentile=0.9), action="personal_contact"),
    Case("loyal", {**LOYAL, "clv_percentile": 0.95}, action="vip_service"),
    Case("loyal", LOYAL, action="anniversary_care"),
    Case("lost", once(1200.0, clv_percentile=0.95), action="personal_contact"),
    Case("lost", once(1200.0), action="win_back_offer"),
]  # fmt: skip


def test_customers() -> None:
    assert wrong(NAME, CASES) == []


def test_the_end_of_a_contract_is_a_signal() -> None:
    steps = [
        (0.0, "high"),
        (30.0, "high"),
        (30 + EPS, "medium"),
        (90.0, "medium"),
        (90 + EPS, None),
        (None, None),
    ]
    for days, level in steps:
        assert decide(NAME, ended(10.0, days_since_term_end=days))["on"].get("contract_ended") == level


BACK: list[tuple[Row, str | None, bool]] = [
    (regular(9.0, 40.0), "lost", True),
    (regular(9 + 1e-3, 40.0), "lost", False),
    (CONTRACT, "lost", True),
    (CONTRACT, "maintained", False),
    (regular(30.0, 100.0, last_gap_days=365.0), None, True),
    (regular(30 + EPS, 100.0, last_gap_days=365.0), None, False),
    (regular(30.0, 100.0, last_gap_days=365 - EPS), None, False),
    (regular(30.0, 200.0, last_gap_days=365.0), None, False),
    (regular(30.0, 365.0, purchase_days=2.0), None, True),
]


@pytest.mark.parametrize(("row", "was", "on"), BACK)
def test_who_came_back_carries_the_signal(row: Row, was: str | None, on: bool) -> None:
    assert ("won_back" in decide(NAME, row, was, 9.0)["on"]) is on


def test_every_outcome_is_reached() -> None:
    back = [Case("", row, was, 9.0) for row, was, _ in BACK]
    assert missed(NAME, [*CASES, *back]) == set()
