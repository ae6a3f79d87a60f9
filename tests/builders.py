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
        "customer_id": pa.array(
            [row.get("customer_id", f"c{i:05d}") for i, row in enumerate(rows)], pa.string()
        )
    }
    for name, struct in RAGGED.items():
        if any(name in row for row in rows):
            fields = [field.name for field in struct]
            lists = [
                [
                    dict(zip(fields, item, strict=False))
                    for item in sorted(row.get(name, ()), key=lambda r: r[0])
                ]
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
    return complete(pa.table(columns)).select(HISTORY.names).cast(HISTORY)


def make_history(rows: Sequence[Mapping[str, Any]], zone: str = "UTC") -> History:
    """A block of whole customers; see make_table."""
    return History(make_table(rows), zone)


# Days and times of day from small pools, so that ties and rows at the cutoff itself are common. Every row is
# decoded from one integer: drawing it field by field is what makes generated histories slow.
BASE = us("2021-11-07")  # New York's clock changes at 06:00 UTC
DAYS = [*range(-3, 4), *range(-3, 4), *range(-96, 41, 8), *range(-800, 401, 50), -365, -275, -90, -60, -30]
PARTS = [0, 1, 5 * HOUR, 6 * HOUR - 1, 6 * HOUR, 13 * HOUR, DAY - 1]
CENTS = [0, 1, 2, 3, 7, 30, 99, 1_000, 1_000, 2_995, 10_000, 999_999]
LATER = [0, 0, 1, DAY, 40 * DAY]
ZONES = st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"])


def _pick(code: int, pool: Sequence[Any]) -> tuple[int, Any]:
    return code // len(pool), pool[code % len(pool)]


def _instant(code: int) -> tuple[int, int]:
    code, part = _pick(code, PARTS)
    code, day = _pick(code, DAYS)
    return code, BASE + day * DAY + part


def _customer(codes: Sequence[int]) -> dict[str, Any]:
    row: dict[str, Any] = {"purchases": [], "refunds": [], "events": [], "feedback": []}
    refunds = []
    for first in codes:
        code, kind = _pick(first, ["buy"] * 5 + ["refund"] * 3 + ["event", "feedback", "sign up"])
        code, t = _instant(code)
        if kind == "buy":
            code, cents = _pick(code, CENTS)
            row["purchases"].append((t, cents / 100))
        elif kind == "refund":
            refunds.append((t, code))
        elif kind == "event":
            row["events"].append((t, "login"))
        elif kind == "feedback":
            code, resolved = _pick(code, [None, 0, 1, DAY, 40 * DAY])
            row["feedback"].append((t, "ticket", 3.0, None if resolved is None else t + resolved))
        else:
            row["signed_up_at"] = t
    row["purchases"].sort()
    for t, rest in refunds:
        code, exact = _pick(rest, [True, False])
        code, named = _pick(code, [None, "bought", "any"])
        code, cents = _pick(code, CENTS[1:])
        code, later = _pick(code, LATER)
        refund = (t, cents / 100, None)
        if row["purchases"]:
            bought_at, amount = _pick(code, row["purchases"])[1]
            if exact and amount > 0:  # an order's whole amount, at or soon after it
                refund = (bought_at + later, amount, bought_at if named else None)
            elif named == "bought":
                refund = (t, cents / 100, bought_at)
        if named == "any":
            refund = (*refund[:2], _instant(code)[1])
        row["refunds"].append(refund)
    for name in ("refunds", "events", "feedback"):
        row[name].sort(key=lambda r: r[:2])
    return row


CODES = st.integers(0, 2**48)
INSTANTS = st.integers(0, len(PARTS) * len(DAYS) - 1).map(lambda code: _instant(code)[1])


def customers() -> st.SearchStrategy[dict[str, Any]]:
    """One customer's row for make_table, amounts whole cents; often empty."""
    return st.lists(CODES, max_size=14).map(_customer)
