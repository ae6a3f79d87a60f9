"""The probability_bands preset: Amperity's borders of 60, 50, 35 and 20% and of 60 to 240 days, exactly."""

import pytest

from tests.lifecycle.presets.table import EPS, Case, Row, decide, ladder, missed, once, regular, wrong

NAME = "probability_bands"


def repeat(p: float | None, **more: object) -> Row:
    return regular(5.0, 20.0, p_order=p, **more)


NEW = [
    (1.0, "active"), (0.6 + EPS, "active"), (0.6, "cooling_down"), (0.5 + EPS, "cooling_down"), (0.5, "cooling_down"),
    (0.5 - EPS, "at_risk"), (0.35 + EPS, "at_risk"), (0.35, "at_risk"), (0.35 - EPS, "highly_at_risk"),
    (0.2 + EPS, "highly_at_risk"), (0.2, "highly_at_risk"), (0.2 - EPS, "lost"), (0.0, "lost"), (None, "prospect"),
]  # fmt: skip
DAYS = [
    (0.0, "active"), (60 - EPS, "active"), (60.0, "active"), (60 + EPS, "cooling_down"), (120.0, "cooling_down"),
    (120 + EPS, "at_risk"), (180.0, "at_risk"), (180 + EPS, "highly_at_risk"), (240.0, "highly_at_risk"),
    (240 + EPS, "lost"), (9999.0, "lost"), (None, "prospect"),
]  # fmt: skip
BANDS = ("active", "cooling_down", "at_risk", "highly_at_risk", "lost")
# Who is in a band stays until three points beyond it.
STAYS = [
    ("active", 0.57 + EPS, "active"), ("active", 0.57, "cooling_down"), ("active", 0.4, "at_risk"),
    ("cooling_down", 0.63, "cooling_down"), ("cooling_down", 0.63 + EPS, "active"),
    ("cooling_down", 0.47, "cooling_down"), ("cooling_down", 0.47 - EPS, "at_risk"),
    ("at_risk", 0.53 - EPS, "at_risk"), ("at_risk", 0.53, "cooling_down"), ("at_risk", 0.7, "active"),
    ("at_risk", 0.32, "at_risk"), ("at_risk", 0.32 - EPS, "highly_at_risk"),
    ("highly_at_risk", 0.38 - EPS, "highly_at_risk"), ("highly_at_risk", 0.38, "at_risk"),
    ("highly_at_risk", 0.17, "highly_at_risk"), ("highly_at_risk", 0.17 - EPS, "lost"),
    ("lost", 0.23 - EPS, "lost"), ("lost", 0.23, "highly_at_risk"), ("lost", 0.9, "active"),
]  # fmt: skip

CASES = [
    Case("prospect", {}, rule="enter"),
    *(Case(stage, repeat(p)) for p, stage in NEW),
    *(Case(stage, repeat(p), rule="repeat_buyer") for p, stage in NEW if p is not None),
    *(Case(stage, once(0.0, 500.0, days_since_last_order=days, p_order=0.99)) for days, stage in DAYS),
    *(Case(stage, once(0.0, 500.0, days_since_last_order=days), rule="one_time_buyer") for days, stage in DAYS if days is not None),
    *(Case(stage, repeat(p), was, 40.0) for was, p, stage in STAYS),
    *(Case(was, repeat(None), was, 40.0, "stays") for was in BANDS),
    *(Case(stage, once(0.0, 500.0, days_since_last_order=days), was, 9.0) for was in BANDS for days, stage in DAYS if days is not None),
    *(Case("prospect", {**repeat(0.5), "order_count": count}, was, 9.0) for was in BANDS for count in (0.0, None)),
    *ladder(repeat(0.1), "order_count", (0.0, "prospect"), (1.0, "active"), (1 + EPS, "lost"), (2.0, "lost"), (None, "prospect")),
    Case("active", once(5.0, p_order=0.1), "lost", 9.0, "one_time_buyer"),
    Case("prospect", repeat(None), rule="default"),
    # Actions.
    Case("active", repeat(0.9, clv_percentile=0.95), action="vip_service"),
    Case("active", once(5.0), action="second_order_offer"),
    Case("active", repeat(0.9), action="cross_sell"),
    Case("cooling_down", repeat(0.55, clv_percentile=0.95), action="personal_contact"),
    Case("cooling_down", once(70.0), action="second_order_offer"),
    Case("cooling_down", repeat(0.55), action="related_products"),
    Case("at_risk", repeat(0.4, clv_percentile=0.95), action="personal_contact"),
    Case("at_risk", repeat(0.4, churn_percentile=0.8, churn_probability=0.8), action="active_contact"),
    Case("at_risk", repeat(0.4), action="exclusive_offer"),
    Case("highly_at_risk", repeat(0.3, clv_percentile=0.9), action="personal_contact"),
    Case("highly_at_risk", repeat(0.3), action="win_back_offer"),
    Case("lost", repeat(0.1, clv_percentile=0.95), action="personal_contact"),
    Case("lost", repeat(0.1), action="win_back_offer"),
]  # fmt: skip


def test_customers() -> None:
    assert wrong(NAME, CASES) == []


@pytest.mark.parametrize(
    ("row", "risk"),
    [
        (repeat(0.35 - EPS), "high"), (repeat(0.35), "medium"), (repeat(0.5 - EPS), "medium"), (repeat(0.5), "low"),
        (repeat(None), "low"), (once(180.0), "medium"), (once(180 + EPS), "high"), (once(120 + EPS), "medium"),
        (once(120.0), "low"), (once(366.0), None),
    ],
)  # fmt: skip
def test_risk_by_band(row: Row, risk: str | None) -> None:
    assert decide(NAME, row)["risk"] == risk


def test_nobody_goes_to_and_fro_at_a_border() -> None:
    """A probability that swings by two points around each border."""
    for border in (0.6, 0.5, 0.35, 0.2):
        was: str | None = None
        seen = set()
        for step in range(8):
            was = decide(NAME, repeat(border + (0.02 if step % 2 else -0.02)), was, 30.0)["stage"]
            seen.add(was)
        assert len(seen) == 1, border


def test_the_sentence_has_their_own_numbers() -> None:
    assert decide(NAME, repeat(0.42))["reasons"] == ["at_risk: 42% likely to order within the year"]
    assert decide(NAME, once(130.0))["reasons"] == ["at_risk: one order, 130 days ago"]


def test_who_came_back_carries_the_signal() -> None:
    assert decide(NAME, regular(9.0, 40.0), "lost", 9.0)["on"] == {"won_back": "low"}


def test_every_outcome_is_reached() -> None:
    assert missed(NAME, [*CASES, Case("active", regular(9.0, 40.0), "lost", 9.0)]) == set()
