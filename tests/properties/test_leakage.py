"""No row at or after the cutoff, changed, put in or taken out, changes anything known before it."""

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage.clv.summary import summarise
from lifestage.features import compute
from lifestage.history import Before, History
from lifestage.labels import bought_within
from lifestage.localtime import local_days
from lifestage.ragged import Ragged
from tests.builders import ATTRIBUTES, DAY, INSTANTS, ZONES, full_customers, make_history
from tests.features.families import SPEC

LISTS = ("purchases", "refunds", "events", "feedback")


def everything(view: Before) -> dict[str, Any]:
    """All that models may see of a view, bit for bit."""
    bought = view.purchases
    today = int(local_days(np.array([view.cutoff]), view.zone)[0])
    summary = summarise(bought.starts, bought.ends, bought.day, bought.amount, today)
    seen: dict[str, Any] = {name: values.tobytes() for name, values in compute(view, SPEC).items()}
    for name in ("frequency", "recency", "T", "monetary_value", "has_purchase"):
        seen[f"summary.{name}"] = getattr(summary, name).tobytes()
    for name, values in compute(view.alone(), SPEC).items():
        assert values.tobytes() == seen[name], name  # a copy without any later row gives the same
    seen["eligible"] = bought_within(view, 365).tobytes()
    for kind in ("refunds", "events", "feedback"):
        seen[kind] = contents(getattr(view, kind), drop="order_at")
    return seen


def contents(rows: Ragged, drop: str) -> list[list[Any]]:
    columns = [
        c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c
        for n, c in rows.columns.items()
        if n != drop
    ]
    bounds = zip(rows.starts.tolist(), rows.ends.tolist(), strict=True)
    return [[rows.t[s:e].tolist(), *(c[s:e].to_pylist() for c in columns)] for s, e in bounds]


def future(row: dict[str, Any], cutoff: int, other: dict[str, Any]) -> dict[str, Any]:
    """`row` before the cutoff, `other` from the cutoff on, and any later instant inside a row moved."""
    mixed: dict[str, Any] = {}
    for name in LISTS:
        before = [list(r) for r in row.get(name, []) if r[0] < cutoff]
        for r in before:
            # a named order or a resolution that lies in the future is not known yet
            if name in ("refunds", "feedback") and r[-1] is not None and r[-1] >= cutoff:
                r[-1] = other.get("moved")
        mixed[name] = [*map(tuple, before), *(r for r in other.get(name, []) if r[0] >= cutoff)]
    signed_up = row.get("signed_up_at")
    if signed_up is None or signed_up >= cutoff:
        signed_up = other.get("moved")
    mixed["signed_up_at"] = signed_up
    for name in ("acquisition_channel", "acquisition_cost", *ATTRIBUTES):  # taken as given
        if name in row:
            mixed[name] = row[name]
    return mixed


@settings(max_examples=100, deadline=None)
@given(
    pairs=st.lists(st.tuples(full_customers(), full_customers()), min_size=1, max_size=4),
    cutoff=INSTANTS,
    moved=st.one_of(st.none(), st.integers(0, 500)),
    zone=ZONES,
)
def test_rows_from_the_cutoff_on_change_nothing(
    pairs: list[tuple[dict[str, Any], dict[str, Any]]], cutoff: int, moved: int | None, zone: str
) -> None:
    later = None if moved is None else cutoff + moved * DAY
    one = [row for row, _ in pairs]
    two = [future(row, cutoff, {**other, "moved": later}) for row, other in pairs]
    assert everything(make_history(one, zone).before(cutoff)) == everything(
        make_history(two, zone).before(cutoff)
    )


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(full_customers(), min_size=1, max_size=4), cutoff=INSTANTS, zone=ZONES)
def test_deleting_every_later_row_changes_nothing(rows: list[dict[str, Any]], cutoff: int, zone: str) -> None:
    deleted = [future(row, cutoff, {}) for row in rows]
    assert everything(make_history(rows, zone).before(cutoff)) == everything(
        make_history(deleted, zone).before(cutoff)
    )


@settings(max_examples=50, deadline=None)
@given(row=full_customers(), cutoffs=st.lists(INSTANTS, min_size=2, max_size=4), zone=ZONES)
def test_views_of_one_history_do_not_disturb_each_other(
    row: dict[str, Any], cutoffs: list[int], zone: str
) -> None:
    shared: History = make_history([row], zone)
    for cutoff in cutoffs:
        assert everything(shared.before(cutoff)) == everything(make_history([row], zone).before(cutoff))
