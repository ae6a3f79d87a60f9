"""Which purchase a refund takes back: worked examples, and an exact oracle in whole cents."""

from bisect import bisect_right
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage.history import History
from lifestage.refunds import FEW_REFUNDED, Links, first_above, link_refunds, net_amounts
from tests.builders import INSTANTS, customers, make_history
from tests.features.oracle import occasions, take_back

END = 10**18


def links(history: History) -> Links:
    return link_refunds(history.purchases, history.refunds)


def net(row: dict[str, Any], cutoff: int = END) -> list[float]:
    """What each purchase of one customer still holds at the cutoff; None where fully refunded."""
    history = make_history([row])
    gross = np.array([amount for _, amount in row["purchases"]], np.float64)
    amounts, kept = net_amounts(gross, links(history), cutoff)
    return [amount if keep else None for amount, keep in zip(amounts.tolist(), kept, strict=True)]


BOUGHT = [(10, 50.0), (20, 30.0), (30, 20.0)]


@pytest.mark.parametrize(
    ("refunds", "expected"),
    [
        ([(40, 5.0, None)], [50, 30, 15]),
        ([(40, 25.0, None)], [50, 25, None]),
        ([(40, 60.0, None)], [40, None, None]),
        ([(40, 500.0, None)], [None, None, None]),
        ([(25, 35.0, None)], [45, None, 20]),  # the purchase at 30 is later
        ([(30, 20.0, None)], [50, 30, None]),  # an equal instant counts as earlier
        ([(9, 5.0, None)], [50, 30, 20]),  # no earlier purchase
        ([(40, 30.0, 20)], [50, None, 20]),  # named
        ([(40, 45.0, 20)], [50, None, 20]),  # what exceeds the named order stays unlinked
        ([(40, 5.0, 15)], [50, 30, 20]),  # names an order that is not there
        ([(25, 5.0, 30)], [50, 25, 20]),  # names an order that is later: as if it named none
        ([(40, 10.0, 20), (41, 30.0, None)], [50, 10, None]),  # the named one first, by time
        ([(40, 20.0, None), (41, 20.0, 30)], [50, 30, None]),  # the named order holds nothing any more
        ([(40, 15.0, None), (40, 15.0, None)], [50, 20, None]),
        ([(40, 0.0, None)], [50, 30, 20]),
    ],
)
def test_refunds_take_back(
    refunds: list[tuple[int, float, int | None]], expected: list[float | None]
) -> None:
    assert net({"purchases": BOUGHT, "refunds": refunds}) == expected


def test_nets_are_as_of_the_cutoff() -> None:
    row = {"purchases": BOUGHT, "refunds": [(40, 20.0, None), (50, 10.0, None)]}
    assert net(row, 40) == [50, 30, 20]
    assert net(row, 41) == [50, 30, None]
    assert net(row, 50) == [50, 30, None]
    assert net(row, 51) == [50, 20, None]


def test_zero_amounts_are_purchases_and_take_nothing() -> None:
    assert net({"purchases": [(10, 5.0), (20, 0.0)], "refunds": [(30, 5.0, None)]}) == [None, 0.0]


def test_rounding_rests_count_as_fully_refunded() -> None:
    assert net(
        {"purchases": [(10, 0.3)], "refunds": [(20, 0.1, None), (21, 0.1, None), (22, 0.1, None)]}
    ) == [None]


def test_refunds_of_one_customer_never_reach_another() -> None:
    history = make_history(
        [{"purchases": [(10, 5.0)]}, {"refunds": [(20, 9.0, None)]}, {}, {"purchases": [(15, 7.0)]}]
    )
    assert len(links(history).t) == 0


@settings(max_examples=80, deadline=None)
@given(rows=st.lists(customers(), min_size=1, max_size=4), cutoff=INSTANTS)
def test_nets_equal_exact_plain_python(rows: list[dict[str, Any]], cutoff: int) -> None:
    history = make_history(rows)
    gross = np.array([a for row in rows for _, a in row.get("purchases", [])], np.float64)
    amounts, kept = net_amounts(gross, links(history), cutoff)
    expected: list[int] = []
    for row in rows:
        bought = [(t, round(a * 100)) for t, a in row.get("purchases", [])]
        back = [(t, round(a * 100), order) for t, a, order in row.get("refunds", [])]
        expected += take_back(bought, back, cutoff)
    assert amounts.tolist() == pytest.approx([c / 100 for c in expected], abs=1e-7)
    assert kept.tolist() == [c > 0 or g == 0 for c, g in zip(expected, gross, strict=True)]


AMOUNTS = st.sampled_from([0.0, 0.1, 0.3, 5.0, 20.0, 1e9 + 1.0, 2e9])
TIMES = st.integers(0, 4)
FEW_TIMES = st.fixed_dictionaries(
    {
        "purchases": st.lists(st.tuples(TIMES, AMOUNTS), max_size=6).map(
            lambda rows: sorted(rows, key=lambda r: r[0])
        ),
        "refunds": st.lists(st.tuples(TIMES, AMOUNTS, st.none() | TIMES), max_size=4).map(
            lambda rows: sorted(rows, key=lambda r: r[0])
        ),
    }
)
"""Customers whose refunds meet, name orders twice there, not there or later, or take more than there is."""


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.one_of(FEW_TIMES, customers()), min_size=1, max_size=5))
def test_a_large_block_is_linked_as_its_customers_one_by_one(rows: list[dict[str, Any]]) -> None:
    """All at once where refunds do not meet, one after the other where they do: the same pairs, the same bits."""
    rows = rows * (FEW_REFUNDED + 1)  # more than the loop alone takes
    together, low = links(make_history(rows)), 0
    t, purchase, amount = [], [], b""
    for row in rows:
        alone = links(make_history([row]))
        t += alone.t.tolist()
        purchase += (alone.purchase + low).tolist()
        amount += alone.amount.tobytes()
        low += len(row.get("purchases", []))
    assert together.t.tolist() == t
    assert together.purchase.tolist() == purchase
    assert together.amount.tobytes() == amount


@given(
    st.lists(st.lists(st.integers(-5, 9), max_size=9).map(sorted), min_size=1, max_size=6),
    st.integers(-6, 10),
)
def test_first_above_equals_bisect_of_each_segment(lists: list[list[int]], limit: int) -> None:
    values = np.array([v for part in lists for v in part], np.int64)
    ends = np.cumsum([len(part) for part in lists])
    starts = ends - [len(part) for part in lists]
    limits = limit + np.arange(len(lists)) % 3
    expected = [int(s) + bisect_right(part, int(x)) for part, s, x in zip(lists, starts, limits, strict=True)]
    assert first_above(values, starts, ends, limits).tolist() == expected


def test_a_block_of_refunds_without_purchases() -> None:
    assert len(links(make_history([{"refunds": [(20, 9.0, 10)]}] * 50)).t) == 0


@settings(max_examples=100, deadline=None)
@given(row=customers(), cutoff=INSTANTS)
def test_links_never_depend_on_later_rows(row: dict[str, Any], cutoff: int) -> None:
    """The links made before any instant are those of the rows before it alone."""
    earlier = {
        "purchases": [p for p in row.get("purchases", []) if p[0] < cutoff],
        "refunds": [r for r in row.get("refunds", []) if r[0] < cutoff],
    }
    whole, part = links(make_history([row])), links(make_history([earlier]))
    seen = whole.t < cutoff
    assert whole.t[seen].tolist() == part.t.tolist()
    assert whole.purchase[seen].tolist() == part.purchase.tolist()
    assert whole.amount[seen].tobytes() == part.amount.tobytes()


def test_a_long_history_of_refunds_links_each_purchase() -> None:
    n = 20_000
    row = {
        "purchases": [(10 * i, 2.0) for i in range(n)],
        "refunds": [(10 * i + 5, 1.0, None) for i in range(n)] + [(10 * n + i, 1.0, None) for i in range(n)],
    }
    made = links(make_history([row]))
    assert made.purchase.tolist() == [*range(n), *reversed(range(n))]
    assert occasions([(t, 200) for t, _ in row["purchases"][:3]], [], END) == [(0, 200), (10, 200), (20, 200)]
