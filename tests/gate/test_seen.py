"""Has a champion's graded fit seen outcomes of the customers it is tested on?"""

from datetime import date

from lifestage.gate.seen import churn_saw, day_told, newest_label

TOLD = {
    "cutoffs": {"evaluation": ["2024-01-01", "2024-02-01 00:30"]},
    "out_of_time": True,
    "as_of": "2024-06-01",
}


def test_the_newest_label_ends_a_label_after_the_newest_cutoff() -> None:
    assert newest_label(TOLD, 30) == date(2024, 3, 2)
    assert newest_label({}, 30) is None
    assert newest_label({"cutoffs": {"evaluation": []}}, 30) is None


def test_labels_that_end_by_the_test_cutoff_were_not_seen() -> None:
    assert churn_saw(TOLD, 30, date(2024, 3, 2)) == ""
    assert churn_saw(TOLD, 30, date(2025, 1, 1)) == ""


def test_a_champion_too_young_is_told() -> None:
    said = churn_saw(TOLD, 30, date(2024, 3, 1))
    assert "labels that end on 2024-03-02, after the test cutoff 2024-03-01: it is so young" in said


def test_what_is_not_told_is_not_assumed() -> None:
    assert "does not tell which labels" in churn_saw({}, 30, date(2024, 3, 1))
    assert "carry no days" in churn_saw({**TOLD, "out_of_time": False}, 30, date(2030, 1, 1))
    assert day_told(TOLD, "as_of") == date(2024, 6, 1)
    assert day_told({}, "as_of") is None
