"""A run's Parquet parts as record batches in the store's types."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lifestage.errors import InputError

Progress = Callable[[int], None]


def checked(
    run: str, as_of: int, parts: Iterable[Path], columns: tuple[str, ...]
) -> Iterator[tuple[Path, pa.RecordBatch]]:
    """Each part's batches of `columns`, none empty. Raises InputError where a row is of another as_of."""
    for part in parts:
        for batch in _batches(part, columns):
            if not pc.all(pc.equal(pc.cast(batch["as_of"], pa.int64()), as_of)).as_py():
                raise InputError(f"{part}: column 'as_of' differs from run {run}'s; score the run again")
            yield part, batch


def nothing(run: str) -> InputError:
    return InputError(f"run {run}: has no scores to publish; run python -m training.score again")


def twice(run: str) -> InputError:
    return InputError(f"run {run}: holds a customer_id twice; score it again")


def _batches(part: Path, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    try:
        with pq.ParquetFile(part) as file:
            missing = [name for name in columns if name not in file.schema_arrow.names]
            if missing:
                raise InputError(f"{part}: has no column '{missing[0]}', so it is no part of a run of scores")
            for batch in file.iter_batches(batch_size=65_536, columns=list(columns)):
                if batch.num_rows:
                    yield batch.select(list(columns))
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{part}: cannot be read as Parquet ({error}); score the run again") from error


def flat(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch in the types of the store: instants and flags as integers, nested columns as JSON text."""
    made: dict[str, pa.Array] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_timestamp(column.type) or pa.types.is_boolean(column.type):
            made[name] = pc.cast(column, pa.int64())
        elif pa.types.is_floating(column.type):
            made[name] = pc.if_else(pc.is_finite(column), column, None)  # SQLite has no NaN
        else:
            made[name] = _json_text(column) if pa.types.is_nested(column.type) else column
    return pa.RecordBatch.from_pydict(made)


def holding(batch: pa.RecordBatch) -> pa.Table:
    """One row per customer and alert rule that holds."""
    column = batch["alerts"]
    ids = batch["customer_id"].take(pc.list_parent_indices(column))
    return pa.table({"customer_id": ids, "alert": pc.list_flatten(column)})


def _json_text(array: pa.Array) -> pa.Array:
    """JSON text of each value, null for a null one: lists and structs of text, whole columns at a time."""
    if pa.types.is_list(array.type):
        starts = pa.array(array.offsets.to_numpy() - array.offsets[0].as_py(), pa.int32())
        items = pc.fill_null(_json_text(array.flatten()), "null")
        if array.null_count:
            items_of = pa.ListArray.from_arrays(starts, items, mask=pc.is_null(array))
        else:
            items_of = pa.ListArray.from_arrays(starts, items)
        return pc.binary_join_element_wise("[", pc.binary_join(items_of, ","), "]", "")
    if pa.types.is_struct(array.type):
        pieces: list[Any] = []
        for i, field in enumerate(array.type):
            pieces += [f"{',' if i else '{'}{json.dumps(field.name)}:"]
            pieces += [pc.fill_null(_json_text(array.field(i)), "null")]
        text = pc.binary_join_element_wise(*pieces, "}", "")
        return pc.if_else(pc.is_valid(array), text, None) if array.null_count else text
    words = array.dictionary_encode()
    return _spelt(words.dictionary).take(words.indices)


def _spelt(words: pa.Array) -> pa.Array:
    """Each value as JSON: a text between quotation marks; the few with what must be escaped go through json."""
    if not pa.types.is_string(words.type):
        return pa.array([json.dumps(word) for word in words.to_pylist()], pa.string())
    plain = pc.binary_join_element_wise('"', words, '"', "")
    odd = pc.match_substring_regex(words, r'["\\\x00-\x1f]')
    if not pc.any(odd).as_py():
        return plain
    told = [json.dumps(word, ensure_ascii=False) for word in words.filter(odd).to_pylist()]
    return pc.replace_with_mask(plain, odd, pa.array(told, pa.string()))
