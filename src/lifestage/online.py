"""A history block from plain records: what a request or a notebook holds, with exactly intake's meaning.

Flat lists go to Arrow column by column; nothing is computed row by row that NumPy can do at once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from lifestage.errors import InputError
from lifestage.history import History
from lifestage.ragged import Bools, Floats, Ints
from lifestage.record_values import Fault, read_instants, read_numbers, text
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

Records = Sequence[Mapping[str, Any]]
Path = tuple[str | int, ...]

"""Beyond it no order is real, as in intake."""


class RecordError(InputError):
    """A record at fault: `path` leads to the value, from the list of records on."""

    def __init__(self, customer: Any, path: Path, fault: str) -> None:
        self.path = path
        super().__init__(f"customer '{customer}': {_shown(path[1:])} {fault}")


def _shown(path: Path) -> str:
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")


def history_from_records(records: Records, zone: str) -> History:
    """One row per record, in the given order: the history block of schemas.HISTORY.

    A record holds `customer_id` and optionally `purchases` (`ordered_at`, `amount`, `order_id`), `events`
    (`occurred_at`, `event_type`, `session_id`), `feedback` (`submitted_at`, `kind`, `score`, `resolved_at`),
    `subscriptions` (`started_at`, `ended_at`, `plan`, `monthly_price`), each a list of mappings in any order,
    and `signed_up_at`, `acquisition_channel`, `acquisition_cost`. Times
    are ISO-8601 text, datetimes or dates: naive ones are local in `zone`, dates local midnight. A negative
    amount is a refund: of the order whose `order_id` it names, unless that is later; else of none in particular.

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
        "labels": pa.array([[]] * len(records), pa.list_(LABEL)),
    }
    columns = {"customer_id": pa.array(ids, pa.string()), **lists, **_profile(records, zone)}
    return History(pa.table([columns[name] for name in HISTORY.names], schema=HISTORY), zone)


# --- the tables ---------------------------------------------------------------------------------------------


class _Rows:
    """The rows of one list field of all records, flat: `owner` is the record of each."""

    def __init__(self, records: Records, kind: str) -> None:
        self._records = records
        self._kind = kind
        given = [r.get(kind) or () for r in records]
        self.rows = [row for rows in given for row in rows]
        self.counts = np.fromiter((len(rows) for rows in given), np.int64, len(given))
        self.owner = np.repeat(np.arange(len(given)), self.counts)

    def fault(self, flat: int, field: str, fault: str) -> RecordError:
        record = int(self.owner[flat])
        row = flat - int(self.counts[:record].sum())
        return RecordError(self._records[record].get("customer_id"), (record, self._kind, row, field), fault)

    def values(self, field: str) -> list[Any]:
        return [row.get(field) for row in self.rows]

    def texts(self, field: str, *, required: bool = False) -> list[str | None]:
        texts = [text(value) for value in self.values(field)]
        if required and None in texts:
            raise self.fault(texts.index(None), field, "is missing; give a text")
        return texts

    def instants(self, field: str, zone: str, *, required: bool = True) -> tuple[Ints, Bools]:
        return read_instants(
            self.values(field), zone, lambda flat, fault: self.fault(flat, field, fault), required=required
        )

    def numbers(self, field: str, *, required: bool = True) -> tuple[Floats, Bools]:
        return read_numbers(
            self.values(field), lambda flat, fault: self.fault(flat, field, fault), required=required
        )


def _customer_ids(records: Records) -> list[str]:
    seen: set[str] = set()
    ids = []
    for i, record in enumerate(records):
        value = record.get("customer_id")
        name = text(value)
        if name is None:
            raise RecordError(value, (i, "customer_id"), "is missing; give the customer's id as text")
        if name in seen:
            raise RecordError(
                name, (i, "customer_id"), "stands twice in one request; give all rows in one record"
            )
        seen.add(name)
        ids.append(name)
    return ids


def _orders(records: Records, zone: str) -> tuple[pa.Array, pa.Array]:
    """The list columns `purchases` and `refunds`."""
    rows = _Rows(records, "purchases")
    t, _ = rows.instants("ordered_at", zone)
    amount, _ = rows.numbers("amount")
    amount = amount + 0.0  # no negative zero
    if len(large := np.flatnonzero(np.abs(amount) > LARGEST_AMOUNT)):
        raise rows.fault(
            int(large[0]), "amount", f"is {amount[large[0]]}; expected at most {LARGEST_AMOUNT:.0e}"
        )
    ids = rows.texts("order_id")
    bought = amount >= 0
    order = _total_order(rows.owner, t, ids, np.abs(amount))
    kept, back = order[bought[order]], order[~bought[order]]
    order_at = _named_orders(rows, t, ids, bought, back)
    n = len(records)
    return (
        _list_column(n, rows.owner[kept], PURCHASE, t=_instants(t[kept]), amount=pa.array(amount[kept])),
        _list_column(
            n,
            rows.owner[back],
            REFUND,
            t=_instants(t[back]),
            amount=pa.array(-amount[back]),
            order_at=order_at,
        ),
    )


def _named_orders(rows: "_Rows", t: Ints, ids: list[str | None], bought: Bools, back: Ints) -> pa.Array:
    """Instant of the purchase that each refund (flat rows `back`) names; null: later, or unknown."""
    bought_ids = [name if is_bought else None for name, is_bought in zip(ids, bought.tolist(), strict=True)]
    named = [
        key for key in zip(rows.owner.tolist(), bought_ids, t.tolist(), strict=True) if key[1] is not None
    ]
    instant_of = {(owner, name): at for owner, name, at in named}
    if len(instant_of) < len(named):
        seen: set[tuple[int, str]] = set()
        for i, key in enumerate(zip(rows.owner.tolist(), bought_ids, strict=True)):
            if key in seen:
                raise rows.fault(i, "order_id", f"'{key[1]}' names two purchases; give each order once")
            if key[1] is not None:
                seen.add((key[0], key[1]))
    found = []
    for i in back.tolist():
        at = instant_of.get((int(rows.owner[i]), ids[i] or ""))
        found.append(at if at is not None and at <= t[i] else None)
    return pa.array(found, pa.int64()).cast(INSTANT)


def _events(records: Records, zone: str) -> pa.Array:
    rows = _Rows(records, "events")
    t, _ = rows.instants("occurred_at", zone)
    kinds, sessions = rows.texts("event_type", required=True), rows.texts("session_id")
    order = _total_order(rows.owner, t, kinds, sessions)
    return _list_column(
        len(records),
        rows.owner[order],
        EVENT,
        t=_instants(t[order]),
        event_type=pa.array(kinds, pa.string()).take(pa.array(order)),
        session_id=pa.array(sessions, pa.string()).take(pa.array(order)),
    )


def _feedback(records: Records, zone: str) -> pa.Array:
    rows = _Rows(records, "feedback")
    t, _ = rows.instants("submitted_at", zone)
    kinds = [kind and kind.lower() for kind in rows.texts("kind", required=True)]
    for i, kind in enumerate(kinds):
        if kind not in FEEDBACK_KINDS:
            raise rows.fault(i, "kind", f"is '{kind}'; expected one of {', '.join(FEEDBACK_KINDS)}")
    score, scored = rows.numbers("score", required=False)
    resolved, closed = rows.instants("resolved_at", zone, required=False)
    last = np.where(closed, resolved, np.iinfo(np.int64).max)
    order = _total_order(rows.owner, t, kinds, np.where(scored, score, np.inf), last)
    return _list_column(
        len(records),
        rows.owner[order],
        ANSWER,
        t=_instants(t[order]),
        kind=pa.array(kinds, pa.string()).take(pa.array(order)),
        score=pa.array(score[order], mask=~scored[order]),
        resolved_at=_instants(resolved[order], closed[order]),
    )


def _subscriptions(records: Records, zone: str) -> pa.Array:
    rows = _Rows(records, "subscriptions")
    t, _ = rows.instants("started_at", zone)
    ended, over = rows.instants("ended_at", zone, required=False)
    if len(wrong := np.flatnonzero(over & (ended < t))):
        raise rows.fault(int(wrong[0]), "ended_at", "is before started_at; expected a later time")
    plans = rows.texts("plan")
    price, priced = rows.numbers("monthly_price", required=False)
    last = np.where(over, ended, np.iinfo(np.int64).max)
    order = _total_order(rows.owner, t, last, plans, np.where(priced, price, np.inf))
    return _list_column(
        len(records),
        rows.owner[order],
        TERM,
        t=_instants(t[order]),
        ended_at=_instants(ended[order], over[order]),
        plan=pa.array(plans, pa.string()).take(pa.array(order)),
        monthly_price=pa.array(price[order], mask=~priced[order]),
    )


def _profile(records: Records, zone: str) -> dict[str, pa.Array]:
    def fault(field: str) -> Fault:
        return lambda i, what: RecordError(records[i].get("customer_id"), (i, field), what)

    signed_up, known = read_instants(
        [r.get("signed_up_at") for r in records], zone, fault("signed_up_at"), required=False
    )
    cost, costed = read_numbers(
        [r.get("acquisition_cost") for r in records], fault("acquisition_cost"), required=False
    )
    if len(negative := np.flatnonzero(cost < 0)):
        i = int(negative[0])
        raise fault("acquisition_cost")(i, f"is {cost[i]}; expected 0 or more")
    return {
        "signed_up_at": _instants(signed_up, known),
        "acquisition_channel": pa.array([text(r.get("acquisition_channel")) for r in records], pa.string()),
        "acquisition_cost": pa.array(cost, mask=~costed),
    }


# --- order and layout ---------------------------------------------------------------------------------------


def _ranks(texts: Sequence[str | None]) -> Ints:
    """Ranks of texts by their UTF-8 bytes, absent ones last."""
    place = {name: i for i, name in enumerate(sorted({name for name in texts if name is not None}))}
    return np.array([len(place) if name is None else place[name] for name in texts], np.int64)


def _total_order(owner: Ints, t: Ints, *ties: Sequence[str | None] | Floats | Ints) -> Ints:
    """Flat rows by owner (they come so), then time, then the tie-breaking keys from the first to the last."""
    if np.all((owner[1:] > owner[:-1]) | (t[1:] > t[:-1])):
        return np.arange(len(t))
    order = np.lexsort((t, owner))
    same = (t[order][1:] == t[order][:-1]) & (owner[order][1:] == owner[order][:-1])
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    if len(tied):  # ties are rare: only they are ordered by text
        rows = order[tied]
        keys = [
            key[rows] if isinstance(key, np.ndarray) else _ranks([key[i] for i in rows.tolist()])
            for key in ties
        ]
        order[tied] = rows[np.lexsort((*reversed(keys), t[rows], owner[rows]))]
    return order


def _instants(t: Ints, known: Bools | None = None) -> pa.Array:
    return pa.array(t, pa.int64(), mask=None if known is None else ~known).cast(INSTANT)


def _list_column(n: int, owner: Ints, struct: pa.StructType, **children: pa.Array) -> pa.Array:
    """A list<struct> column of n customers from flat children ordered by owner."""
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=n))]).astype(np.int32)
    fields = [struct.field(i) for i in range(struct.num_fields)]
    values = pa.StructArray.from_arrays([children[f.name] for f in fields], fields=fields)
    return pa.ListArray.from_arrays(pa.array(offsets), values)
