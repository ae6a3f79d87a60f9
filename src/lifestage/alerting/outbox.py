"""The outbox: which alert of the store went where, in which message.

Before anything is sent, alerts are bound into messages, and that is stored: whatever is killed when, a message that is
sent again holds the same alerts under the same id, so that a receiver knows it. A message is open until it is
delivered, or dead once it was refused or its attempts are used up. Each destination (webhook, parquet, csv) has its
own messages of every alert.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pyarrow as pa

from lifestage.localtime import instant_text
from lifestage.schemas import INSTANT
from lifestage.store import Store
from lifestage.store.alerts import COLUMNS
from lifestage.store.tables import ALERTS, OUTBOX

ALERT = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),  # of shop, customer, rule and entry: the same for ever
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("alert", pa.string(), nullable=False),
        pa.field("entered_at", INSTANT, nullable=False),  # as_of of the run that found the entry
        pa.field("label_en", pa.string(), nullable=False),
        pa.field("label_zh", pa.string(), nullable=False),
        ("stage", pa.string()),
        ("previous_stage", pa.string()),
        ("risk", pa.string()),
        ("tier", pa.string()),
        ("clv", pa.float64()),  # currency
        ("churn_probability", pa.float64()),
        ("reasons", pa.list_(pa.string())),
        ("action", pa.string()),
        ("policy", pa.string()),  # name, version and digest
        pa.field("release", pa.string(), nullable=False),
    ]
)
"""One row per alert, in the order of entry."""

_UNBOUND = (
    "SELECT a.entered_at, a.alert, a.customer_id FROM alerts AS a WHERE NOT EXISTS (SELECT 1 FROM message_alerts"
    " AS m WHERE m.destination = :destination AND m.customer_id = a.customer_id AND m.alert = a.alert"
    " AND m.entered_at = a.entered_at) ORDER BY a.entered_at, a.alert, a.customer_id"
)
_OF_STATE = (
    "SELECT message, entered_at, alerts, attempts, reason, settled_at FROM messages"
    " WHERE destination = :destination AND state = :state ORDER BY entered_at, place"
)
_OF_MESSAGE = (
    f"SELECT {', '.join(f'a.{c}' for c in COLUMNS)} FROM message_alerts AS m JOIN alerts AS a"
    " ON a.customer_id = m.customer_id AND a.alert = m.alert AND a.entered_at = m.entered_at"
    " WHERE m.destination = :destination AND m.message = :message"
    " ORDER BY a.entered_at, a.alert, a.customer_id"
)


@dataclass(frozen=True, slots=True)
class Message:
    """Some alerts that go to one destination together."""

    id: str
    entered_at: int
    """UTC microseconds of its newest alert."""
    alerts: int
    attempts: int = 0
    reason: str | None = None
    """Why it is dead."""
    settled_at: int | None = None


def alert_id(shop: str, customer_id: str, alert: str, entered_at: int) -> str:
    """One alert's own id, the same for ever: what a receiver tells repeated alerts by."""
    return f"alert_{_digest([shop, customer_id, alert, entered_at])}"


def bind(store: Store, shop: str, destination: str, batch: int | None) -> int:
    """Bind the alerts that no message to `destination` holds yet; number of alerts bound.

    Messages of at most `batch` alerts of one time of entry, in that order; None: all in one.
    """
    with store.writing() as writer:
        for table in (*ALERTS, *OUTBOX):
            writer.execute(table)
        keys = writer.execute(_UNBOUND, {"destination": destination}).fetchall()
        place = writer.execute(
            "SELECT coalesce(max(place), 0) FROM messages WHERE destination = ?", (destination,)
        ).fetchone()[0]
        for held in _batches(keys, batch):
            place += 1
            message = f"msg_{_digest([shop, held])}"
            writer.execute(
                "INSERT INTO messages VALUES (?, ?, ?, ?, ?, 'open', 0, NULL, NULL)",
                (destination, message, place, held[-1][0], len(held)),
            )
            writer.executemany(
                "INSERT INTO message_alerts VALUES (?, ?, ?, ?, ?)",
                [(destination, customer, alert, entered, message) for entered, alert, customer in held],
            )
    return len(keys)


def _batches(keys: list[tuple[int, str, str]], size: int | None) -> Iterator[list[tuple[int, str, str]]]:
    if size is None:
        yield from [keys] if keys else []
        return
    for _, group in groupby(keys, key=lambda key: key[0]):
        same = list(group)
        for start in range(0, len(same), size):
            yield same[start : start + size]


def messages(store: Store, destination: str, state: str) -> list[Message]:
    """The messages to a destination that are `open`, `delivered` or `dead`, in the order of entry."""
    return [Message(*row) for row in store.rows(_OF_STATE, {"destination": destination, "state": state})]


def alerts_of(store: Store, shop: str, destination: str, message: str) -> pa.Table:
    """One row per alert of a message: ALERT."""
    rows = store.rows(_OF_MESSAGE, {"destination": destination, "message": message})
    columns = dict(zip(COLUMNS, list(zip(*rows, strict=True)) or [()] * len(COLUMNS), strict=True))
    columns["id"] = tuple(alert_id(shop, *row[:3]) for row in rows)
    columns["reasons"] = tuple(None if text is None else json.loads(text) for text in columns["reasons"])
    return pa.table([pa.array(columns[field.name], field.type) for field in ALERT], schema=ALERT)


def settle(
    store: Store, destination: str, message: str, state: str, *, attempts: int, reason: str | None, at: int
) -> None:
    """Note what became of a message: `delivered`, or `dead` for a reason; `at` is in UTC microseconds."""
    with store.writing() as writer:
        writer.execute(
            "UPDATE messages SET state = ?, attempts = attempts + ?, reason = ?, settled_at = ?"
            " WHERE destination = ? AND message = ?",
            (state, attempts, reason, at, destination, message),
        )


def reopen(store: Store, destination: str) -> int:
    """Open the dead messages to a destination again; their number."""
    if not messages(store, destination, "dead"):
        return 0
    with store.writing() as writer:
        return writer.execute(
            "UPDATE messages SET state = 'open' WHERE destination = ? AND state = 'dead'", (destination,)
        ).rowcount


def payload(shop: str, entered_at: int, alerts: pa.Table) -> bytes:
    """Body of a webhook's message: the same bytes whenever it is sent. Instants as ISO-8601 text in UTC."""
    told = []
    for row in alerts.to_pylist():
        labels = {"en": row.pop("label_en"), "zh": row.pop("label_zh")}
        entered = row["entered_at"].isoformat().replace("+00:00", "Z")
        told.append({**row, "entered_at": entered, "labels": labels})
    document = {
        "type": "lifestage.alerts",
        "timestamp": instant_text(entered_at),
        "data": {"shop": shop, "alerts": told},
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def dead_letter_lines(store: Store, shop: str, destination: str) -> Iterator[str]:
    """One JSON line per dead message: id, when, attempts, why, and its alerts."""
    for message in messages(store, destination, "dead"):
        body = json.loads(payload(shop, message.entered_at, alerts_of(store, shop, destination, message.id)))
        line: dict[str, Any] = {
            "message": message.id,
            "destination": destination,
            "failed_at": instant_text(message.settled_at or 0),
            "attempts": message.attempts,
            "reason": message.reason,
            "alerts": body["data"]["alerts"],
        }
        yield json.dumps(line, ensure_ascii=False)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=True).encode()).hexdigest()[:32]
