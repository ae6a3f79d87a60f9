"""A run's parts into a SQLite file of their own, by ADBC: streaming, in the store's types."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from lifestage.errors import InputError
from lifestage.schemas import INSTANT, SCORE
from lifestage.store.batches import Progress, checked, flat, holding, nothing, twice


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
    try:
        with adbc.connect(str(path), autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode = OFF")  # a half-written file is thrown away, not mended
            cursor.execute("PRAGMA synchronous = OFF")
            cursor.execute(create_scores(columns))
            cursor.execute("CREATE TABLE holding (customer_id TEXT NOT NULL, alert TEXT NOT NULL)")
            for _, batch in checked(run, as_of, parts, columns):
                try:
                    cursor.adbc_ingest("scores", flat(batch), mode="append")
                except adbc.Error as error:
                    if "UNIQUE" not in str(error):
                        raise
                    raise twice(run) from None
                if "alerts" in columns and len(held := holding(batch)):
                    cursor.adbc_ingest("holding", held, mode="append")
                release = release or str(batch["release"][0].as_py())
                rows += batch.num_rows
                if progress is not None:
                    progress(batch.num_rows)
    except adbc.Error as error:
        raise InputError(
            f"{path}: cannot be written; free some space on its disk, or check the rights there ({error})"
        ) from None
    if not rows:
        raise nothing(run)
    return rows, release


def kind_of(type_: pa.DataType) -> str:
    """SQLite's type for a column of the scores: instants and flags are integers, nested columns JSON text."""
    return {pa.bool_(): "INTEGER", pa.float64(): "REAL", INSTANT: "INTEGER"}.get(type_, "TEXT")


def create_scores(columns: tuple[str, ...]) -> str:
    typed = [f"{name} {kind_of(SCORE.field(name).type)}" for name in columns if name != "customer_id"]
    return f"CREATE TABLE scores (customer_id TEXT PRIMARY KEY NOT NULL, {', '.join(typed)})"


def remove(path: Path) -> None:
    for leftover in (path, *(path.with_name(path.name + end) for end in ("-journal", "-wal", "-shm"))):
        leftover.unlink(missing_ok=True)
