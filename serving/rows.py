"""Arrow columns as JSON: NULL as null, instants as ISO-8601 text in UTC, floats with all their bits."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pyarrow as pa
from pydantic_core import to_json as dump

from lifestage.localtime import EPOCH


def instant_text(t: int) -> str:
    """ISO-8601 in UTC, as the store writes it."""
    return (EPOCH + timedelta(microseconds=t)).isoformat().replace("+00:00", "Z")


def rows(table: pa.Table) -> list[dict[str, Any]]:
    """One dict per row."""
    columns = [_plain(table.column(name)) for name in table.schema.names]
    return [dict(zip(table.schema.names, values, strict=True)) for values in zip(*columns, strict=True)]


def _plain(column: pa.ChunkedArray) -> list[Any]:
    if not pa.types.is_timestamp(column.type):
        return list(column.to_pylist())
    instants = column.cast(pa.int64()).to_pylist()
    text = {t: instant_text(t) for t in set(instants) if t is not None}
    return [None if t is None else text[t] for t in instants]


def to_json(answer: Mapping[str, Any]) -> bytes:
    """UTF-8; a float is written with the digits that read back to the same bits, what is not finite as null."""
    return dump(answer, inf_nan_mode="null")
