"""The four churn definitions against plain Python that shares no code with them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage.labels import Definition, eligible, labelled
from lifestage.localtime import midnight
from tests.builders import DAY, INSTANTS, ZONES, customers, make_history, us

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
T0 = us("2022-03-01")
PARTS = [0, 0, 0, 1, DAY // 2, DAY - 1]


def wall(t: int, zone: str) -> datetime:
    return (EPOCH + timedelta(microseconds=t)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def later(t: int, days: int, zone: str) -> int:
    return midnight(wall(t, zone).date() + timedelta(days=days), zone)


def subscription(row: dict[str, Any], cutoff: int, horizon: int, grace: int, zone: str) -> tuple[bool, bool]:
    """One customer: (eligible, churned), told day by day of a story, not by arrays."""
    terms = [(t[0], t[1]) for t in row.get("subscriptions", [])]
    running = [end for start, end in terms if start < cutoff and (end is None or end >= cutoff)]
    if not running:
        return False, False
    cover = None if None in running else max(running)
    while cover is not None:
        limit = wall(cover, zone) + timedelta(days=grace)
        more = [end for start, end in terms if start >= cutoff and wall(start, zone) <= limit]
        more = [end for end in more if end is None or end > cover]
        if not more:
            break
        cover = None if None in more else max(more)
    return True, cover is not None and wall(cover, zone) < wall(later(cutoff, horizon, zone), zone)


def terms(base: int) -> st.SearchStrategy[list[tuple[int, int | None]]]:
    """Starts and ends on a grid of whole and odd days around `base`, so that ties and renewals are common."""

    def term(code: int) -> tuple[int, int | None]:
        code, part = divmod(code, len(PARTS))
        code, day = divmod(code, 60)
        start = base + (day - 30) * DAY + PARTS[part]
        code, length = divmod(code, 25)
        end = None if length == 24 else start + length * DAY + (code % 2)
        return start, end

    return st.lists(st.integers(0, 2**40).map(term), max_size=6)


@settings(max_examples=300, deadline=None)
@given(
    lists=st.lists(terms(T0), min_size=1, max_size=4),
    horizon=st.integers(1, 20),
    grace=st.integers(0, 10),
    zone=ZONES,
)
def test_subscription_churn_is_what_the_story_says(
    lists: list[list[tuple[int, int | None]]], horizon: int, grace: int, zone: str
) -> None:
    cutoff = midnight(wall(T0, zone).date(), zone)
    rows = [{"subscriptions": sorted(found, key=lambda t: t[0])} for found in lists]
    rule = Definition("subscription", horizon, 365, grace)
    history = make_history(rows, zone)
    found = labelled(history, cutoff, rule)
    expected = [subscription(row, cutoff, horizon, grace, zone) for row in rows]
    assert found.eligible.tolist() == [e for e, _ in expected]
    assert [bool(c) for c, e in zip(found.churned, found.eligible, strict=True) if e] == [
        c for e, c in expected if e
    ]
    assert eligible(history.before(cutoff), rule).tolist() == found.eligible.tolist()


@settings(max_examples=100, deadline=None)
@given(lists=st.lists(terms(T0), min_size=1, max_size=4), horizon=st.integers(1, 9), grace=st.integers(0, 5))
def test_labels_of_terms_need_nothing_beyond_horizon_and_grace(
    lists: list[list[tuple[int, int | None]]], horizon: int, grace: int
) -> None:
    """The label is complete once horizon + grace has passed: what comes later makes no difference."""
    end = T0 + (horizon + grace) * DAY
    cut = [[(s, None if e is None or e >= end else e) for s, e in found if s < end] for found in lists]
    rule = Definition("subscription", horizon, 365, grace)
    whole, known = (
        labelled(make_history([{"subscriptions": found} for found in side]), T0, rule)
        for side in (lists, cut)
    )
    assert whole.eligible.tolist() == known.eligible.tolist()
    assert (whole.churned & whole.eligible).tolist() == (known.churned & known.eligible).tolist()


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([(T0 - DAY, None)], (True, False)),
        ([(T0, None)], (False, None)),  # a term that starts at the cutoff is after it
        ([(T0 - DAY, T0 - 1)], (False, None)),
        ([(T0 - DAY, T0)], (True, True)),  # an end at the cutoff is after it: the term was open
        ([(T0 - DAY, T0 + 30 * DAY)], (True, False)),  # an end at the horizon's end is beyond it
        ([(T0 - DAY, T0 + 30 * DAY - 1)], (True, True)),
        ([(T0 - DAY, T0 + DAY), (T0 + DAY, None)], (True, False)),  # back to back
        ([(T0 - DAY, T0 + DAY), (T0 + 6 * DAY, None)], (True, False)),  # at the last moment of the grace
        ([(T0 - DAY, T0 + DAY), (T0 + 6 * DAY + 1, None)], (True, True)),
        ([(T0 - DAY, T0 + DAY), (T0 + 2 * DAY, T0 + 9 * DAY)], (True, True)),  # the renewal ends, too
        ([(T0 - DAY, T0 + DAY), (T0 - DAY, T0 + 40 * DAY)], (True, False)),  # two at once
        ([(T0 - DAY, T0 + 29 * DAY), (T0 + 34 * DAY, None)], (True, False)),  # renewed after the horizon
    ],
)
def test_ties_grace_and_renewals(found: list[tuple[int, int | None]], expected: tuple[bool, Any]) -> None:
    result = labelled(make_history([{"subscriptions": found}]), T0, Definition("subscription", 30, 365, 5))
    assert bool(result.eligible[0]) is expected[0]
    if expected[0]:
        assert bool(result.churned[0]) is expected[1]


def test_grace_is_counted_in_local_days_across_a_clock_change() -> None:
    zone = "Europe/Berlin"  # 2021-10-31 has 25 hours
    end, start = us("2021-10-31T00:00+02:00"), us("2021-11-01T00:00+01:00")
    cutoff = us("2021-10-20T00:00+02:00")
    rows = [{"subscriptions": [(cutoff - DAY, end), (start, None)]}]
    found = labelled(make_history(rows, zone), cutoff, Definition("subscription", 30, 365, 1))
    assert found.churned.tolist() == [False]


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(customers(), min_size=1, max_size=4),
    cutoff=INSTANTS,
    horizon=st.integers(1, 60),
    active=st.integers(1, 400),
    zone=ZONES,
)
def test_activity_and_purchase_churn_count_their_own_rows(
    rows: list[dict[str, Any]], cutoff: int, horizon: int, active: int, zone: str
) -> None:
    cutoff = midnight(wall(cutoff, zone).date(), zone)
    end = later(cutoff, horizon, zone)
    history = make_history(rows, zone)
    activity = labelled(history, cutoff, Definition("activity", horizon, active))
    for i, row in enumerate(rows):
        times = [event[0] for event in row["events"]]
        assert bool(activity.eligible[i]) == any(cutoff - active * DAY <= max(
            [t for t in times if t < cutoff], default=-(2**62)) < cutoff for _ in "x")  # fmt: skip
        assert bool(activity.churned[i]) == (not any(cutoff <= t < end for t in times))
    without = [{**row, "refunds": []} for row in rows]
    bought = labelled(make_history(without, zone), cutoff, Definition("purchase", horizon, active))
    for i, row in enumerate(without):
        times = [t for t, _ in row["purchases"]]
        past = [t for t in times if t < cutoff]
        assert bool(bought.eligible[i]) == bool(past and max(past) >= cutoff - active * DAY)
        assert bool(bought.churned[i]) == (not any(cutoff <= t < end for t in times))


def test_given_labels_are_those_of_the_cutoffs_day() -> None:
    rows = [
        {"labels": [(T0, True)]},
        {"labels": [(T0 + 13 * 3_600_000_000, False)]},
        {"labels": [(T0 - 1, True), (T0 + DAY, True)]},
        {"labels": [(T0, True), (T0 + 1, False)]},  # the later one of the day holds
        {},
    ]
    found = labelled(make_history(rows), T0, Definition("given", 30))
    assert found.eligible.tolist() == [True, True, False, True, False]
    assert found.churned.tolist()[:2] == [True, False]
    assert not found.churned[3]
    assert eligible(make_history(rows).before(T0), Definition("given", 30)).all()


@settings(max_examples=100, deadline=None)
@given(lists=st.lists(terms(T0), min_size=1, max_size=3), other=terms(T0))
def test_a_view_knows_no_end_from_the_cutoff_on(
    lists: list[list[tuple[int, int | None]]], other: list[tuple[int, int | None]]
) -> None:
    """Ends at or after the cutoff read as null, later terms are not there: changing them changes nothing."""

    def shown(rows: list[list[tuple[int, int | None]]]) -> list[list[dict[str, Any]]]:
        view = make_history([{"subscriptions": sorted(r, key=lambda t: t[0])} for r in rows]).before(T0)
        terms_ = view.subscriptions
        ended = terms_.columns["ended_at"].to_pylist()
        return [
            [{"t": int(terms_.t[i]), "ended_at": ended[i]} for i in range(s, e)]
            for s, e in zip(terms_.starts.tolist(), terms_.ends.tolist(), strict=True)
        ]

    changed = [
        [(s, T0 + 99 * DAY if e is None or e >= T0 else e) for s, e in found if s < T0]
        + [(s, e) for s, e in other if s >= T0]
        for found in lists
    ]
    assert shown(lists) == shown(changed)
    for found in shown(lists):
        assert all(row["t"] < T0 for row in found)
