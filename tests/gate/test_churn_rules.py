"""The verdict from figures made by hand: each condition alone keeps a challenger out."""

import json
from dataclasses import replace
from typing import Any

import pytest

from lifestage.gate import About, churn_verdict, grade_holds_back
from lifestage.gate.churn import ChurnComparison
from lifestage.gate.segments import SegmentLoss
from lifestage.gate.speed import Speed
from lifestage.gate.verdict import Verdict
from lifestage.json_values import json_values
from lifestage.settings import Gate

A, B, C = 2.0, 1.0, 0.0
NAN = float("nan")


def figures(ece: float = 0.01, average_precision: float = 0.5) -> dict[str, float]:
    return {
        "pr_auc_rarer": average_precision,
        "roc_auc": 0.7,
        "log_loss": 0.4,
        "brier": 0.1,
        "ece": ece,
        "ece_if_perfect_high": 0.02,
    }


def segment(**changed: Any) -> SegmentLoss:
    calm = SegmentLoss("value", "5: > 100", 400, 0.4, 0.0, -0.05, 0.05, 0.0, -0.05, 0.05)
    return replace(calm, **changed)


def found(**changed: Any) -> ChurnComparison:
    better = ChurnComparison(
        cutoff=0,
        customers=5_000,
        measure="average_precision",
        challenger=figures(),
        champion=figures(average_precision=0.45),
        gain=(0.11, 0.05, 0.17),
        segments=(segment(),),
        speed=Speed(10.0, 10.0),
    )
    return replace(better, **changed)


ABOUT = About(challenger_grade=B, champion_grade=B)


def test_better_and_nothing_against_it() -> None:
    said = churn_verdict(found(), ABOUT, Gate())
    assert said.word == "better"
    assert said.reasons[0] == (
        "Better: average precision of the rarer outcome 0.500 against the champion's 0.450 on 5,000 customers "
        "(+11.0 %, 95 % interval +5.0 % to +17.0 %)."
    )


def test_the_margin_counts_from_the_lower_end() -> None:
    assert churn_verdict(found(), ABOUT, Gate(min_gain=0.049)).word == "better"
    assert churn_verdict(found(), ABOUT, Gate(min_gain=0.051)).word == "younger"
    old = replace(ABOUT, younger=False)
    assert churn_verdict(found(), old, Gate(min_gain=0.051)).word == "kept"


@pytest.mark.parametrize(
    ("changed", "about", "reason"),
    [
        (
            {},
            {"challenger_grade": C},
            "It has grade C (not proven better than the plain rule), the champion has grade B.",
        ),
        (
            {"challenger": figures(ece=0.06)},
            {},
            "Its calibration error is 0.060: more than gate.max_calibration_error 0.05, than chance alone makes (0.020), "
            "and than the champion's 0.010.",
        ),
        (
            {"speed": Speed(300.0, 100.0)},
            {},
            "It takes 300 ms for 1,000 customers, 3.0 times the champion's 100 (gate.max_slowdown 2).",
        ),
        (
            {"segments": (segment(gain=-0.3, gain_low=-0.4, gain_high=-0.2),)},
            {},
            "Segment value 5: > 100 (400 customers) is served worse: average precision of the rarer outcome -30.0 %, at "
            "best -20.0 % (gate.max_segment_loss 10%).",
        ),
        (
            {"segments": (segment(gain=NAN, gain_high=NAN, brier_gain=-0.3, brier_gain_high=-0.2),)},
            {},
            "Segment value 5: > 100 (400 customers) is served worse: Brier score -30.0 %, at best -20.0 % "
            "(gate.max_segment_loss 10%).",
        ),
    ],
)
def test_each_condition_alone_keeps_it_out(
    changed: dict[str, Any], about: dict[str, Any], reason: str
) -> None:
    said = churn_verdict(found(**changed), replace(ABOUT, **about), Gate())
    assert (said.word, said.promote) == ("kept", False)
    assert said.reasons == (reason,)


@pytest.mark.parametrize(
    "changed",
    [
        {"challenger": figures(ece=0.06), "champion": figures(ece=0.07)},  # a bad season for both
        {"challenger": {**figures(ece=0.06), "ece_if_perfect_high": 0.08}},  # few customers
        {"speed": Speed(30.0, 1.0)},  # nobody notices
        {"segments": (segment(gain=-0.3, gain_low=-0.5, gain_high=-0.05),)},  # not surely
        {"segments": (segment(gain=-0.05, gain_low=-0.08, gain_high=-0.02),)},  # not much
    ],
)
def test_what_does_no_harm_does_not(changed: dict[str, Any]) -> None:
    assert churn_verdict(found(**changed), ABOUT, Gate()).promote


UNSURE = (0.01, -0.02, 0.04)
TRUER = (0.05, 0.02, 0.08)


def test_truer_probabilities_are_better_where_the_order_is_not_surely_worse() -> None:
    said = churn_verdict(found(gain=UNSURE, truth=TRUER), ABOUT, Gate())
    assert said.word == "better"
    assert said.reasons[0].startswith(
        "Better: its probabilities are surely truer, by the Brier score +5.0 % (95 % interval +2.0 % to +8.0 %). By the "
        "order of the customers it is not surely better, nor surely within 1.0% of the champion: average precision"
    )
    assert said.figures["brier_gain_low"] == 0.02


@pytest.mark.parametrize(
    ("changed", "about", "limits"),
    [
        ({"gain": (-0.05, -0.09, -0.01)}, {}, {}),  # ranks surely worse
        ({"truth": (0.05, -0.01, 0.11)}, {}, {}),  # not surely truer
        ({"truth": (NAN, NAN, NAN)}, {}, {}),
        ({"truth": None}, {}, {}),
        ({}, {}, {"min_gain": 0.03}),
        ({}, {"rolled_back": True}, {}),
        ({}, {"champion_saw": "It may have seen them."}, {}),
        ({"challenger": figures(ece=0.3)}, {}, {}),
    ],
)
def test_truer_probabilities_alone_are_not_always_enough(
    changed: dict[str, Any], about: dict[str, Any], limits: dict[str, Any]
) -> None:
    compared = found(**{"gain": UNSURE, "truth": TRUER, **changed})
    assert churn_verdict(compared, replace(ABOUT, **about), Gate(**limits)).word == "kept"


def test_an_undefined_gain_is_no_gain() -> None:
    assert churn_verdict(found(gain=(0.1, NAN, NAN)), ABOUT, Gate()).word == "kept"


@pytest.mark.parametrize(
    ("challenger", "champion", "held"),
    [
        (C, B, True),
        (C, A, True),
        (C, None, True),
        (C, C, False),
        (B, A, False),
        (None, A, False),
        (A, C, False),
    ],
)
def test_grade_c_holds_back_where_the_champion_is_better(
    challenger: float | None, champion: float | None, held: bool
) -> None:
    assert grade_holds_back(challenger, champion) is held


def test_the_verdict_is_plain_json() -> None:
    said = churn_verdict(found(gain=(NAN, NAN, NAN)), ABOUT, Gate()).to_json("7", "5")
    text = json.dumps(said, allow_nan=False)
    assert json.loads(text) == said
    assert (said["challenger"], said["champion"], said["promote"]) == ("7", "5", False)
    assert said["figures"]["gain"] is None
    assert said["figures"]["segments"][0]["customers"] == 400


def test_only_numbers_that_are_finite_stay_numbers() -> None:
    assert json_values({"a": NAN, "b": [float("inf"), 1, True, None, "x"]}) == {
        "a": None,
        "b": [None, 1, True, None, "x"],
    }
    assert [Verdict(word, ()).promote for word in ("first", "better", "younger", "new", "same", "kept")] == [
        True,
        True,
        True,
        True,
        False,
        False,
    ]  # fmt: skip
