"""The ecommerce preset's rules, actions and roles; its thresholds are in test_ecommerce.py of the folder above."""

from tests.lifecycle.presets.table import EPS, Case, decide, missed, once, preset, regular, wrong

NAME = "ecommerce"
MODEL = {"churn_percentile": 0.9, "churn_probability": 0.5}

CASES = [
    Case("acquisition", {}, rule="default", action="newcomer_offer"),
    Case("acquisition", once(1.0), rule="enter"),
    *(Case("activation", once(days), action=what) for days, what in ((3 - EPS, "usage_guide"), (3.0, "satisfaction_survey"), (7.0, "satisfaction_survey"), (7 + EPS, "usage_guide"))),
    Case("activation", {"days_since_first_contact": 10.0, "order_count": 0.0}, action="invite_to_join"),
    Case("growth", once(50.0), action="cross_sell"),
    Case("loyalty", regular(5.0, 20.0), action="points"),
    Case("at_risk", regular(41.0, 20.0), rule="beyond_rhythm", action="reason_survey"),
    Case("at_risk", once(130.0), rule="no_repeat"),
    Case("at_risk", regular(28.0, 20.0, orders_90d=1.0, orders_change_90d=-3.0), rule="orders_sharply_down", action="active_contact"),
    Case("at_risk", once(50.0, **MODEL), rule="likely_to_leave", action="active_contact"),
    Case("at_risk", once(130.0, complaints_30d=2.0, complaints_90d=2.0), action="solve_complaint"),
    # The first rule that is true is the one that is told.
    Case("at_risk", regular(41.0, 20.0, **MODEL), rule="beyond_rhythm"),
    Case("at_risk", regular(25.0, 20.0, churn_percentile=0.8), "at_risk", 5.0, "stays"),
    Case("win_back", once(300.0), rule="lapsed", action="win_back_offer"),
    Case("loyalty", once(70.0, 500.0)),
    Case("loyalty", regular(5.0, 20.0, churn_percentile=0.75, churn_probability=0.5)),
    Case("win_back", {"days_since_first_contact": 181.0}, rule="never_ordered"),
    Case("loyalty", regular(9.0, 40.0), "win_back", 9.0),
]  # fmt: skip


def test_customers() -> None:
    assert wrong(NAME, CASES) == []


def test_the_rule_speaks_with_their_own_numbers() -> None:
    assert (
        decide(NAME, regular(96.0, 41.0))["reasons"][0]
        == "at_risk: no order for 96 days, over twice the usual 41"
    )


def test_risk_of_what_customers_say_and_do() -> None:
    calm = regular(5.0, 20.0)
    assert decide(NAME, calm)["risk"] == "low"
    for more in (
        {"nps_last": 6.0},
        {"tickets_30d": 2.0, "tickets_90d": 3.0},
        {"events_30d": 2.0, "events_change_30d": -8.0},
    ):
        assert decide(NAME, {**calm, **more})["risk"] == "medium"


def test_roles() -> None:
    roles = {stage.name: stage.role for stage in preset(NAME).stages}
    assert (roles["acquisition"], roles["growth"], roles["at_risk"], roles["win_back"]) == (
        "new",
        "active",
        "at_risk",
        "lost",
    )


def test_every_outcome_is_reached() -> None:
    assert missed(NAME, CASES) == set()
