"""The closed_loop preset: hand-made customers at every threshold, and without the figure."""

from tests.lifecycle.presets.table import (
    EPS,
    Case,
    champion,
    decide,
    ladder,
    missed,
    once,
    regular,
    term,
    wrong,
)

NAME = "closed_loop"
CALM = regular(5.0, 20.0)
GROWN = regular(5.0, 20.0, orders_90d=4.0, orders_change_90d=2.0)
RICHER = regular(5.0, 20.0, spend_90d=40.0, spend_change_90d=20.0)
DEARER = term(50.0, change=1.0, order_count=1.0, days_since_first_order=400.0)
BEST = champion(CALM)
SLIPPED = {**BEST, "recency_percentile": 0.7, "frequency_percentile": 0.3}

CASES = [
    Case("acquisition", {}, rule="enter"),
    *ladder({"days_since_first_order": 5.0}, "order_count", (0.0, "acquisition"), (1.0, "activation"), (None, "acquisition")),
    *ladder(once(5.0), "days_since_first_order", (0.0, "activation"), (31 - EPS, "activation"), (31.0, "retention"), (31 + EPS, "retention"), (None, "acquisition")),
    Case("acquisition", once(5.0, days_since_first_order=None), rule="default"),
    # Expansion: more orders.
    *ladder(GROWN, "orders_change_90d", (2 - EPS, "retention"), (2.0, "expansion"), (None, "retention")),
    *ladder(GROWN, "orders_90d", (3 - EPS, "retention"), (3.0, "expansion"), (None, "retention")),
    *ladder(GROWN, "purchase_days", (3 - EPS, "retention"), (3.0, "expansion"), (None, "retention")),
    *ladder(GROWN, "days_since_first_order", (31 - EPS, "activation"), (31.0, "expansion"), (None, "acquisition")),
    Case("expansion", GROWN, rule="more_orders"),
    *(Case("expansion", {**row, "days_since_first_order": 31.0}, "activation", 9.0) for row in (GROWN, RICHER)),
    Case("retention", {**RICHER, "purchase_days": 3 - EPS}),
    Case("expansion", {**RICHER, "purchase_days": 3.0}),
    # Twice the spend of the 90 days before, which was not nothing.
    *ladder(RICHER, "spend_90d", (40 - EPS, "expansion"), (40.0, "expansion"), (40 + EPS, "retention"), (None, "retention")),
    *ladder(RICHER, "spend_change_90d", (20 - EPS, "retention"), (20.0, "expansion"), (40 - 1e-6, "expansion"), (40.0, "retention"), (None, "retention")),
    Case("expansion", RICHER, rule="more_spend"),
    # A dearer term.
    *ladder(DEARER, "price_change", (0.0, "retention"), (EPS, "expansion"), (None, "retention")),
    *ladder(DEARER, "days_in_term", (91 - EPS, "expansion"), (91.0, "retention"), (None, "retention")),
    Case("expansion", DEARER, rule="upgraded"),
    # Left when nothing grows any more.
    *ladder(CALM, "orders_change_90d", (0.0, "retention"), (EPS, "expansion"), (None, "retention"), was="expansion", days=9.0),
    *ladder(CALM, "spend_change_90d", (0.0, "retention"), (EPS, "expansion"), (None, "retention"), was="expansion", days=9.0),
    Case("expansion", regular(5.0, 20.0, orders_change_90d=1.0), "expansion", 9.0, "stays"),
    Case("retention", regular(5.0, 20.0, orders_change_90d=1.0)),
    # Advocacy.
    *ladder(CALM, "nps_last", (9 - EPS, "retention"), (9.0, "advocacy"), (9 + EPS, "advocacy"), (None, "retention")),
    *ladder({**CALM, "nps_last": 9.0}, "days_since_first_order", (31 - EPS, "activation"), (31.0, "advocacy"), (None, "acquisition")),
    *ladder({**BEST, "nps_last": 8.0}, "days_since_first_order", (181 - EPS, "retention"), (181.0, "advocacy"), (None, "acquisition")),
    *ladder(BEST, "nps_last", (6 - EPS, "retention"), (6.0, "retention"), (6 + EPS, "advocacy"), (None, "advocacy")),
    Case("advocacy", {**CALM, "nps_last": 10.0}, rule="promoter"),
    Case("acquisition", {**CALM, "nps_last": 9.0, "order_count": 1 - EPS}),
    Case("advocacy", {**CALM, "nps_last": 9.0, "order_count": 1.0}),
    # A term of 91 days, or of no higher price, keeps nobody in expansion.
    Case("retention", {**DEARER, "days_in_term": 91.0}, "expansion", 9.0),
    Case("retention", {**DEARER, "price_change": 0.0}, "expansion", 9.0),
    Case("advocacy", BEST, rule="champion"),
    *ladder(SLIPPED, "nps_last", (6.0, "retention"), (9 - EPS, "retention"), (9.0, "advocacy"), (None, "retention"), was="advocacy", days=9.0),
    *ladder({**BEST, "recency_percentile": 0.5}, "nps_last", (6.0, "retention"), (6 + EPS, "advocacy"), (None, "advocacy"), was="advocacy", days=9.0),
    # An advocate who buys more stays one; whoever buys more and then recommends has grown first.
    Case("advocacy", champion(GROWN), "advocacy", 9.0),
    Case("expansion", champion(GROWN)),
    Case("expansion", champion(GROWN), "retention", 9.0),
    # Lost, by own rhythm or by days.
    Case("lost", regular(61.0, 10.0, 20.0, orders_90d=4.0, orders_change_90d=2.0)),
    Case("lost", regular(61.0, 10.0, 20.0, spend_90d=40.0, spend_change_90d=30.0), "expansion", 9.0),
    *ladder(regular(61.0, 10.0, 20.0), "recency_over_mean_gap", (3.0, "retention"), (3 + EPS, "lost"), (None, "retention")),
    *ladder(regular(61.0, 10.0, 20.0), "recency_over_max_gap", (1.5, "retention"), (1.5 + EPS, "lost"), (None, "retention")),
    *ladder(regular(61.0, 10.0, 20.0), "days_since_last_order", (60.0, "retention"), (60 + EPS, "lost"), (None, "retention")),
    *ladder(regular(61.0, 10.0, 20.0), "purchase_days", (3 - EPS, "retention"), (3.0, "lost"), (None, "retention")),
    *ladder(once(300.0), "days_since_last_order", (240 - EPS, "retention"), (240.0, "retention"), (240 + EPS, "lost"), (None, "retention")),
    *ladder(once(300.0), "recency_over_max_gap", (1.5, "retention"), (1.5 + EPS, "lost"), (None, "lost")),
    *ladder(CALM, "days_since_last_order", (9.0, "retention"), (9 + 1e-6, "lost"), (None, "lost"), was="lost", days=9.0),
    *ladder(CALM, "days_since_last_order", (30.0, "retention"), (30 + EPS, "lost"), was="lost"),
    Case("lost", once(200.0), "lost", 100.0, "stays"),
    # Actions.
    *(Case("activation", once(days), action=what) for days, what in ((3 - EPS, "usage_guide"), (3.0, "satisfaction_survey"), (7.0, "satisfaction_survey"), (7 + EPS, "usage_guide"))),
    Case("acquisition", {"days_since_first_contact": 31 - EPS}, action="newcomer_offer"),
    Case("acquisition", {"days_since_first_contact": 31.0}, action="nurture_content"),
    Case("acquisition", {}, action="nurture_content"),
    Case("retention", once(100.0, churn_percentile=0.9, churn_probability=0.9), action="active_contact"),
    Case("retention", once(100.0, churn_percentile=0.9, churn_probability=0.9, clv_percentile=0.9), action="personal_contact"),
    Case("retention", CALM, action="related_products"),
    Case("retention", {**CALM, "days_since_last_event": 14.0}, action="care_message"),
    Case("retention", {**CALM, "tickets_30d": 2.0, "tickets_90d": 2.0}, action="solve_complaint"),
    Case("activation", once(1.0, tickets_30d=2.0, tickets_90d=2.0), action="solve_complaint"),
    Case("expansion", {**GROWN, "clv_percentile": 0.95}, action="vip_service"),
    Case("advocacy", {**BEST, "clv_percentile": 0.99}, action="vip_service"),
    Case("lost", once(300.0, clv_percentile=0.99), action="personal_contact"),
    Case("lost", once(300.0, clv_percentile=0.5), action="win_back_offer"),
]  # fmt: skip
BACK = regular(9.0, 40.0)


def test_customers() -> None:
    assert wrong(NAME, CASES) == []


def test_who_came_back_carries_the_signal() -> None:
    assert decide(NAME, BACK, "lost", 9.0)["on"] == {"won_back": "low"}
    assert decide(NAME, BACK, "lost", 9 - 1e-3)["on"] == {}
    assert decide(NAME, once(5.0, 300.0), "lost", 9.0)["on"] == {}
    pause = regular(30.0, 50.0, last_gap_days=120.0)
    assert decide(NAME, pause)["on"] == {"won_back": "low"}
    for other in (
        {"days_since_last_order": 30 + EPS},
        {"last_gap_days": 120 - EPS},
        {"mean_gap_days": 60.0},
        {"last_gap_days": None},
    ):
        assert decide(NAME, {**pause, **other})["on"] == {}


def test_every_outcome_is_reached() -> None:
    assert missed(NAME, [*CASES, Case("retention", BACK, "lost", 9.0)]) == set()
