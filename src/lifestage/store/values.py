"""Values as the store keeps them, given back as Python values and as JSON text."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

import pyarrow as pa
from pydantic_core import to_json

from lifestage.localtime import instant_text
from lifestage.schemas import INSTANT, SCORE

_KINDS = {field.name: field.type for field in SCORE}


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
    """`plain_row` as JSON text; nested columns come last, as they are stored, without reading them."""
    plan = _plan(names)
    values = list(row)
    for i in plan.instants:
        if values[i] is not None:
            values[i] = instant_text(values[i])
    for i in plan.flags:
        if values[i] is not None:
            values[i] = bool(values[i])
    text = to_json(dict(zip(plan.names, plan.flat(values), strict=True)), inf_nan_mode="null").decode()
    nested = [key + (values[i] or "null") for key, i in plan.nested]
    return f"{text[:-1]}{''.join(nested)}}}"


@dataclass(frozen=True, slots=True)
class _Plan:
    """Places of columns in a row, by what is to be done with them."""

    names: tuple[str, ...]
    flat: Callable[[Sequence[Any]], tuple[Any, ...]]
    """Their values."""
    instants: tuple[int, ...]
    flags: tuple[int, ...]
    nested: tuple[tuple[str, int], ...]


@lru_cache(maxsize=8)
def _plan(names: tuple[str, ...]) -> _Plan:
    kinds = [_KINDS.get(name) for name in names]
    nested = [i for i, kind in enumerate(kinds) if kind is not None and pa.types.is_nested(kind)]
    flat = [i for i in range(len(names)) if i not in nested]
    return _Plan(
        names=tuple(names[i] for i in flat),
        flat=itemgetter(*flat),
        instants=tuple(i for i, kind in enumerate(kinds) if kind == INSTANT),
        flags=tuple(i for i, kind in enumerate(kinds) if kind == pa.bool_()),
        nested=tuple((f',"{names[i]}":', i) for i in nested),
    )


def table(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.Table:
    """Rows as a table of `schema`."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)
