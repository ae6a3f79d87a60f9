"""What a run changes beside the current scores: the same statements in every kind of store."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from lifestage.lifecycle.alerts import Alert
from lifestage.store import alerts as alerting
from lifestage.store.tables import RUNS

# Only changes are kept: a row is written where the latest earlier stage is another one, or none is known.
_CHANGES = (
    "INSERT INTO stage_history SELECT customer_id, as_of, stage, stage_since FROM {scores} AS s"
    " WHERE stage IS NOT NULL AND stage <> coalesce((SELECT h.stage FROM stage_history AS h"
    " WHERE h.customer_id = s.customer_id AND h.as_of < s.as_of ORDER BY h.as_of DESC LIMIT 1), '')"
)


class Writer(Protocol):
    """A connection within a transaction, as SQLite's."""

    def execute(self, query: str, values: Sequence[Any] | dict[str, Any] = ..., /) -> Any: ...

    def executemany(self, query: str, values: Iterable[Sequence[Any]], /) -> Any: ...


def record(
    writer: Writer,
    run: str,
    as_of: int,
    alerts: Sequence[Alert],
    *,
    release: str,
    customers: int,
    current: bool,
    scores: str,
    holding: str,
) -> int:
    """Store the changes of stage and risk, the alerts and the run itself; number of alerts.

    `scores` and `holding` are the tables that hold the run. Repeating it changes nothing.
    """
    for table in RUNS:
        writer.execute(table)
    writer.execute("DELETE FROM stage_history WHERE as_of = ?", (as_of,))
    writer.execute(_CHANGES.format(scores=scores))
    told = alerting.record(writer, as_of, alerts, current=current, scores=scores, holding=holding)
    writer.execute("DELETE FROM runs WHERE run = ?", (run,))
    place = writer.execute("SELECT coalesce(max(published), 0) + 1 FROM runs").fetchone()[0]
    writer.execute(
        "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)",
        (run, as_of, release, customers, place, int(current)),
    )
    return told


def forget(writer: Writer, customer_id: str, tables: Sequence[str]) -> dict[str, int]:
    """Delete a customer's rows from `tables`, those that name one; number of rows removed by table.

    A message without its alerts goes too; the current run counts a customer less.
    """
    gone: dict[str, int] = {}
    bound: list[tuple[str, str]] = []
    if "message_alerts" in tables:
        bound = writer.execute(
            "SELECT DISTINCT destination, message FROM message_alerts WHERE customer_id = ?", (customer_id,)
        ).fetchall()
    for table in tables:
        gone[table] = writer.execute(f"DELETE FROM {table} WHERE customer_id = ?", (customer_id,)).rowcount
    if bound:
        gone["messages"] = 0
    for message in bound:
        left = writer.execute(
            "SELECT count(*) FROM message_alerts WHERE destination = ? AND message = ?", message
        ).fetchone()[0]
        where = " WHERE destination = ? AND message = ?"
        if left:
            writer.execute(f"UPDATE messages SET alerts = ?{where}", (left, *message))
        else:
            gone["messages"] += writer.execute(f"DELETE FROM messages{where}", message).rowcount
    if gone.get("scores"):
        writer.execute(
            "UPDATE runs SET customers = customers - 1 WHERE is_current = 1"
            " AND published = (SELECT max(published) FROM runs WHERE is_current = 1)"
        )
    return gone
