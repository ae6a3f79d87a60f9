"""Parquet parts of a run into a SQLite file of their own, by ADBC: streaming, in the store's types."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lifestage.errors import InputError
from lifestage.schemas import INSTANT, SCORE

Progress = Callable[[int], None]


def load(
    path: Path,
    run: str,
    as_of: int,
    parts: Iterable[Path],
    columns: tuple[str, ...],
    *,
    progress: Progress | None = None,
) -> tuple[int, str]:
    """Load `columns` of the parts into table `scores` of a new file; number of rows and their release.

    Where `alerts` is one of them, table `holding` has a row for each customer and alert rule that holds.
    """
    try:
        import adbc_driver_sqlite.dbapi as adbc
    except ImportError:
        raise InputError("publishing scores needs adbc-driver-sqlite; install lifestage[train]") from None
    rows, release = 0, ""
    with adbc.connect(str(path), autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode = OFF")  # a half-written file is thrown away, not mended
        cursor.execute("PRAGMA synchronous = OFF")
        cursor.execute(create_scores(columns))
        cursor.execute("CREATE TABLE holding (customer_id TEXT NOT NULL, alert TEXT NOT NULL)")
        for part in parts:
            for batch in _batches(part, columns):
                if not pc.all(pc.equal(pc.cast(batch["as_of"], pa.int64()), as_of)).as_py():
                    raise InputError(f"{part}: column 'as_of' differs from run {run}'s; score the run again")
                try:
                    cursor.adbc_ingest("scores", _flat(batch), mode="append")
                except adbc.Error as error:
                    if "UNIQUE" not in str(error):
                        raise
                    raise InputError(
                        f"{part}: run {run} holds a customer_id twice; score it again"
                    ) from error
                if "alerts" in columns and len(holding := _holding(batch)):
                    cursor.adbc_ingest("holding", holding, mode="append")
                release = release or str(batch["release"][0].as_py())
                rows += batch.num_rows
                if progress is not None:
                    progress(batch.num_rows)
    if not rows:
        raise InputError(f"run {run}: has no scores to publish; run python -m training.score again")
    return rows, release


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


def create_scores(columns: tuple[str, ...]) -> str:
    kinds = {pa.bool_(): "INTEGER", pa.float64(): "REAL", INSTANT: "INTEGER"}
    typed = [
        f"{name} {kinds.get(SCORE.field(name).type, 'TEXT')}" for name in columns if name != "customer_id"
    ]
    return f"CREATE TABLE scores (customer_id TEXT PRIMARY KEY NOT NULL, {', '.join(typed)})"


def _flat(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch in the types of the store: instants and flags as integers, nested columns as JSON text."""
    flat: dict[str, pa.Array] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_timestamp(column.type) or pa.types.is_boolean(column.type):
            flat[name] = pc.cast(column, pa.int64())
        else:
            flat[name] = _json_text(column) if pa.types.is_nested(column.type) else column
    return pa.RecordBatch.from_pydict(flat)


def _holding(batch: pa.RecordBatch) -> pa.Table:
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
    spelt = pa.array([json.dumps(w, ensure_ascii=False) for w in words.dictionary.to_pylist()], pa.string())
    return spelt.take(words.indices)


def remove(path: Path) -> None:
    for leftover in (path, *(path.with_name(path.name + end) for end in ("-journal", "-wal", "-shm"))):
        leftover.unlink(missing_ok=True)
