"""The defecting preset: Emarsys's borders of 90 and 365 days, exactly."""

from tests.lifecycle.presets.table import EPS, Case, decide, ladder, missed, once, regular, wrong

NAME = "defecting"
TWICE = once(0.0, 500.0, order_count=2.0, purchase_days=2.0)

CASES = [
    Case("lead", {}, rule="enter"),
    *ladder(once(5.0), "order_count", (0.0, "lead"), (1.0, "first_time"), (1 + EPS, "active"), (2.0, "active"), (None, "lead")),
    *ladder(once(5.0), "days_since_last_order", (0.0, "first_time"), (90 - EPS, "first_time"), (90.0, "first_time"), (90 + EPS, "defecting"), (None, "lead")),
    *ladder(TWICE, "days_since_last_order", (90 - EPS, "active"), (90.0, "active"), (90 + EPS, "defecting"), (None, "lead")),
    *(case for row in (once(5.0), TWICE) for case in ladder(row, "days_since_last_order", (365 - EPS, "defecting"), (365.0, "defecting"), (365 + EPS, "inactive"), (9999.0, "inactive"))),
    Case("lead", once(5.0, days_since_last_order=None), rule="default"),
    # The same borders for who was there before, whichever way they come.
    *(Case(stage, {**TWICE, "days_since_last_order": days}, was, 40.0) for was in ("first_time", "active", "defecting", "lead", "unheard_of") for days, stage in ((90.0, "active"), (90 + EPS, "defecting"), (365.0, "defecting"), (365 + EPS, "inactive"))),
    Case("first_time", once(90.0), "first_time", 40.0),
    Case("active", TWICE, "first_time", 40.0),
    # An order since, or of the last 90 days, brings out of inactive; nothing else does.
    *ladder(TWICE, "days_since_last_order", (40.0, "active"), (90.0, "active"), (90 + EPS, "inactive"), (365.0, "inactive"), (None, "inactive"), was="inactive", days=40.0),
    *ladder(TWICE, "days_since_last_order", (200.0, "defecting"), (200 + 1e-6, "inactive"), was="inactive", days=200.0),
    *ladder(TWICE, "days_since_last_order", (90.0, "active"), (90 + EPS, "inactive"), was="inactive"),
    *ladder({**TWICE, "days_since_last_order": 300.0}, "order_count", (0.0, "lead"), (None, "lead"), (1.0, "defecting"), was="defecting", days=1.0),
    *ladder({**TWICE, "days_since_last_order": 300.0}, "order_count", (0.0, "lead"), (None, "lead"), (1.0, "inactive"), was="inactive", days=1.0),
    Case("defecting", once(200.0), "defecting", 9.0, "enter"),
    Case("defecting", {**TWICE, "days_since_last_order": None}, "defecting", 9.0, "stays"),
    # Actions.
    Case("lead", {"days_since_first_contact": 31 - EPS}, action="newcomer_offer"),
    Case("lead", {"days_since_first_contact": 31.0}, action="nurture_content"),
    *(Case("first_time", once(days), action=what) for days, what in ((3 - EPS, "second_order_offer"), (3.0, "satisfaction_survey"), (7.0, "satisfaction_survey"), (7 + EPS, "second_order_offer"))),
    Case("first_time", once(1.0, complaints_30d=2.0, complaints_90d=2.0), action="solve_complaint"),
    Case("active", regular(5.0, 20.0, complaints_30d=2.0, complaints_90d=2.0), action="solve_complaint"),
    Case("active", regular(5.0, 20.0, churn_percentile=0.8, churn_probability=0.8), action="active_contact"),
    Case("active", regular(5.0, 20.0, clv_percentile=0.95), action="vip_service"),
    Case("active", regular(5.0, 20.0), action="cross_sell"),
    Case("defecting", once(100.0, clv_percentile=0.95), action="personal_contact"),
    Case("defecting", once(100.0), action="exclusive_offer"),
    Case("inactive", once(400.0, clv_percentile=0.95), action="personal_contact"),
    Case("inactive", once(400.0), action="win_back_offer"),
]  # fmt: skip


def test_customers() -> None:
    assert wrong(NAME, CASES) == []


def test_who_came_back_carries_the_signal() -> None:
    assert decide(NAME, regular(9.0, 40.0), "inactive", 9.0)["on"] == {"won_back": "low"}
    assert decide(NAME, regular(9.0, 40.0), "defecting", 9.0)["on"] == {}


def test_every_outcome_is_reached() -> None:
    assert missed(NAME, [*CASES, Case("active", regular(9.0, 40.0), "inactive", 9.0)]) == set()
