"""Columns that only policies read of a history, against a plain loop over each customer's rows."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage.features import compute as features
from lifestage.lifecycle.columns import JOURNEY
from lifestage.lifecycle.journey import compute
from tests.builders import DAY, INSTANTS, full_customers, make_history

Row = dict[str, Any]


def of_core(times: list[int], cutoff: int, first_contact: float) -> Row:
    if not times:
        return {"core_event_count": 0.0, "days_since_core_event": None, "days_to_core_event": None}
    return {
        "core_event_count": float(len(times)),
        "days_since_core_event": (cutoff - max(times)) / DAY,
        "days_to_core_event": max(first_contact - (cutoff - min(times)) / DAY, 0.0),
    }


def of_terms(terms: list[tuple[int, int | None, str | None, float | None]], cutoff: int) -> Row:
    known = [
        (t, end if end is not None and end < cutoff else None, plan, price) for t, end, plan, price in terms
    ]
    known = [term for term in known if term[0] < cutoff]
    running = [t for t, end, *_ in known if end is None]
    ends = [end for _, end, *_ in known if end is not None]
    prices = [price for *_, price in known[-2:] if price is not None]
    return {
        "subscribed": bool(running),
        "term_count": float(len(known)),
        "days_in_term": (cutoff - running[-1]) / DAY if running else None,
        "days_since_term_end": (cutoff - max(ends)) / DAY if ends and not running else None,
        "plan": known[-1][2] if known else None,
        "monthly_price": known[-1][3] if known else None,
        "price_change": prices[1] - prices[0] if running and len(prices) == 2 else None,
    }


def rows_of(found: dict[str, Any]) -> list[Row]:
    assert list(found) == list(JOURNEY)
    assert all(column.type == JOURNEY[name].type for name, column in found.items())
    return [
        dict(zip(found, row, strict=True))
        for row in zip(*(c.to_pylist() for c in found.values()), strict=True)
    ]


TERMS = st.lists(
    st.tuples(
        INSTANTS,
        st.one_of(st.none(), st.integers(0, 90)),
        st.sampled_from([None, "basic", "pro"]),
        st.sampled_from([None, 5.0, 9.5]),
    ),
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(full_customers(), TERMS), min_size=1, max_size=5),
    cutoff=INSTANTS,
    kind=st.sampled_from(["view", "pay", "nobody did"]),
)
def test_against_a_plain_loop(rows: list[tuple[Row, list[Any]]], cutoff: int, kind: str) -> None:
    customers = []
    for customer, terms in rows:
        held = (
            sorted(
                (t, None if days is None else t + days * DAY, plan, price) for t, days, plan, price in terms
            )
            if (len({t for t, *_ in terms}) == len(terms))
            else []
        )
        customers.append({**customer, "subscriptions": held})
    history = make_history(customers)
    first = features(history.before(cutoff))["days_since_first_contact"]
    got = rows_of(compute(history.before(cutoff), kind, first))
    for row, customer, contact in zip(got, customers, first, strict=True):
        times = [t for t, type_, _ in customer["events"] if type_ == kind and t < cutoff]
        assert row == {**of_core(times, cutoff, contact), **of_terms(customer["subscriptions"], cutoff)}


def test_without_an_event_type_an_order_is_the_core_behaviour() -> None:
    cutoff = 100 * DAY
    history = make_history(
        [
            {"signed_up_at": 10 * DAY, "purchases": [(15 * DAY, 5.0), (40 * DAY, 5.0)]},
            {"purchases": [(20 * DAY, 5.0)], "refunds": [(21 * DAY, 5.0, 20 * DAY)]},
            {"signed_up_at": 10 * DAY, "purchases": [(100 * DAY, 5.0)]},
            {"purchases": [(50 * DAY, 5.0)]},
        ]
    )
    first = np.array([90.0, 80.0, 90.0, 50.0])
    got = rows_of(compute(history.before(cutoff), None, first))
    assert [row["core_event_count"] for row in got] == [2.0, 0.0, 0.0, 1.0]
    assert [row["days_to_core_event"] for row in got] == [5.0, None, None, 0.0]
    assert [row["days_since_core_event"] for row in got] == [60.0, None, None, 50.0]
