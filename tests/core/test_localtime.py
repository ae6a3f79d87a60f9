"""Local times against zoneinfo instant by instant, and against DuckDB's cast where the clock changes."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifestage.localtime import DAY, HOUR, day_of, instant, local_days, midnight, moment, to_local

ZONES = [
    "America/New_York",
    "Asia/Shanghai",
    "Africa/Casablanca",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Europe/London",
    "America/Sao_Paulo",
    "Pacific/Apia",  # had no 2011-12-30
    "America/St_Johns",  # fell back from 00:01 to 23:01
    "UTC",
]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def us(moment_: datetime) -> int:
    return (moment_ - EPOCH) // timedelta(microseconds=1)


def wall(t: int, zone: str) -> int:
    """Local wall-clock microseconds by zoneinfo."""
    clock = (EPOCH + timedelta(microseconds=t)).astimezone(ZoneInfo(zone))
    return us(clock.replace(tzinfo=UTC))


def changes(zone: str, first: int, last: int) -> list[int]:
    """Instants (us) at which the zone's offset changes, searched hour by hour, then halved."""
    tz = ZoneInfo(zone)
    found = []
    before = datetime(first, 1, 1, tzinfo=UTC)
    while before.year < last:
        after = before + timedelta(hours=6)
        if before.astimezone(tz).utcoffset() != after.astimezone(tz).utcoffset():
            low, high = before, after
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                same = middle.astimezone(tz).utcoffset() == before.astimezone(tz).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            found.append(us(high.replace(microsecond=0)))
        before = after
    return found


@pytest.mark.parametrize("zone", ZONES)
def test_to_local_equals_zoneinfo_at_random_instants(zone: str) -> None:
    low, high = us(datetime(1950, 1, 1, tzinfo=UTC)), us(datetime(2101, 1, 1, tzinfo=UTC))
    t = np.random.default_rng(1).integers(low, high, 5_000)
    assert to_local(t, zone).tolist() == [wall(int(x), zone) for x in t]


@pytest.mark.parametrize("zone", ZONES)
def test_to_local_equals_zoneinfo_around_every_change(zone: str) -> None:
    near = [-DAY, -HOUR, -1, 0, 1, HOUR // 2, HOUR, DAY]
    t = np.array([c + d for c in changes(zone, 1995, 2030) for d in near], np.int64)
    assert to_local(t, zone).tolist() == [wall(int(x), zone) for x in t]


@pytest.mark.parametrize("zone", [z for z in ZONES if z != "America/St_Johns"])
def test_local_days_are_zoneinfos_dates(zone: str) -> None:
    t = np.random.default_rng(2).integers(0, us(datetime(2100, 1, 1, tzinfo=UTC)), 2_000)
    assert local_days(t, zone).tolist() == [wall(int(x), zone) // DAY for x in t]


@pytest.mark.parametrize("zone", ZONES)
def test_local_days_never_go_back(zone: str) -> None:
    half_minute = HOUR // 120
    for change in changes(zone, 2000, 2015):
        t = np.arange(change - 3 * HOUR, change + 3 * HOUR, half_minute)
        dates = [wall(int(x), zone) // DAY for x in t]
        assert local_days(t, zone).tolist() == np.maximum.accumulate(dates).tolist()


def test_no_local_day_where_the_calendar_skipped_one() -> None:
    before = us(datetime(2011, 12, 30, 9, 59, tzinfo=UTC))  # 2011-12-29 23:59 in Samoa
    days = local_days(np.array([before, before + 2 * HOUR]), "Pacific/Apia")
    assert np.diff(days).tolist() == [2]
    assert day_of(before, "Pacific/Apia") == date(2011, 12, 29)
    assert day_of(before + 2 * HOUR, "Pacific/Apia") == date(2011, 12, 31)


@pytest.mark.parametrize("zone", ZONES)
def test_instant_of_repeated_and_skipped_times_equals_duckdb(zone: str) -> None:
    """Up to 2026: for later years the rules of the two libraries' time zone data may differ."""
    minutes = [-1500, -90, -60, -31, -30, -29, -1, 0, 1, 29, 30, 31, 59, 60, 90, 1500]
    naive = []
    for change in changes(zone, 1995, 2026):
        for clock in (wall(change - 1, zone) + 1, wall(change, zone)):
            at = EPOCH.replace(tzinfo=None) + timedelta(microseconds=clock)
            naive += [at + timedelta(minutes=m) for m in minutes]
    naive += [datetime(2020, 2, 29, 12, 30, 1, 999_999), datetime(2011, 12, 30), datetime(2011, 12, 30, 15)]
    with duckdb.connect() as connection:
        connection.execute(f"SET TimeZone = '{zone}'")
        texts = [n.isoformat(sep=" ") for n in naive]
        rows = connection.execute("SELECT epoch_us(unnest(?::VARCHAR[])::TIMESTAMPTZ)", [texts]).fetchall()
    for n, (expected,) in zip(naive, rows, strict=True):
        assert instant(n, zone) == expected, n


def test_instant_takes_the_later_one() -> None:
    new_york = "America/New_York"
    repeated = instant(datetime(2021, 11, 7, 1, 30), new_york)
    assert repeated == us(datetime(2021, 11, 7, 6, 30, tzinfo=UTC))
    skipped = instant(datetime(2021, 3, 14, 2, 30), new_york)
    assert moment(skipped, new_york).isoformat() == "2021-03-14T03:30:00-04:00"


def test_instant_of_an_aware_moment_ignores_the_zone() -> None:
    aware = datetime(2021, 11, 7, 1, 30, 0, 7, tzinfo=timezone(timedelta(hours=9)))
    assert instant(aware, "America/New_York") == us(aware)


def test_midnight_skipped_by_the_clock_is_the_days_first_instant() -> None:
    start = midnight(date(2017, 10, 15), "America/Sao_Paulo")  # 00:00 became 01:00
    assert moment(start, "America/Sao_Paulo").isoformat() == "2017-10-15T01:00:00-02:00"
    assert day_of(start - 1, "America/Sao_Paulo") == date(2017, 10, 14)


@given(
    t=st.integers(us(datetime(1950, 1, 1, tzinfo=UTC)), us(datetime(2100, 1, 1, tzinfo=UTC))),
    zone=st.sampled_from(ZONES),
)
def test_moment_and_instant_are_inverse(t: int, zone: str) -> None:
    assert instant(moment(t, zone), "UTC") == t
    assert midnight(day_of(t, zone), zone) <= t + 2 * HOUR
