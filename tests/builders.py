"""Histories from plain Python, and Hypothesis strategies that make them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from lifestage.history import History, complete
from lifestage.schemas import HISTORY, INSTANT, RAGGED

HOUR = 3_600_000_000
DAY = 24 * HOUR
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def us(text: str) -> int:
    """UTC microseconds of an ISO time; one without an offset is UTC."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=EPOCH.tzinfo)
    return (moment - EPOCH) // timedelta(microseconds=1)


def make_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """schemas.HISTORY of dicts: `purchases` [(t, amount)], `refunds` [(t, amount, order_at)], `events`
    [(t, event_type, session_id)], `feedback` [(t, kind, score, resolved_at)], profile columns; t = UTC us.

    Absent keys are empty; a tuple may be shorter than its struct; lists are put in order of time.
    """
    columns: dict[str, pa.Array] = {
        "customer_id": pa.array([row.get("customer_id", f"c{i:05d}") for i, row in enumerate(rows)], pa.string())
    }
    for name, struct in RAGGED.items():
        if any(name in row for row in rows):
            fields = [field.name for field in struct]
            lists = [
                [dict(zip(fields, item, strict=False)) for item in sorted(row.get(name, ()), key=lambda r: r[0])]
                for row in rows
            ]
            # Arrow reads plain integers as instants only by way of int64.
            plain = pa.struct([(f.name, pa.int64() if f.type == INSTANT else f.type) for f in struct])
            columns[name] = pa.array(lists, pa.list_(plain)).cast(pa.list_(struct))
    for name in HISTORY.names:
        if name not in RAGGED and name != "customer_id" and any(name in row for row in rows):
            type_ = HISTORY.field(name).type
            values = pa.array([row.get(name) for row in rows], pa.int64() if type_ == INSTANT else type_)
            columns[name] = values.cast(type_)
    return complete(pa.table(columns)).select(HISTORY.names)


def make_history(rows: Sequence[Mapping[str, Any]], zone: str = "UTC") -> History:
    """A block of whole customers; see make_table."""
    return History(make_table(rows), zone)


# Days and times of day from small pools, so that ties and rows at the cutoff itself are common.
BASE = us("2021-11-07")
INSTANTS = st.builds(
    lambda day, part: BASE + day * DAY + part,
    st.one_of(st.integers(-3, 3), st.integers(-95, 40), st.integers(-800, 400)),
    st.sampled_from([0, 1, 5 * HOUR, 6 * HOUR - 1, 6 * HOUR, 13 * HOUR, DAY - 1]),
)
CENTS = st.one_of(st.just(0), st.integers(1, 30), st.integers(1, 1_000_000))
ZONES = st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"])


@st.composite
def customers(draw: st.DrawFn, instants: st.SearchStrategy[int] = INSTANTS) -> dict[str, Any]:
    """One customer's row for make_table, amounts whole cents; often empty."""
    if draw(st.integers(0, 3)) == 0:
        return {}
    bought = sorted(draw(st.lists(st.tuples(instants, CENTS.map(lambda c: c / 100)), max_size=8)))
    order = st.sampled_from([t for t, _ in bought]) if bought else instants
    refund = st.tuples(instants, st.integers(1, 2_000).map(lambda c: c / 100), st.one_of(st.none(), order, instants))
    whole = st.sampled_from(bought) if bought else None
    if whole is not None:  # refunds of exactly an order's amount, at or soon after it
        exact = st.builds(
            lambda b, later, named: (b[0] + later, b[1], b[0] if named else None),
            whole.filter(lambda b: b[1] > 0),
            st.sampled_from([0, 1, DAY, 40 * DAY]),
            st.booleans(),
        )
        if any(amount > 0 for _, amount in bought):
            refund = st.one_of(refund, exact)
    row: dict[str, Any] = {"purchases": bought}
    row["refunds"] = sorted(draw(st.lists(refund, max_size=4)), key=lambda r: (r[0], r[1]))
    row["events"] = sorted(draw(st.lists(st.tuples(instants, st.sampled_from(["login", "view"])), max_size=3)))
    resolved = st.one_of(st.none(), instants)
    row["feedback"] = draw(
        st.lists(st.tuples(instants, st.just("ticket"), st.just(3.0), resolved), max_size=3)
    )
    row["feedback"].sort(key=lambda f: f[0])
    row["signed_up_at"] = draw(st.one_of(st.none(), instants))
    return row
