"""The subscription preset: hand-made customers at every threshold, with terms and without, and without the figure."""

import pytest

from tests.lifecycle.presets.table import (
    COMMON,
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

NAME = "subscription"
PAYING = term(200.0)
FREE = term(10.0, 1.0, price=0.0, change=None)
FIRST = term(10.0, 1.0, change=None)
USED = {"events_30d": 30.0, "events_change_30d": 10.0}
GROWN = {**PAYING, **USED}
BUYER = regular(5.0, 20.0)
MORE = regular(5.0, 20.0, orders_90d=4.0, orders_change_90d=2.0)
QUIET = {**PAYING, "days_since_last_event": 21.0}

CASES = [
    Case("trial", {}, rule="no_purchase"),
    *ladder({}, "days_since_first_contact", (0.0, "trial"), (181 - EPS, "trial"), (181.0, "churned"), (None, "trial")),
    *ladder(once(5.0), "order_count", (0.0, "trial"), (1.0, "onboarding"), (None, "trial")),
    # A free term is a trial, by price or by the plan's name.
    *ladder(FREE, "monthly_price", (0.0, "trial"), (EPS, "onboarding"), (None, "onboarding")),
    *(Case("trial", {**FIRST, "plan": plan}, rule="free_term") for plan in ("Trial", "free TRIAL 14", "免费试用")),
    *(Case("onboarding", {**FIRST, "plan": plan}) for plan in ("basic", "tria", "", None)),
    Case("trial", FREE, rule="free_term"),
    *ladder(FIRST, "subscribed", (True, "onboarding"), (False, "trial"), (None, "trial")),
    # The first paid term, also after a free one.
    *ladder(FIRST, "days_in_term", (0.0, "onboarding"), (31 - EPS, "onboarding"), (31.0, "active"), (31 + EPS, "active"), (None, "active")),
    *ladder({**FIRST, "price_change": 0.0}, "term_count", (1.0, "onboarding"), (2.0, "active"), (None, "active")),
    *ladder(term(10.0, 2.0), "price_change", (20 - EPS, "expanding"), (20.0, "onboarding"), (20 + EPS, "onboarding"), (None, "active")),
    Case("onboarding", FIRST, rule="first_term"),
    Case("active", PAYING, rule="paying"),
    # Without terms: by orders.
    *ladder(once(5.0), "days_since_first_order", (31 - EPS, "onboarding"), (31.0, "active"), (None, "active")),
    Case("onboarding", once(5.0), rule="first_order"),
    Case("active", BUYER, rule="ordering"),
    # Expanding.
    *ladder(term(50.0), "price_change", (0.0, "active"), (EPS, "expanding"), (None, "active")),
    *ladder(term(50.0, change=1.0), "days_in_term", (91 - EPS, "expanding"), (91.0, "active"), (None, "active")),
    Case("expanding", term(50.0, change=1.0), rule="upgraded"),
    # 20 events before: half as much again are 30. At least ten there must have been.
    *ladder(GROWN, "events_change_30d", (10 - EPS, "active"), (10.0, "expanding"), (10 + EPS, "expanding"), (20.0, "expanding"), (20 + EPS, "active"), (None, "active")),
    *ladder(GROWN, "events_30d", (30.0, "expanding"), (31.0, "active"), (None, "active")),
    *ladder(GROWN, "days_in_term", (31 - EPS, "active"), (31.0, "expanding"), (335 - EPS, "expanding"), (335.0, "renewal_due"), (None, "active")),
    Case("expanding", GROWN, rule="using_more"),
    *ladder(MORE, "orders_change_90d", (2 - EPS, "active"), (2.0, "expanding"), (None, "active")),
    *ladder(MORE, "orders_90d", (3 - EPS, "active"), (3.0, "expanding"), (None, "active")),
    *ladder(MORE, "purchase_days", (3 - EPS, "active"), (3.0, "expanding"), (None, "active")),
    *ladder(MORE, "days_since_first_order", (31 - EPS, "onboarding"), (31.0, "expanding"), (None, "active")),
    *ladder(MORE, "recency_over_mean_gap", (0.8, "expanding"), (0.8 + EPS, "active"), (None, "active")),
    Case("expanding", MORE, rule="ordering_more"),
    *ladder(term(100.0, change=1.0), "events_change_30d", (0.0, "active"), (EPS, "expanding"), (None, "active"), was="expanding", days=9.0),
    *ladder(term(90.0), "days_in_term", (91 - EPS, "expanding"), (91.0, "active"), (None, "expanding"), was="expanding", days=9.0),
    *ladder(BUYER, "orders_change_90d", (0.0, "active"), (EPS, "expanding"), (None, "active"), was="expanding", days=9.0),
    Case("expanding", regular(5.0, 20.0, orders_change_90d=1.0), "expanding", 9.0, "stays"),
    # Renewal due: day 335 of each year of the term; without terms, 80% of the usual gap.
    *ladder(PAYING, "days_in_term", (335 - EPS, "active"), (335.0, "renewal_due"), (365 - EPS, "renewal_due"), (365.0, "active"), (699.0, "active"), (700.0, "renewal_due"), (730.0, "active"), (None, "active")),
    *ladder(FREE, "days_in_term", (340.0, "trial")),
    *ladder(regular(15.0, 20.0), "recency_over_mean_gap", (0.8, "active"), (0.8 + EPS, "renewal_due"), (2.0, "renewal_due"), (2 + EPS, "active"), (None, "active")),
    *ladder(regular(15.0, 18.0), "days_since_last_order", (14.0, "active"), (14 + EPS, "renewal_due"), (None, "active")),
    *ladder(regular(17.0, 20.0), "purchase_days", (3 - EPS, "active"), (3.0, "renewal_due"), (None, "active")),
    Case("renewal_due", term(340.0), rule="term"),
    Case("renewal_due", regular(17.0, 20.0), rule="own_rhythm"),
    *ladder(PAYING, "days_in_term", (1.0, "active"), (334.0, "active"), (336.0, "renewal_due"), (365.0, "active"), was="renewal_due", days=9.0),
    *ladder(regular(12.0, 20.0), "recency_over_mean_gap", (0.5, "active"), (0.5 + EPS, "renewal_due"), (None, "active"), was="renewal_due", days=9.0),
    *ladder(regular(12.0, 20.0), "days_since_last_order", (9.0, "active"), (9 + 1e-6, "renewal_due"), was="renewal_due", days=9.0),
    Case("renewal_due", regular(12.0, 20.0), "renewal_due", 9.0, "stays"),
    Case("at_risk", ended(5.0), "renewal_due", 9.0),
    Case("renewal_due", {**GROWN, "days_in_term": 335.0}, "expanding", 9.0),
    Case("expanding", {**GROWN, "days_in_term": 335 - EPS}, "expanding", 9.0),
    Case("active", term(335 - EPS), "renewal_due", 9.0),
    # At risk: risk is high, or the term has just ended. Left when it is low.
    *ladder(ended(0.0), "days_since_term_end", (0.0, "at_risk"), (30 - EPS, "at_risk"), (30.0, "at_risk"), (30 + EPS, "churned"), (None, "trial")),
    *ladder(QUIET, "days_since_last_event", (21 - EPS, "active"), (21.0, "at_risk"), (None, "active")),
    *ladder({**PAYING, "events_change_30d": -16.0}, "events_30d", (4.0, "at_risk"), (4 + EPS, "active"), (None, "active")),
    *ladder({**PAYING, "complaints_90d": 3.0}, "complaints_30d", (2 - EPS, "active"), (2.0, "at_risk"), (None, "active")),
    *ladder({**PAYING, "churn_probability": 0.5}, "churn_percentile", (0.9 - EPS, "active"), (0.9, "at_risk"), (None, "active")),
    *ladder({**PAYING, "churn_percentile": 0.9}, "churn_probability", (0.5 - EPS, "active"), (0.5, "at_risk"), (None, "active")),
    *ladder(regular(40.0, 19.0), "recency_over_mean_gap", (2.0, "renewal_due"), (2 + EPS, "at_risk"), (None, "active")),
    *ladder(regular(40.0, 19.0), "recency_over_max_gap", (1.0, "active"), (1 + EPS, "at_risk"), (None, "active")),
    *ladder(regular(40.0, 19.0), "days_since_last_order", (14.0, "active"), (14 + EPS, "at_risk"), (None, "active")),
    *ladder(once(100.0), "days_since_last_order", (120.0, "active"), (120 + EPS, "at_risk"), (240.0, "at_risk"), (240 + EPS, "churned"), (None, "active")),
    Case("at_risk", ended(5.0), rule="term_over"),
    Case("at_risk", ended(30.0), action="renewal_reminder"),
    Case("at_risk", QUIET, rule="silent"),
    Case("at_risk", {**PAYING, "events_30d": 2.0, "events_change_30d": -18.0}, rule="use_down"),
    Case("at_risk", {**PAYING, "churn_percentile": 0.9, "churn_probability": 0.9}, rule="high_risk"),
    Case("at_risk", {**term(340.0), "days_since_last_event": 30.0}),
    Case("at_risk", {**PAYING, "days_since_last_event": 14.0}, "at_risk", 9.0, "stays"),
    *ladder(PAYING, "days_since_last_event", (14 - EPS, "active"), (14.0, "at_risk"), (None, "active"), was="at_risk", days=9.0),
    *ladder({**PAYING, "churn_probability": 0.25}, "churn_percentile", (0.75 - EPS, "active"), (0.75, "at_risk"), (None, "active"), was="at_risk", days=9.0),
    *ladder({**PAYING, "churn_percentile": 0.75}, "churn_probability", (0.25 - EPS, "active"), (0.25, "at_risk"), was="at_risk", days=9.0),
    *ladder(once(50.0), "days_since_last_order", (60.0, "active"), (60 + EPS, "at_risk"), (None, "active"), was="at_risk", days=9.0),
    # Churned.
    *ladder(regular(61.0, 10.0, 20.0), "recency_over_mean_gap", (3.0, "at_risk"), (3 + EPS, "churned"), (None, "active")),
    *ladder(regular(61.0, 10.0, 20.0), "recency_over_max_gap", (1.5, "at_risk"), (1.5 + EPS, "churned"), (None, "active")),
    *ladder(regular(61.0, 10.0, 20.0), "days_since_last_order", (60.0, "at_risk"), (60 + EPS, "churned"), (None, "active")),
    *ladder(once(300.0), "recency_over_max_gap", (1.5, "at_risk"), (1.5 + EPS, "churned"), (None, "churned")),
    Case("churned", ended(31.0), rule="term_ended"),
    Case("churned", once(300.0), rule="silent"),
    Case("churned", {"days_since_first_contact": 300.0}, rule="never_bought"),
    Case("churned", once(150.0, eligible=False), "churned", 100.0, "stays"),
    *ladder(once(0.0, 500.0, eligible=False, days_since_first_order=500.0), "days_since_last_order", (30.0, "active"), (30 + EPS, "churned"), was="churned"),
    # Won back for 90 days.
    Case("won_back", term(5.0), "churned", 60.0, "enter"),
    Case("won_back", regular(60.0, 80.0), "churned", 60.0),
    Case("churned", regular(60 + 1e-6, 80.0), "churned", 60.0),
    *(Case(stage, term(95.0), "won_back", days) for days, stage in ((0.0, "won_back"), (90 - 1e-6, "won_back"), (90.0, "active"), (None, "won_back"))),
    *(Case(stage, QUIET, "won_back", days) for days, stage in ((0.0, "won_back"), (31 - 1e-6, "won_back"), (31.0, "at_risk"), (None, "at_risk"))),
    Case("at_risk", {**PAYING, "churn_percentile": 0.9, "churn_probability": 0.5}, "won_back", 31.0, "high_risk"),
    Case("won_back", {**PAYING, "churn_percentile": 0.9, "churn_probability": 0.5}, "won_back", 30.0, "stays"),
    Case("at_risk", ended(5.0), "won_back", 5.0),
    Case("won_back", {**QUIET, "days_in_term": 5.0}, "churned", 60.0),
    Case("onboarding", once(5.0), "churned", 60.0),  # a cold contact's first order is no return
    # Actions.
    Case("trial", {**FREE, "core_event_count": 0.0}, action="trial_help"),
    Case("trial", {**FREE, "core_event_count": 1.0, "days_in_term": 21.0}, action="sales_call"),
    Case("trial", {**FREE, "core_event_count": 1.0}, action="offer_plan"),
    Case("onboarding", {**FIRST, "days_since_last_event": 14.0}, action="care_message"),
    Case("onboarding", {**FIRST, "tickets_30d": 2.0, "tickets_90d": 2.0}, action="solve_complaint"),
    Case("onboarding", FIRST, action="onboarding_guide"),
    Case("active", {**PAYING, "event_types_90d": 2.0, "event_type_count": 4.0}, action="feature_tour"),
    Case("active", {**PAYING, "days_since_last_event": 14.0}, action="care_message"),
    Case("active", PAYING, action="usage_guide"),
    Case("expanding", {**GROWN, "clv_percentile": 0.95}, action="vip_service"),
    Case("expanding", GROWN, action="upgrade"),
    Case("renewal_due", term(340.0, clv_percentile=0.9), action="renewal_talk"),
    Case("renewal_due", term(340.0), action="renewal_reminder"),
    Case("renewal_due", regular(17.0, 20.0), action="refill_reminder"),
    Case("at_risk", {**PAYING, "complaints_30d": 2.0, "complaints_90d": 2.0}, action="solve_complaint"),
    Case("at_risk", {**QUIET, "clv_percentile": 0.9}, action="personal_contact"),
    Case("at_risk", QUIET, action="care_message"),
    Case("at_risk", ended(5.0), action="renewal_reminder"),
    Case("at_risk", once(130.0), action="active_contact"),
    Case("churned", once(300.0, clv_percentile=0.95), action="personal_contact"),
    Case("churned", once(300.0), action="win_back_offer"),
    Case("won_back", term(5.0, clv_percentile=0.95), "churned", 60.0, action="vip_service"),
    Case("won_back", term(5.0), "churned", 60.0, action="welcome_back"),
]  # fmt: skip


def test_customers() -> None:
    assert wrong(NAME, CASES) == []


@pytest.mark.parametrize(
    ("row", "risk"),
    [
        (PAYING, "low"), (ended(5.0), None), (once(5.0), "low"), (once(60.0), "low"), (once(60 + EPS), "medium"),
        (once(5.0, eligible=False), None), (once(5.0, eligible=None), None), ({}, None), (QUIET, "high"),
        ({**PAYING, "nps_last": 6.0}, "medium"), ({**PAYING, "price_change": 1.0}, "medium"),
        ({**PAYING, "days_since_last_event": 14.0}, "medium"),
    ],
)  # fmt: skip
def test_risk(row: Row, risk: str | None) -> None:
    assert decide(NAME, row)["risk"] == risk


def test_a_higher_price_without_more_use_is_a_signal() -> None:
    for change, use, on in (
        (EPS, 0.0, True),
        (0.0, 0.0, False),
        (5.0, EPS, False),
        (5.0, None, True),
        (None, 0.0, False),
    ):
        assert ("price_up" in decide(NAME, term(200.0, change=change, events_change_30d=use))["on"]) is on
    assert "price_up" not in decide(NAME, term(200.0, change=20.0))["on"]


@pytest.mark.parametrize(
    ("row", "was", "on"),
    [
        (term(5.0), "churned", True), (term(5.0), "active", False), (regular(9.0, 40.0), "churned", True),
        (regular(9 + 1e-3, 40.0), "churned", False), (once(5.0), "churned", False),
        (regular(30.0, 50.0, last_gap_days=120.0), None, True), (regular(30 + EPS, 50.0, last_gap_days=120.0), None, False),
        (regular(30.0, 50.0, last_gap_days=120 - EPS), None, False), (regular(30.0, 60.0, last_gap_days=120.0), None, False),
    ],
)  # fmt: skip
def test_who_came_back_carries_the_signal(row: Row, was: str | None, on: bool) -> None:
    assert ("won_back" in decide(NAME, row, was, 9.0)["on"]) is on


def test_sentences_have_their_own_numbers() -> None:
    assert decide(NAME, term(340.0))["reasons"] == ["renewal_due: 25 days to the renewal"]
    assert decide(NAME, ended(5.0))["reasons"] == ["at_risk: the term ended 5 days ago"]


def test_every_outcome_is_reached() -> None:
    assert COMMON
    assert missed(NAME, CASES) == set()
