"""Values as the store keeps them, given back as Python values and as JSON text."""

import json
import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

import pyarrow as pa

from lifestage.localtime import EPOCH
from lifestage.schemas import INSTANT, SCORE

_KINDS = {field.name: field.type for field in SCORE}


@lru_cache(maxsize=4096)
def instant_text(t: int) -> str:
    """ISO-8601 text in UTC of UTC microseconds."""
    return (EPOCH + timedelta(microseconds=t)).isoformat().replace("+00:00", "Z")


def plain(name: str, value: Any) -> Any:
    """A column's value as a JSON-able one: instants as ISO-8601 text in UTC, nested columns as lists."""
    kind = _KINDS.get(name)
    if value is None or kind is None:
        return value
    if kind == INSTANT:
        return instant_text(value)
    if pa.types.is_nested(kind):
        return json.loads(value)
    return bool(value) if kind == pa.bool_() else value


def plain_row(names: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    """A row as JSON-able values by column."""
    return {name: plain(name, value) for name, value in zip(names, row, strict=True)}


def json_row(names: tuple[str, ...], row: Sequence[Any]) -> str:
    """The JSON text of `plain_row`, compact; nested columns as they are stored, without reading them."""
    return f"{{{','.join([f(v) for f, v in zip(_writers(names), row, strict=True)])}}}"


@lru_cache(maxsize=8)
def _writers(names: tuple[str, ...]) -> tuple[Callable[[Any], str], ...]:
    return tuple(_writer(name) for name in names)


def _writer(name: str) -> Callable[[Any], str]:
    """A function that writes `"name":value`."""
    key, kind = f"{encode_basestring(name)}:", _KINDS.get(name)
    nothing = f"{key}null"
    if kind == INSTANT:
        return lambda v: nothing if v is None else f'{key}"{instant_text(v)}"'
    if kind == pa.bool_():
        return lambda v: nothing if v is None else f"{key}{'true' if v else 'false'}"
    if kind == pa.float64():
        return lambda v: f"{key}{v!r}" if v is not None and math.isfinite(v) else nothing
    if kind is not None and pa.types.is_nested(kind):
        return lambda v: nothing if v is None else key + v
    return lambda v: nothing if v is None else key + encode_basestring(v)


def table(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.Table:
    """Rows as a table of `schema`."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)
