"""Cutoffs: against dates written by hand and a loop in plain Python."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from lifestage.errors import InputError
from lifestage.folds import Folds, check_folds, folds_of_labels, make_folds
from lifestage.localtime import midnight

RULE = {"horizon_days": 90, "train_cutoffs": 6, "step_days": 30, "min_history_days": 90}


def at(day: str, zone: str = "UTC", hour: int = 0) -> int:
    moment = datetime.fromisoformat(day).replace(hour=hour, tzinfo=ZoneInfo(zone))
    return round(moment.timestamp()) * 1_000_000


def days(cutoffs: tuple[int, ...] | int, zone: str = "UTC") -> list[str]:
    """Local dates; fails where a cutoff is no local midnight."""
    found = []
    for t in cutoffs if isinstance(cutoffs, tuple) else (cutoffs,):
        moment = datetime.fromtimestamp(t // 1_000_000, UTC).astimezone(ZoneInfo(zone))
        assert (moment.hour, moment.minute, moment.second, t % 1_000_000) == (0, 0, 0, 0)
        found.append(moment.date().isoformat())
    return found


def test_cdnow() -> None:
    folds = make_folds(at("1997-01-01"), at("1998-06-30"), zone="UTC", **RULE)
    assert days(folds.test) == ["1998-04-01"] == days(folds.newest_complete)
    assert days(folds.validation) == ["1998-01-01"]
    assert days(folds.train) == [
        "1997-05-06",
        "1997-06-05",
        "1997-07-05",
        "1997-08-04",
        "1997-09-03",
        "1997-10-03",
    ]
    assert days(folds.ship_train)[0] == "1997-11-02"
    assert days(folds.ship_train)[-1] == "1998-04-01"
    assert len(folds.ship_train) == 6


@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe"]
)
@pytest.mark.parametrize("end", ["2023-03-27", "2023-11-06", "2024-02-29", "2024-10-28"])
def test_label_windows_meet_and_never_overlap(zone: str, end: str) -> None:
    """Clock changes lie inside these windows; every border is the same local midnight on both sides."""
    folds = make_folds(at("2021-01-10", zone, hour=13), at(end, zone), zone=zone, **RULE)

    def ends(t: int) -> str:
        return (date.fromisoformat(days(t, zone)[0]) + timedelta(days=90)).isoformat()

    assert ends(folds.test) == end
    assert ends(folds.validation) == days(folds.test, zone)[0]
    assert ends(folds.train[-1]) == days(folds.validation, zone)[0]
    assert list(folds.train) == sorted(set(folds.train))
    for newer, older in zip(days(folds.train, zone)[:0:-1], days(folds.train, zone)[-2::-1], strict=True):
        assert date.fromisoformat(newer) - date.fromisoformat(older) == timedelta(days=30)
    assert folds.ship_train[-1] == folds.test
    assert len(folds.train) == len(folds.ship_train) == 6


def test_a_midnight_that_the_clock_skips_is_the_first_instant_of_its_day() -> None:
    """Santiago has no 00:00 on 2022-09-11: the day begins at 01:00, which is 04:00 UTC."""
    folds = make_folds(
        at("2021-01-01"),
        at("2022-12-10", "America/Santiago"),
        zone="America/Santiago",
        **RULE,
    )
    assert folds.test == at("2022-09-11", "UTC", hour=4)


def test_the_shipped_fit_may_have_more_cutoffs_in_a_young_shop() -> None:
    """360 days = 90 of history + three horizons: exactly one training cutoff."""
    folds = make_folds(at("2023-01-01"), at("2023-12-27"), zone="UTC", **RULE)
    assert days(folds.train) == ["2023-04-01"]
    assert len(folds.ship_train) == 6
    assert days(folds.ship_train)[0] == "2023-05-01"


def test_no_cutoff_before_the_minimal_history() -> None:
    folds = make_folds(at("2023-01-01", hour=18), at("2024-03-01"), zone="UTC", **RULE)
    assert days(folds.train) == ["2023-04-06", "2023-05-06", "2023-06-05"]


def test_observation_that_ends_within_a_day_counts_whole_days_only() -> None:
    assert make_folds(at("1997-01-01"), at("1998-06-30", hour=17), zone="UTC", **RULE) == make_folds(
        at("1997-01-01"), at("1998-06-30"), zone="UTC", **RULE
    )


def test_too_short_a_history_says_what_would_fit() -> None:
    with pytest.raises(InputError, match=r"359 days \(2023-01-01 to 2023-12-26\).*needs 360.*at most 89"):
        make_folds(at("2023-01-01"), at("2023-12-26"), zone="UTC", **RULE)
    fits = {**RULE, "horizon_days": 89}
    assert isinstance(make_folds(at("2023-01-01"), at("2023-12-26"), zone="UTC", **fits), Folds)
    with pytest.raises(InputError, match=r"60 days.*needs 360.*with 0 a horizon of 20 would fit"):
        make_folds(at("2023-01-01"), at("2023-03-02"), zone="UTC", **RULE)
    with pytest.raises(InputError, match=r"2 days.*; give more history"):
        make_folds(at("2023-01-01"), at("2023-01-03"), zone="UTC", **RULE)


@pytest.mark.parametrize(("key", "value"), [("horizon_days", 0), ("train_cutoffs", 0), ("step_days", -1)])
def test_values_out_of_range(key: str, value: int) -> None:
    with pytest.raises(InputError, match=rf"churn.{key} is {value}; give at least 1"):
        make_folds(at("1997-01-01"), at("1998-06-30"), zone="UTC", **{**RULE, key: value})
    with pytest.raises(InputError, match=r"min_history_days is -1; give 0 or more"):
        make_folds(at("1997-01-01"), at("1998-06-30"), zone="UTC", **{**RULE, "min_history_days": -1})


def instants(*days: str) -> tuple[int, ...]:
    return tuple(midnight(date.fromisoformat(day), "Europe/Berlin") for day in days)


def hand_made(train: str, validation: str, test: str, ship: str | None = None) -> Folds:
    (v,), (t,) = instants(validation), instants(test)
    return Folds(instants(train), v, t, t, instants(ship or test))


def test_hand_made_folds_must_keep_label_windows_apart() -> None:
    rule = {"zone": "Europe/Berlin", "label_days": 90}
    check_folds(hand_made("2021-01-01", "2021-04-01", "2021-06-30"), **rule)
    with pytest.raises(
        InputError, match="training cutoff 2021-01-02 ends on 2021-04-02, after the validation"
    ):
        check_folds(hand_made("2021-01-02", "2021-04-01", "2021-06-30"), **rule)
    with pytest.raises(InputError, match="validation cutoff 2021-04-01 ends on 2021-06-30, after the test"):
        check_folds(hand_made("2021-01-01", "2021-04-01", "2021-06-29"), **rule)
    with pytest.raises(
        InputError, match="shipped training cutoff 2021-07-01 is later than the newest complete"
    ):
        check_folds(hand_made("2021-01-01", "2021-04-01", "2021-06-30", "2021-07-01"), **rule)


def test_folds_of_labels_keep_a_horizon_between_the_parts() -> None:
    days = [date(2021, m, 1) for m in range(1, 13)]
    folds = folds_of_labels(days, zone="Europe/Berlin", horizon_days=60, train_cutoffs=4)
    check_folds(folds, zone="Europe/Berlin", label_days=60)
    assert (folds.validation, folds.test) == instants("2021-10-01", "2021-12-01")
    assert folds.train == instants("2021-05-01", "2021-06-01", "2021-07-01", "2021-08-01")
    assert folds.ship_train == instants("2021-09-01", "2021-10-01", "2021-11-01", "2021-12-01")
    one = folds_of_labels(days[:1], zone="Europe/Berlin", horizon_days=60, train_cutoffs=4)
    assert not one.out_of_time
    with pytest.raises(InputError, match=r"2021-01-01 to 2021-03-01, 3 of them.*churn.horizon_days 60 apart"):
        folds_of_labels(days[:3], zone="Europe/Berlin", horizon_days=60, train_cutoffs=4)


def test_grace_lengthens_every_label() -> None:
    first, until = instants("2020-01-01", "2021-12-31")
    folds = make_folds(first, until, zone="Europe/Berlin", grace_days=10, **RULE)
    assert (folds.test, folds.validation) == instants("2021-09-22", "2021-06-14")
    check_folds(folds, zone="Europe/Berlin", label_days=100)
