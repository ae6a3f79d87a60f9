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


ATTRIBUTES = {"city": pa.string(), "age": pa.float64(), "vip": pa.bool_()}
"""Further profile columns that a row may have."""


def us(text: str) -> int:
    """UTC microseconds of an ISO time; one without an offset is UTC."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=EPOCH.tzinfo)
    return (moment - EPOCH) // timedelta(microseconds=1)


def make_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """schemas.HISTORY of dicts: `purchases` [(t, amount, category, channel, discount)], `refunds`
    [(t, amount, order_at)], `events` [(t, event_type, session_id)], `feedback` [(t, kind, score, resolved_at)],
    profile columns, ATTRIBUTES; t = UTC us.

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
    table = complete(pa.table(columns)).select(HISTORY.names).cast(HISTORY)
    for name, type_ in ATTRIBUTES.items():
        if any(name in row for row in rows):
            table = table.append_column(name, pa.array([row.get(name) for row in rows], type_))
    return table


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


CATEGORIES = [None, "书", "books", "art", "toys", "books"]
TYPES = ["view", "view", "cart", "pay", "view", "Add to list!", "never learnt"]
KINDS = ["nps", "csat", "review", "ticket", "complaint", "ticket"]


def _full(drawn: tuple[dict[str, Any], int, int]) -> dict[str, Any]:
    """A row with more events, every kind of feedback, what orders may carry, and attributes."""
    row, code, more = drawn
    row = dict(row)
    purchases = []
    for t, amount in row["purchases"]:
        code, category = _pick(code * 7 + 3, CATEGORIES)
        code, channel = _pick(code * 5 + 1, [None, "web", "app"])
        code, cents = _pick(code * 11 + 2, [None, 0, 0, 50, 199])
        purchases.append((t, amount, category, channel, None if cents is None else cents / 100))
    feedback = []
    for t, _, _, resolved in row["feedback"]:
        code, kind = _pick(code * 7 + 1, KINDS)
        code, score = _pick(code * 13 + 5, [None, 0.0, 3.0, 6.0, 7.0, 10.0])
        feedback.append((t, kind, score, resolved))
    events = []
    times = [t for t, *_ in row["events"]] + [t for t, *_ in feedback]
    for _ in range(more % 8):
        code, t = _instant((code + 1) * 1_000_003 % 2**45)
        times += [t, t + 29 * 60_000_000, t + 61 * 60_000_000][: 1 + more % 3]
    for t in sorted(times):
        code, kind = _pick(code * 17 + 7, TYPES)
        code, session = _pick(code * 7 + 1, [None, None, "s1", "s2", "s3"])
        events.append((t, kind, session))
        code %= 2**40
    row |= {"purchases": purchases, "feedback": feedback, "events": sorted(events, key=lambda e: e[0])}
    for name, pool in (
        ("acquisition_channel", [None, "ads", "search", "unseen"]),
        ("acquisition_cost", [None, 0.0, 12.5]),
        ("city", [None, "Köln", "Rome", "Atlantis"]),
        ("age", [None, 18.0, 44.5]),
        ("vip", [None, True, False]),
    ):
        code, value = _pick(code * 3 + 1, pool)
        row[name] = value
        code %= 2**40
    return row


def full_customers() -> st.SearchStrategy[dict[str, Any]]:
    """One customer's row with rows of every kind for every feature family."""
    return st.tuples(customers(), st.integers(0, 2**40), st.integers(0, 2**16)).map(_full)
