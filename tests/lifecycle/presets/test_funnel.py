"""The funnel preset: hand-made contacts at every threshold, and nobody goes back but out of the funnel."""

import pytest

from tests.lifecycle.presets.table import (
    EPS,
    Case,
    Row,
    champion,
    decide,
    ladder,
    missed,
    once,
    regular,
    term,
    wrong,
)

NAME = "funnel"
KNOWN: Row = {
    "days_since_first_contact": 40.0,
    "order_count": 0.0,
    "event_count": 0.0,
    "core_event_count": 0.0,
    "eligible": False,
}
LEAD: Row = {**KNOWN, "event_count": 4.0, "active_days_30d": 1.0, "days_since_last_event": 5.0}
MQL = {**LEAD, "active_days_30d": 3.0}
SQL = {**LEAD, "core_event_count": 1.0, "days_since_core_event": 5.0}
OPPORTUNITY = {**SQL, "core_event_count": 3.0}
CUSTOMER = once(50.0)
BEST = champion(regular(5.0, 20.0))
ORDER = ("subscriber", "lead", "mql", "sql", "opportunity", "customer")
ROWS = dict(zip(ORDER, (KNOWN, LEAD, MQL, SQL, OPPORTUNITY, CUSTOMER), strict=True))

CASES = [
    Case("subscriber", {}, rule="enter"),
    *(Case(stage, row, rule="enter") for stage, row in ROWS.items()),
    *ladder(KNOWN, "event_count", (0.0, "subscriber"), (1 - EPS, "subscriber"), (1.0, "lead"), (None, "subscriber")),
    *ladder(KNOWN, "event_count", (1 - EPS, "subscriber"), (1.0, "lead"), (None, "subscriber"), was="subscriber", days=9.0),
    *ladder(LEAD, "active_days_30d", (3 - EPS, "lead"), (3.0, "mql"), (3 + EPS, "mql"), (None, "lead")),
    *ladder(LEAD, "core_event_count", (1 - EPS, "lead"), (1.0, "sql"), (3 - EPS, "sql"), (3.0, "opportunity"), (None, "lead")),
    *ladder(LEAD, "order_count", (1 - EPS, "lead"), (1.0, "customer"), (None, "lead")),
    *ladder({**LEAD, "subscribed": True}, "monthly_price", (0.0, "opportunity"), (EPS, "customer"), (None, "opportunity")),
    *ladder(LEAD, "subscribed", (True, "opportunity"), (False, "lead"), (None, "lead")),
    # Forward only: whatever they show now, they stay where they were or go further.
    *(Case(ORDER[max(i, j)], ROWS[now], was, 20.0) for i, was in enumerate(ORDER[:5]) for j, now in enumerate(ORDER)),
    Case("lead", LEAD, "customer", 20.0),  # the only order has been refunded in full
    # Evangelists.
    *ladder(CUSTOMER, "nps_last", (9 - EPS, "customer"), (9.0, "evangelist"), (10.0, "evangelist"), (None, "customer")),
    Case("lead", {**LEAD, "nps_last": 10.0}),
    *ladder({**CUSTOMER, "review_mean": 4.5}, "review_count", (2 - EPS, "customer"), (2.0, "evangelist"), (None, "customer")),
    *ladder({**CUSTOMER, "review_count": 2.0}, "review_mean", (4.5 - EPS, "customer"), (4.5, "evangelist"), (None, "customer")),
    *ladder({**CUSTOMER, "review_count": 2.0, "review_mean": 5.0}, "nps_last", (6.0, "customer"), (6 + EPS, "evangelist"), (None, "evangelist")),
    *ladder(BEST, "purchase_days", (5 - EPS, "customer"), (5.0, "evangelist"), (None, "customer")),
    *ladder(BEST, "nps_last", (6.0, "customer"), (6 + EPS, "evangelist"), (None, "evangelist")),
    Case("evangelist", {**CUSTOMER, "nps_last": 9.0}, rule="promoter"),
    Case("evangelist", {**CUSTOMER, "review_count": 2.0, "review_mean": 5.0}, rule="reviewer"),
    Case("evangelist", BEST, rule="champion"),
    *ladder(CUSTOMER, "nps_last", (6.0, "customer"), (9 - EPS, "customer"), (9.0, "evangelist"), (None, "customer"), was="evangelist", days=9.0),
    *ladder({**CUSTOMER, "nps_last": 8.0}, "review_mean", (4 - EPS, "customer"), (4.0, "evangelist"), (None, "customer"), was="evangelist", days=9.0),
    *ladder({**BEST, "recency_percentile": 0.5}, "nps_last", (6.0, "customer"), (6 + EPS, "evangelist"), (None, "evangelist"), was="evangelist", days=9.0),
    Case("evangelist", {**BEST, "recency_percentile": 0.5}, "evangelist", 9.0, "stays"),
    Case("lead", {**LEAD, "nps_last": 8.0}, "evangelist", 9.0),
    # Out of the funnel: a year without anything.
    *ladder(once(100.0), "days_since_last_order", (365 - EPS, "customer"), (365.0, "customer"), (365 + EPS, "other"), (None, "customer")),
    *ladder(once(400.0), "days_since_last_event", (365.0, "customer"), (365 + EPS, "other"), (None, "other")),
    *ladder(once(400.0), "recency_over_max_gap", (1.25, "customer"), (1.25 + EPS, "other"), (None, "other")),
    *ladder(once(400.0), "days_since_term_end", (365.0, "customer"), (365 + EPS, "other"), (None, "other")),
    *ladder(once(400.0), "subscribed", (True, "customer"), (False, "other"), (None, "other")),
    *ladder(KNOWN, "days_since_first_contact", (365.0, "subscriber"), (365 + EPS, "other"), (None, "subscriber")),
    Case("other", once(400.0), rule="former_customer"),
    Case("other", {**KNOWN, "days_since_first_contact": 400.0}, rule="gone_cold"),
    *ladder(LEAD, "days_since_last_event", (20.0, "lead"), (20 + 1e-6, "other"), (None, "other"), was="other", days=20.0),
    *ladder(LEAD, "days_since_last_event", (30.0, "lead"), (30 + EPS, "other"), was="other"),
    Case("opportunity", {**LEAD, "days_since_last_event": 90.0, "subscribed": True}, "other", 20.0),
    Case("other", {**LEAD, "days_since_last_event": 90.0}, "other", 20.0, "stays"),
    # Actions.
    Case("lead", {**LEAD, "days_since_last_event": 14.0}, action="reactivation_series"),
    Case("lead", LEAD, action="nurture_content"),
    Case("mql", {**MQL, "days_since_last_event": 14.0}, action="care_message"),
    Case("mql", MQL, action="demo"),
    Case("sql", {**SQL, "days_since_core_event": 7.0}, action="sales_call"),
    Case("sql", {**SQL, "days_since_core_event": 7 + EPS}, action="demo"),
    Case("opportunity", {**LEAD, "subscribed": True}, action="trial_help"),
    Case("opportunity", OPPORTUNITY, action="proposal"),
    Case("customer", {**CUSTOMER, "nps_last": 3.0}, action="solve_complaint"),
    Case("customer", {**CUSTOMER, "churn_percentile": 0.9, "churn_probability": 0.9, "clv_percentile": 0.9}, action="personal_contact"),
    Case("customer", {**CUSTOMER, "churn_percentile": 0.9, "churn_probability": 0.9}, action="active_contact"),
    Case("customer", {**CUSTOMER, "days_since_last_event": 14.0}, action="care_message"),
    Case("customer", CUSTOMER, action="cross_sell"),
    Case("customer", term(50.0), action="cross_sell"),
    Case("evangelist", {**BEST, "clv_percentile": 0.95}, action="vip_service"),
    Case("evangelist", BEST, action="testimonial"),
    Case("other", once(400.0, clv_percentile=0.95), action="personal_contact"),
    Case("other", once(400.0), action="reactivation_series"),
    Case("subscriber", KNOWN, action="newsletter"),
]  # fmt: skip


def test_customers() -> None:
    assert wrong(NAME, CASES) == []


BACK: list[tuple[Row, str | None, bool]] = [
    ({**LEAD, "days_since_last_event": 9.0}, "other", True),
    ({**LEAD, "days_since_last_event": 9 + 1e-3}, "other", False),
    ({**LEAD, "days_since_last_event": 9.0}, "lead", False),
    (term(5.0), "other", True),
    (regular(30.0, 50.0, last_gap_days=120.0), None, True),
    (regular(30 + EPS, 50.0, last_gap_days=120.0), None, False),
    (regular(30.0, 50.0, last_gap_days=120 - EPS), None, False),
]


@pytest.mark.parametrize(("row", "was", "on"), BACK)
def test_who_came_back_carries_the_signal(row: Row, was: str | None, on: bool) -> None:
    assert ("won_back" in decide(NAME, row, was, 9.0)["on"]) is on


def test_every_outcome_is_reached() -> None:
    assert missed(NAME, [*CASES, *(Case("", row, was, 9.0) for row, was, _ in BACK)]) == set()
