"""A history block from plain records: what a request or a notebook holds, with exactly intake's meaning.

Flat lists go to Arrow column by column; nothing is computed row by row that NumPy can do at once.
"""

from collections.abc import Mapping
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from lifestage.history import History
from lifestage.ragged import Bools, Floats, Ints
from lifestage.record_lists import empty_lists, instants, list_column, ordered_texts, total_order
from lifestage.record_profile import attribute_columns, profile_columns
from lifestage.record_values import RecordError, Records, identifier, read_instants, read_numbers, text, texts
from lifestage.schemas import (
    ANSWER,
    EVENT,
    FEEDBACK_KINDS,
    HISTORY,
    INSTANT,
    LABEL,
    LARGEST_AMOUNT,
    PURCHASE,
    REFUND,
    TERM,
)

__all__ = ["RecordError", "history_from_records"]


def history_from_records(
    records: Records, zone: str, attributes: Mapping[str, pa.DataType] | None = None
) -> History:
    """One row per record, in the given order: the history block of schemas.HISTORY, then `attributes`.

    A record holds `customer_id` and optionally `purchases` (`ordered_at`, `amount`, `order_id`, `category`,
    `channel`, `discount`), `events` (`occurred_at`, `event_type`, `session_id`), `feedback` (`submitted_at`,
    `kind`, `score`, `resolved_at`), `subscriptions` (`started_at`, `ended_at`, `plan`, `monthly_price`), each a
    list of mappings in any order, `signed_up_at`, `acquisition_channel`, `acquisition_cost`, and `attributes`, a
    mapping of further profile columns, whose types the argument gives (text, double, bool). Times are ISO-8601
    text, datetimes or dates: naive ones are local in `zone`, dates local midnight. A negative amount is a refund:
    of the order whose `order_id` it names, unless that is later; else of none in particular.

    Raises RecordError (an InputError) that names customer, field and value.
    """
    ids = _customer_ids(records)
    purchases, refunds = _orders(records, zone)
    lists = {
        "purchases": purchases,
        "refunds": refunds,
        "events": _events(records, zone),
        "feedback": _feedback(records, zone),
        "subscriptions": _subscriptions(records, zone),
        "labels": empty_lists(len(records), LABEL),
    }
    columns = {"customer_id": pa.array(ids, pa.string()), **lists, **profile_columns(records, zone)}
    attributes = attributes or {}
    arrays = [*(columns[name] for name in HISTORY.names), *attribute_columns(records, attributes).values()]
    return History(pa.Table.from_arrays(arrays, schema=_schema(tuple(attributes.items()))), zone)


@lru_cache(maxsize=32)
def _schema(attributes: tuple[tuple[str, pa.DataType], ...]) -> pa.Schema:
    return pa.schema([*HISTORY, *(pa.field(name, kind) for name, kind in attributes)])


# --- the tables ---------------------------------------------------------------------------------------------


class _Rows:
    """The rows of one list field of all records, flat: `owner` is the record of each."""

    def __init__(self, records: Records, kind: str) -> None:
        self._records = records
        self._kind = kind
        given = [r.get(kind) or () for r in records]
        self.rows = list(chain.from_iterable(given))
        self.counts = np.fromiter(map(len, given), np.int64, len(given))
        self.owner = np.arange(len(given)).repeat(self.counts)
        self._fields = set().union(*self.rows)  # what no row gives is not looked for in each

    def fault(self, flat: int, field: str, fault: str) -> RecordError:
        record = int(self.owner[flat])
        row = flat - int(self.counts[:record].sum())
        return RecordError(self._records[record].get("customer_id"), (record, self._kind, row, field), fault)

    def values(self, field: str) -> list[Any]:
        try:
            return list(map(itemgetter(field), self.rows))
        except KeyError:  # some row does not give it
            return [row.get(field) for row in self.rows]

    def _absent(self, kind: type[np.generic]) -> tuple[Any, Bools]:
        return np.zeros(len(self.rows), kind), np.zeros(len(self.rows), np.bool_)

    def texts(self, field: str, *, required: bool = False) -> list[str | None]:
        if field not in self._fields and not required:
            return [None] * len(self.rows)
        found = texts(self.values(field), identifier if field.endswith("_id") else text)
        if required and None in found:
            raise self.fault(found.index(None), field, "is missing; give a text")
        return found

    def instants(self, field: str, zone: str, *, required: bool = True) -> tuple[Ints, Bools]:
        if field not in self._fields and not required:
            return self._absent(np.int64)
        return read_instants(
            self.values(field), zone, lambda flat, fault: self.fault(flat, field, fault), required=required
        )

    def numbers(self, field: str, *, required: bool = True) -> tuple[Floats, Bools]:
        if field not in self._fields and not required:
            return self._absent(np.float64)
        return read_numbers(
            self.values(field), lambda flat, fault: self.fault(flat, field, fault), required=required
        )


def _customer_ids(records: Records) -> list[str]:
    values = [record.get("customer_id") for record in records]
    ids = [name or "" for name in texts(values, identifier)]
    if "" in ids:
        i = ids.index("")
        raise RecordError(values[i], (i, "customer_id"), "is missing; give the customer's id as text")
    if len(set(ids)) < len(ids):
        seen: set[str] = set()
        for i, name in enumerate(ids):
            if name in seen:
                raise RecordError(
                    name, (i, "customer_id"), "stands twice in one request; give all rows in one record"
                )
            seen.add(name)
    return ids


def _orders(records: Records, zone: str) -> tuple[pa.Array, pa.Array]:
    """The list columns `purchases` and `refunds`."""
    rows = _Rows(records, "purchases")
    if not rows.rows:
        return empty_lists(len(records), PURCHASE), empty_lists(len(records), REFUND)
    t, _ = rows.instants("ordered_at", zone)
    amount, _ = rows.numbers("amount")
    amount = amount + 0.0  # no negative zero
    size = np.abs(amount)
    if (size > LARGEST_AMOUNT).any():
        large = np.flatnonzero(size > LARGEST_AMOUNT)
        raise rows.fault(
            int(large[0]), "amount", f"is {amount[large[0]]}; expected at most {LARGEST_AMOUNT:.0e}"
        )
    ids = rows.texts("order_id")
    bought = amount >= 0
    categories, channels = rows.texts("category"), rows.texts("channel")
    discount, granted = rows.numbers("discount", required=False)
    if len(negative := np.flatnonzero(bought & (discount < 0))):
        i = int(negative[0])
        raise rows.fault(i, "discount", f"is {discount[i]}; expected 0 or more")
    discount = discount + 0.0
    unknown = np.where(granted, discount, np.inf)
    order = total_order(rows.owner, t, ids, size, categories, channels, unknown)
    kept, back = order[bought[order]], order[~bought[order]]
    order_at = _named_orders(rows, t, ids, bought, back)
    n = len(records)
    return (
        list_column(
            n,
            rows.owner[kept],
            PURCHASE,
            t=instants(t[kept]),
            amount=pa.array(amount[kept]),
            category=ordered_texts(categories, kept),
            channel=ordered_texts(channels, kept),
            discount=pa.array(discount[kept], mask=~granted[kept]),
        ),
        list_column(
            n,
            rows.owner[back],
            REFUND,
            t=instants(t[back]),
            amount=pa.array(-amount[back]),
            order_at=order_at,
        ),
    )


def _named_orders(rows: "_Rows", t: Ints, ids: list[str | None], bought: Bools, back: Ints) -> pa.Array:
    """Instant of the purchase that each refund (flat rows `back`) names; null: later, or unknown."""
    if not any(ids):
        return pa.nulls(len(back), INSTANT)
    if not len(back):
        _refuse_twice(rows, ids)
        return pa.nulls(0, INSTANT)
    bought_ids = [name if is_bought else None for name, is_bought in zip(ids, bought.tolist(), strict=True)]
    _refuse_twice(rows, bought_ids)
    keys = zip(rows.owner.tolist(), bought_ids, strict=True)
    instant_of = {key: at for key, at in zip(keys, t.tolist(), strict=True) if key[1] is not None}
    found = []
    for i in back.tolist():
        at = instant_of.get((int(rows.owner[i]), ids[i]))
        found.append(at if at is not None and at <= t[i] else None)
    return pa.array(found, pa.int64()).view(INSTANT)


def _refuse_twice(rows: "_Rows", bought_ids: list[str | None]) -> None:
    """Raises RecordError where two purchases of a customer (None: no purchase, or without an id) have one id."""
    distinct = set(bought_ids)
    distinct.discard(None)
    if len(distinct) == len(bought_ids) - bought_ids.count(None):
        return  # nobody's stands twice, of whichever customer: no need to tell theirs apart
    seen: set[tuple[int, str]] = set()
    for i, (owner, name) in enumerate(zip(rows.owner.tolist(), bought_ids, strict=True)):
        if name is None:
            continue
        if (owner, name) in seen:
            raise rows.fault(i, "order_id", f"'{name}' names two purchases; give each order once")
        seen.add((owner, name))


def _events(records: Records, zone: str) -> pa.Array:
    rows = _Rows(records, "events")
    if not rows.rows:
        return empty_lists(len(records), EVENT)
    t, _ = rows.instants("occurred_at", zone)
    kinds, sessions = rows.texts("event_type", required=True), rows.texts("session_id")
    order = total_order(rows.owner, t, kinds, sessions)
    return list_column(
        len(records),
        rows.owner[order],
        EVENT,
        t=instants(t[order]),
        event_type=ordered_texts(kinds, order),
        session_id=ordered_texts(sessions, order),
    )


def _feedback(records: Records, zone: str) -> pa.Array:
    rows = _Rows(records, "feedback")
    if not rows.rows:
        return empty_lists(len(records), ANSWER)
    t, _ = rows.instants("submitted_at", zone)
    kinds = [kind and kind.lower() for kind in rows.texts("kind", required=True)]
    for i, kind in enumerate(kinds):
        if kind not in FEEDBACK_KINDS:
            raise rows.fault(i, "kind", f"is '{kind}'; expected one of {', '.join(FEEDBACK_KINDS)}")
    score, scored = rows.numbers("score", required=False)
    resolved, closed = rows.instants("resolved_at", zone, required=False)
    last = np.where(closed, resolved, np.iinfo(np.int64).max)
    order = total_order(rows.owner, t, kinds, np.where(scored, score, np.inf), last)
    return list_column(
        len(records),
        rows.owner[order],
        ANSWER,
        t=instants(t[order]),
        kind=ordered_texts(kinds, order),
        score=pa.array(score[order], mask=~scored[order]),
        resolved_at=instants(resolved[order], closed[order]),
    )


def _subscriptions(records: Records, zone: str) -> pa.Array:
    rows = _Rows(records, "subscriptions")
    if not rows.rows:
        return empty_lists(len(records), TERM)
    t, _ = rows.instants("started_at", zone)
    ended, over = rows.instants("ended_at", zone, required=False)
    if len(wrong := np.flatnonzero(over & (ended < t))):
        raise rows.fault(int(wrong[0]), "ended_at", "is before started_at; expected a later time")
    plans = rows.texts("plan")
    price, priced = rows.numbers("monthly_price", required=False)
    last = np.where(over, ended, np.iinfo(np.int64).max)
    order = total_order(rows.owner, t, last, plans, np.where(priced, price, np.inf))
    return list_column(
        len(records),
        rows.owner[order],
        TERM,
        t=instants(t[order]),
        ended_at=instants(ended[order], over[order]),
        plan=ordered_texts(plans, order),
        monthly_price=pa.array(price[order], mask=~priced[order]),
    )
