"""A shop from rows written in the test: files in a temporary folder, the configuration, the opened intake."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifestage.intake import Intake, open_tables
from lifestage.settings import Shop, parse

LATE = 4_000_000_000_000_000  # 2096: nothing is in the future
COLUMNS = {
    "transactions": {
        "customer_id": "cust",
        "ordered_at": "at",
        "amount": "amount",
        "order_id": "oid",
        "category": "cat",
        "channel": "chan",
        "discount": "disc",
    },
    "events": {"customer_id": "cust", "occurred_at": "at", "event_type": "what", "session_id": "sess"},
    "feedback": {
        "customer_id": "cust",
        "submitted_at": "at",
        "kind": "kind",
        "score": "score",
        "resolved_at": "done",
    },
    "identities": {"alias": "alias", "customer_id": "cust"},
    "subscriptions": {
        "customer_id": "cust",
        "started_at": "at",
        "ended_at": "until",
        "monthly_price": "price",
    },
    "labels": {"customer_id": "cust", "churned": "left", "as_of": "at"},
    "customers": {"customer_id": "cust", "signed_up_at": "at", "acquisition_cost": "cost", "city": "city"},
}


MORE = ("category", "channel", "discount")
"""Of transactions: only mapped where rows have them, or a source maps them itself."""


class Builder:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, rows: list[dict[str, Any]], kind: str = "csv") -> str:
        path = self.folder / f"{name}.{kind}"
        if kind == "csv":
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        else:
            pq.write_table(pa.Table.from_pylist(rows), path)
        return path.as_posix()

    def shop(self, tables: dict[str, Any], **settings: Any) -> Shop:
        """`tables`: rows, or a whole source, of each table."""
        sources = {}
        for name, given in tables.items():
            if isinstance(given, dict):
                sources[name] = {
                    "columns": {k: v for k, v in COLUMNS[name].items() if k not in MORE},
                    **given,
                }
            else:
                present = {ours: theirs for ours, theirs in COLUMNS[name].items() if theirs in given[0]}
                sources[name] = {"path": self.write(name, given), "columns": present}
        document = {
            "shop": "test",
            "timezone": "America/New_York",
            "currency": "USD",
            "output_dir": (self.folder / "out").as_posix(),
            "intake": {"max_reject_share": 1},
            "sources": sources,
        }
        return parse({**document, **settings}, "test.yaml")

    def open(
        self, tables: dict[str, Any], *, extracted_at: int = LATE, as_of: int | None = None, **settings: Any
    ) -> Intake:
        return open_tables(self.shop(tables, **settings), extracted_at, as_of)


@pytest.fixture
def build(tmp_path: Path) -> Builder:
    return Builder(tmp_path)


def customers_of(intake: Intake, size: int = 1000) -> dict[str, dict[str, Any]]:
    """Every customer's row; instants as int64 microseconds."""
    found = {}
    for block in intake.blocks(size):
        for row in _plain(block).to_pylist():
            found[row["customer_id"]] = row
    return found


def _plain(block: pa.RecordBatch) -> pa.Table:
    def without_times(kind: pa.DataType) -> pa.DataType:
        if pa.types.is_list(kind):
            return pa.list_(without_times(kind.value_type))
        if pa.types.is_struct(kind):
            return pa.struct([(f.name, without_times(f.type)) for f in kind])
        return pa.int64() if pa.types.is_timestamp(kind) else kind

    schema = pa.schema([(f.name, without_times(f.type)) for f in block.schema])
    return pa.Table.from_batches([block]).cast(schema)


@pytest.fixture
def read() -> Callable[..., dict[str, dict[str, Any]]]:
    return customers_of


@pytest.fixture
def quarantined() -> Callable[[Intake | Path], list[tuple[str, str, str]]]:
    """(table, reason, row) of every quarantined row."""

    def rows(where: Any) -> list[tuple[str, str, str]]:
        path = where if isinstance(where, Path) else where.quarantine
        return [(r["table"], r["reason"], r["row"]) for r in pq.read_table(path).to_pylist()]

    return rows
