"""Where a raw table lies: files, globs and packaged data sets, opened as one DuckDB relation each.

CSV is read as text only, so that a bad value is a matter for quarantine, not the end of the run.
"""

import csv
import gzip
import io
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from lifestage.datasets import cdnow
from lifestage.errors import InputError
from lifestage.intake.engine import DuckDB, quoted, text
from lifestage.settings import Source

DATASETS = {"cdnow": cdnow.load}


@dataclass(frozen=True)
class Raw:
    """A raw table, opened: the relation's name, where it came from, the DuckDB type of each column."""

    relation: str
    origin: str
    types: dict[str, str]
    stored: bool = True
    """Copied into the engine (CSV, data sets), not read where it lies (Parquet)."""
    malformed: tuple[tuple[str, str], ...] = ()
    """CSV lines that do not read as a row: what is wrong, the line. (On Spark they are rows of that fate.)"""
    filtered: int = 0
    """Rows that a database left out because they do not pass the filter."""


def open_source(engine: DuckDB, name: str, source: Source) -> Raw:
    """The raw table of a canonical table `name`. Raises InputError."""
    relation = f"raw_{name}"
    if source.dataset is not None:
        engine.copy(relation, DATASETS[source.dataset]())
        return Raw(relation, f"dataset {source.dataset}", engine.types(f"SELECT * FROM {relation}"))
    files, kind = files_of(name, str(source.path))
    if kind == "parquet":
        return _open_parquet(engine, relation, str(source.path), files)
    return _open_csv(engine, relation, source, files)


def files_of(name: str, path: str) -> tuple[list[Path], str]:
    """The files of a path or glob, and their kind, parquet or csv. Raises InputError."""
    files = _files(name, path)
    kinds = {_kind(name, file) for file in files}
    if len(kinds) > 1:
        raise InputError(f"{name}: '{path}' matches both CSV and Parquet files; name one kind only")
    return files, kinds.pop()


def _files(name: str, path: str) -> list[Path]:
    if Path(path).is_file():
        return [Path(path)]
    files = sorted(Path(p) for p in glob(path, recursive=True) if Path(p).is_file())
    if Path(path).is_dir():
        raise InputError(
            f"{name}: '{path}' is a directory; name its files, e.g. '{path.rstrip('/')}/*.parquet'"
        )
    if not files:
        where = f"the directory this runs in, {Path.cwd()}"
        raise InputError(
            f"{name}: no file '{path}' exists (looked from {where}); correct sources.{name}.path"
        )
    return files


def _kind(name: str, file: Path) -> str:
    lower = file.name.lower()
    if lower.endswith(".parquet"):
        return "parquet"
    if lower.endswith((".csv", ".csv.gz")):
        return "csv"
    raise InputError(f"{name}: '{file}' is not read; give a .csv, .csv.gz or .parquet file")


def _list(files: list[Path]) -> str:
    return "[" + ", ".join(text(file.as_posix()) for file in files) + "]"


def _open_parquet(engine: DuckDB, relation: str, origin: str, files: list[Path]) -> Raw:
    for file in files:
        try:
            pq.read_metadata(file)
        except (OSError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"'{file}' is not a readable Parquet file ({reason}); export it again") from None
    engine.view(relation, f"SELECT * FROM read_parquet({_list(files)}, union_by_name = true)")
    return Raw(relation, f"'{origin}'", engine.types(f"SELECT * FROM {relation}"), stored=False)


def layouts(files: list[Path], delimiter: str) -> dict[tuple[str, ...], list[Path]]:
    """CSV files by the names of their columns. Raises InputError."""
    found: dict[tuple[str, ...], list[Path]] = {}
    for file in files:
        found.setdefault(_header(file, delimiter), []).append(file)
    return found


def _header(file: Path, delimiter: str) -> tuple[str, ...]:
    """Names of a CSV file's columns, blank ones numbered and repeated ones told apart."""
    if len(delimiter) != 1:
        raise InputError(f"'{file}': delimiter {delimiter!r} must be one character, e.g. ',' or ';'")
    opener: Any = gzip.open if file.name.lower().endswith(".gz") else open
    try:
        with opener(file, "rb") as stream:
            # Only the first line is judged here; a bad byte further on is a matter of its own line.
            lines = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
            cells = next(csv.reader(lines, delimiter=delimiter), [])
            ",".join(cells).encode()
    except UnicodeEncodeError:
        raise InputError(f"'{file}' is not UTF-8 text; save it as 'CSV UTF-8'") from None
    except (OSError, EOFError, csv.Error) as error:
        raise InputError(f"'{file}' is not a readable CSV file ({error}); export it again") from None
    if not any(cell.strip() for cell in cells):
        raise InputError(f"'{file}' is empty; its first line must name the columns")
    if len(cells) == 1 and (other := next((d for d in ",;\t|" if d in cells[0]), None)):
        raise InputError(
            f"'{file}' has one column only, '{cells[0][:80]}', when split at {delimiter!r}; "
            f"set the source's 'delimiter', probably to {other!r}"
        )
    names: list[str] = []
    for position, cell in enumerate(cells, start=1):
        name = wanted = cell.strip() or f"column{position}"
        copies = 1
        while name.lower() in {n.lower() for n in names}:
            name, copies = f"{wanted}_{copies}", copies + 1
        names.append(name)
    return tuple(names)


def _open_csv(engine: DuckDB, relation: str, source: Source, files: list[Path]) -> Raw:
    """All columns as text, in a table: read once, so that every later step sees the same rows.

    Files of one glob may name their columns in different orders; one that lacks a column reads as empty there.
    """
    reads = []
    for names, group in layouts(files, source.delimiter).items():
        columns = ", ".join(f"{text(name)}: 'VARCHAR'" for name in names)
        reads.append(
            f"SELECT * FROM read_csv({_list(group)}, auto_detect = false, header = true, "
            f"delim = {text(source.delimiter)}, quote = '\"', escape = '\"', columns = {{{columns}}}, "
            f"store_rejects = true, rejects_limit = 0, "
            f"rejects_table = 'malformed_{relation}', rejects_scan = 'scan_{relation}')"
        )
    try:
        engine.run(f"CREATE TABLE {quoted(relation)} AS {' UNION ALL BY NAME '.join(reads)}")
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"'{source.path}' is not a readable CSV file ({reason}); export it again") from None
    malformed = engine.run(
        f"SELECT min(error_type), trim(any_value(csv_line), chr(10) || chr(13)) FROM malformed_{relation} "
        "GROUP BY scan_id, file_id, line"
    )
    types = engine.types(f"SELECT * FROM {quoted(relation)}")
    return Raw(relation, f"'{source.path}'", types, malformed=tuple(malformed))
