"""Labels read [cutoff, end) and nothing else."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage.history import History
from lifestage.labels import bought_within, outcome
from tests.builders import DAY, INSTANTS, customers, make_history, us
from tests.features.oracle import occasions

T0 = us("2022-01-01")


def labels(history: History, cutoff: int, end: int) -> tuple[list[float], list[float], list[bool]]:
    result = outcome(history.window(cutoff, end))
    return result.orders.tolist(), result.spend.tolist(), result.churned.tolist()


def test_ties_at_the_cutoff_are_in_and_at_the_end_are_out() -> None:
    end = T0 + 90 * DAY
    history = make_history(
        [
            {"purchases": [(T0 - 1, 1.0)]},
            {"purchases": [(T0, 2.0)]},
            {"purchases": [(end - 1, 3.0)]},
            {"purchases": [(end, 4.0)]},
            {"purchases": [(T0, 5.0), (T0, 6.0), (end - 1, 7.0)]},
            {},
        ]
    )
    orders, spend, churned = labels(history, T0, end)
    assert orders == [0, 1, 1, 0, 3, 0]
    assert spend == [0, 2.0, 3.0, 0, 18.0, 0]
    assert churned == [True, False, False, True, False, True]


def test_an_order_refunded_by_the_windows_end_is_none() -> None:
    end = T0 + 90 * DAY
    bought = [(T0 + DAY, 10.0)]
    history = make_history(
        [
            {"purchases": bought, "refunds": [(end - 1, 10.0, None)]},
            {"purchases": bought, "refunds": [(end, 10.0, None)]},
            {"purchases": bought, "refunds": [(end - 1, 4.0, None)]},
            {"purchases": [(T0 - DAY, 10.0), *bought], "refunds": [(T0 + 2 * DAY, 10.0, T0 - DAY)]},
        ]
    )
    orders, spend, churned = labels(history, T0, end)
    assert orders == [0, 1, 1, 1]
    assert spend == [0, 10.0, 6.0, 10.0]
    assert churned == [True, False, False, False]


def test_bought_within_counts_back_from_the_cutoff() -> None:
    history = make_history(
        [
            {"purchases": [(T0 - 30 * DAY, 1.0)]},
            {"purchases": [(T0 - 30 * DAY - 1, 1.0)]},
            {"purchases": [(T0, 1.0)]},
            {},
            {"purchases": [(T0 - DAY, 1.0)], "refunds": [(T0 - 1, 1.0, None)]},
            {"purchases": [(T0 - DAY, 1.0)], "refunds": [(T0, 1.0, None)]},
        ]
    )
    assert bought_within(history.before(T0), 30).tolist() == [True, False, False, False, False, True]


@settings(max_examples=80, deadline=None)
@given(rows=st.lists(customers(), min_size=1, max_size=4), cutoff=INSTANTS, days=st.integers(1, 300))
def test_outcome_equals_plain_python(rows: list[dict[str, Any]], cutoff: int, days: int) -> None:
    end = cutoff + days * DAY
    orders, spend, churned = labels(make_history(rows), cutoff, end)
    for i, row in enumerate(rows):
        bought = [(t, round(a * 100)) for t, a in row.get("purchases", [])]
        back = [(t, round(a * 100), order) for t, a, order in row.get("refunds", [])]
        inside = [c for t, c in occasions(bought, back, end) if t >= cutoff]
        assert orders[i] == len(inside) and churned[i] == (not inside)
        assert spend[i] == pytest.approx(sum(inside) / 100, abs=1e-7)


@settings(max_examples=80, deadline=None)
@given(rows=st.lists(customers(), min_size=1, max_size=4), cutoff=INSTANTS, days=st.integers(1, 300))
def test_rows_outside_the_window_do_not_matter(rows: list[dict[str, Any]], cutoff: int, days: int) -> None:
    end = cutoff + days * DAY
    inside = [
        {name: [r for r in row.get(name, []) if cutoff <= r[0] < end] for name in ("purchases", "refunds")}
        for row in rows
    ]
    got = labels(make_history(rows), cutoff, end)
    assert got == labels(make_history(inside), cutoff, end)
