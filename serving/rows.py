"""Arrow columns as JSON: NULL as null, instants as ISO-8601 text in UTC, floats with all their bits."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic_core import to_json as dump

from lifestage.lifecycle.blocks import one_array
from lifestage.localtime import instant_text

FEW = 64
"""Up to so many different instants Python writes them faster than Arrow."""


def rows(table: pa.Table) -> list[dict[str, Any]]:
    """One dict per row."""
    names = table.schema.names
    columns = [_plain(column) for column in table.columns]
    return [dict(zip(names, values, strict=False)) for values in zip(*columns, strict=True)]


def _plain(chunked: pa.ChunkedArray) -> list[Any]:
    column = one_array(chunked)
    if not pa.types.is_timestamp(column.type):
        return list(column.to_pylist())
    instants = column.view(pa.int64()).to_pylist()
    if len(distinct := set(instants)) > FEW:
        return _texts(column)
    text = {t: instant_text(t) for t in distinct if t is not None}
    return [text.get(t) for t in instants]


def _texts(column: pa.Array) -> list[str | None]:
    """`instant_text` of each, by Arrow."""
    written = column.cast(pa.timestamp("us")).cast(pa.string())  # "1998-07-01 04:00:00.000000"
    written = pc.replace_substring(pc.replace_substring(written, " ", "T"), ".000000", "")
    return list(pc.binary_join_element_wise(written, "Z", "").to_pylist())


def to_json(answer: Mapping[str, Any]) -> bytes:
    """UTF-8; a float is written with the digits that read back to the same bits, what is not finite as null."""
    return dump(answer, inf_nan_mode="null")
