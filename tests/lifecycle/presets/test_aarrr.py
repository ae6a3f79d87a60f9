"""The aarrr preset: hand-made customers just below, at and just above every threshold, and without the figure."""

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

NAME = "aarrr"
SEEN = {"days_since_last_event": 1.0, "events_30d": 20.0, "events_change_30d": 0.0}


def user(core: float = 5.0, age: float = 100.0, to_core: float = 3.0, **more: object) -> Row:
    """Uses the product and pays nothing; the core behaviour came `to_core` days after the first contact."""
    row = {"core_event_count": core, "days_since_first_contact": age, "days_to_core_event": to_core}
    return {**SEEN, **row, "order_count": 0.0, "eligible": True, **more}


FRESH: Row = {"core_event_count": 0.0, "order_count": 0.0, "eligible": False}
CASES = [
    *ladder(FRESH, "days_since_first_contact", (0.0, "acquisition"), (180.0, "acquisition"), (180 + EPS, "lapsed"), (None, "acquisition")),
    *ladder({**FRESH, "days_since_first_contact": 300.0}, "days_since_last_event", (30 - EPS, "acquisition"), (30.0, "acquisition"), (30 + EPS, "lapsed"), (None, "lapsed")),
    *ladder(user(age=20.0), "core_event_count", (None, "acquisition"), (0.0, "acquisition"), (1.0, "activation")),
    *ladder(user(), "days_since_first_contact", (30.0, "activation"), (31 - EPS, "activation"), (31.0, "retention"), (None, "retention")),
    *ladder(user(age=20.0), "days_to_core_event", (7 - EPS, "activation"), (7.0, "activation"), (7 + EPS, "activation"), (None, "retention")),
    *(Case("activation", user(age=20.0, to_core=to), rule="in_time") for to in (0.0, 7 - EPS, 7.0)),
    *(Case("activation", user(age=20.0, to_core=to), rule="late") for to in (7 + EPS, 20.0)),
    *ladder(user(to_core=60.0), "days_since_first_contact", (91 - EPS, "activation"), (91.0, "retention")),
    *ladder(user(), "order_count", (None, "retention"), (1.0, "retention"), (2.0, "revenue"), rule=None),
    Case("revenue", user(order_count=2.0), rule="orders"),
    Case("activation", user(age=20.0, to_core=7.0, core_event_count=1.0), rule="in_time"),
    Case("activation", user(age=37.5, to_core=7 + EPS), rule="late"),
    Case("retention", user(age=37.5, to_core=7.0)),
    Case("acquisition", user(nps_last=9.0, core_event_count=0.0)),
    *ladder(user(core=0.0, to_core=None), "order_count", (1.0, "acquisition"), (2.0, "revenue"), (None, "acquisition")),
    Case("referral", user(nps_last=9.0, core_event_count=1.0)),
    Case("revenue", regular(5.0, 20.0, days_since_last_event=21.0), action="care_message"),
    Case("revenue", regular(5.0, 20.0, days_since_last_event=21 - EPS), action="cross_sell"),
    Case("revenue", regular(5.0, 20.0, subscribed=True, monthly_price=0.0), rule="orders"),
    Case("retention", user(order_count=1.0, subscribed=True, monthly_price=0.0), "revenue", 9.0),
    *ladder(user(subscribed=True), "monthly_price", (None, "retention"), (0.0, "retention"), (EPS, "revenue")),
    Case("revenue", user(subscribed=True, monthly_price=9.0), rule="subscription"),
    Case("retention", user(subscribed=None, monthly_price=9.0)),
    # A promoter, a champion; the exit lies below the entry.
    *ladder(user(), "nps_last", (9 - EPS, "retention"), (9.0, "referral"), (10.0, "referral"), (None, "retention")),
    *ladder(user(nps_last=9.0), "days_since_first_contact", (31 - EPS, "activation"), (31.0, "referral"), (None, "retention")),
    *ladder(champion(regular(5.0, 20.0)), "days_since_first_contact", (91 - EPS, "revenue"), (91.0, "referral"), (None, "revenue")),
    *ladder(champion(regular(5.0, 20.0)), "nps_last", (6.0, "revenue"), (6 + EPS, "referral"), (None, "referral")),
    Case("referral", user(nps_last=9.0), rule="promoter"),
    Case("referral", champion(regular(5.0, 20.0)), rule="champion"),
    *ladder(user(), "nps_last", (6 - EPS, "retention"), (6.0, "retention"), (8.0, "retention"), was="referral", days=5.0),
    *ladder({**champion(user(order_count=4.0)), "recency_percentile": 0.5}, "nps_last", (6.0, "revenue"), (6 + EPS, "referral"), (None, "referral"), was="referral", days=5.0),
    Case("referral", {**champion(user(order_count=4.0)), "recency_percentile": 0.5}, "referral", 5.0, "stays"),
    Case("revenue", {**champion(user(order_count=4.0)), "recency_percentile": 0.7}, "referral", 5.0),
    # Lapsed: silent for 180 days, or three usual gaps and more; what counts is the last visit, too.
    *ladder(user(), "days_since_last_event", (180 - EPS, "retention"), (180.0, "retention"), (180 + EPS, "lapsed"), (None, "retention")),
    *ladder(regular(200.0, 190.0, 190.0), "recency_over_max_gap", (1.25, "revenue"), (1.25 + EPS, "lapsed"), (None, "lapsed")),
    *ladder(regular(61.0, 10.0, 20.0), "recency_over_mean_gap", (3.0, "revenue"), (3 + EPS, "lapsed"), (None, "revenue")),
    *ladder(regular(61.0, 10.0, 20.0), "recency_over_max_gap", (1.5, "revenue"), (1.5 + EPS, "lapsed"), (None, "revenue")),
    *ladder(regular(61.0, 10.0, 20.0), "days_since_last_order", (60.0, "revenue"), (60 + EPS, "lapsed")),
    *ladder(regular(61.0, 10.0, 20.0), "purchase_days", (2.0, "revenue"), (3.0, "lapsed"), (None, "revenue")),
    *ladder(regular(61.0, 10.0, 20.0), "days_since_last_event", (60.0, "revenue"), (60 + EPS, "lapsed"), (None, "lapsed")),
    # Lapsed is left by a sign of life since, and by nothing else.
    *ladder(user(), "days_since_last_event", (50.0, "retention"), (50 + EPS, "lapsed"), (None, "lapsed"), was="lapsed", days=50.0),
    *ladder(user(), "days_since_last_event", (30.0, "retention"), (30 + EPS, "lapsed"), was="lapsed"),
    Case("lapsed", user(days_since_last_event=51.0), "lapsed", 50.0, "stays"),
    Case("acquisition", {}, rule="enter"),
    # What is left where nobody is asked and nobody logs in: a shop of bare orders.
    Case("activation", once(5.0), rule="in_time"),
    Case("retention", once(100.0)),
    Case("lapsed", once(200.0)),
    Case("revenue", regular(5.0, 20.0), rule="orders"),
    Case("revenue", term(50.0, core_event_count=1.0, days_to_core_event=1.0), rule="subscription"),
    # Actions by risk, tier and signal.
    Case("retention", user(days_since_last_event=21.0), action="care_message"),
    Case("retention", user(days_since_last_event=21 - EPS), action="habit_reminder"),
    Case("retention", user(complaints_30d=2.0, complaints_90d=2.0), action="solve_complaint"),
    Case("activation", user(age=20.0, complaints_30d=2.0, complaints_90d=2.0), action="solve_complaint"),
    Case("activation", user(age=20.0), action="usage_guide"),
    Case("acquisition", {**FRESH, "days_since_first_contact": 7.0}, action="onboarding_guide"),
    Case("acquisition", {**FRESH, "days_since_first_contact": 7 + EPS}, action="nurture_content"),
    Case("lapsed", once(200.0, clv_percentile=0.95), action="personal_contact"),
    Case("lapsed", once(200.0, clv_percentile=0.95 - EPS), action="wake_up_message"),
    Case("revenue", regular(5.0, 20.0, clv_percentile=0.99, churn_percentile=0.9, churn_probability=0.6), action="personal_contact"),
    Case("revenue", regular(5.0, 20.0, clv_percentile=0.99), action="vip_service"),
]  # fmt: skip


def test_customers() -> None:
    assert wrong(NAME, CASES) == []


def test_risk_by_use() -> None:
    down = user(events_30d=2.0, events_change_30d=-8.0)
    assert decide(NAME, {**down, "days_since_last_event": 21.0})["risk"] == "high"
    assert decide(NAME, {**down, "days_since_last_event": 21 - EPS})["risk"] == "medium"
    assert decide(NAME, user(days_since_last_event=14.0))["risk"] == "medium"
    assert decide(NAME, user(days_since_last_event=14 - EPS))["risk"] == "low"


def test_who_came_back_carries_the_signal() -> None:
    back = user(days_since_last_event=5.0)
    assert decide(NAME, back, "lapsed", 5.0)["on"]["won_back"] == "low"
    assert "won_back" not in decide(NAME, back, "lapsed", 5 - 1e-3)["on"]
    assert "won_back" not in decide(NAME, back, "retention", 5.0)["on"]
    assert "won_back" not in decide(NAME, {**back, "core_event_count": 0.0}, "lapsed", 5.0)["on"]
    told = decide(NAME, back, "lapsed", 5.0)["reasons"]
    assert "won_back: back 5 days ago" in told


def test_the_rule_speaks_with_their_own_numbers() -> None:
    row, late = user(age=20.0), user(age=20.0, to_core=12.0)
    assert decide(NAME, row)["reasons"] == ["activation: first core behaviour 3 days after the first contact"]
    assert decide(NAME, late)["reasons"] == [
        "activation: first core behaviour late, 12 days after the first contact"
    ]


def test_every_outcome_is_reached() -> None:
    back = Case("retention", user(days_since_last_event=5.0), "lapsed", 5.0)
    assert missed(NAME, [*CASES, back]) == set()
