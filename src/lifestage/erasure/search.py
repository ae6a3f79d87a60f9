"""Every file below some folders searched for traces of people: columns, cells, statistics, texts, bytes.

Where a file has a structure it is searched by it, for every id; needles says which ids are looked for in its bytes as
well.
"""

import gzip
import json
import mmap
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml
from yaml import YAMLError

from lifestage.erasure.history import named
from lifestage.erasure.needles import Needles
from lifestage.erasure.removal import ROW, ids_of_csv, on_page, raw_row
from lifestage.history_file import FACTS, KEY

IDS = ("customer_id", "alias")
BATCH = 10_000
"""Cells of a database looked at at once."""
TEXTS = (".csv", ".html", ".txt", ".md", ".svg", ".log", ".key")
"""Searched for whole words."""
DOCUMENTS = (".json", ".jsonl", ".yaml", ".yml")
"""Searched for values."""
TREES = b"tree\n"
"""How a model of LightGBM begins: a text of numbers, among which those of customers stand by chance."""


def files_below(folders: Iterable[Path]) -> list[Path]:
    """Every file once, in the order of their names."""
    found = {path.resolve(): path for folder in folders for path in _below(folder)}
    return sorted(found.values())


def _below(folder: Path) -> Iterator[Path]:
    if folder.is_file():
        yield folder
    else:
        yield from (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def traces(path: Path, needles: Needles) -> list[str]:
    """Where in a file the people stand; empty for nowhere. A damaged file is searched as bytes."""
    found: list[str] = []
    unread = False
    try:
        if path.suffix == ".parquet":
            found += _in_parquet(path, needles)
        elif path.suffix == ".csv":
            found += ["column of the ids"] if any(name in needles.ids for name in ids_of_csv(path)) else []
        elif path.suffix in DOCUMENTS:
            found += _in_documents(path, needles)
        elif is_sqlite(path):
            found += in_sqlite(path, needles)
        elif path.suffix == ".html":
            found += ["shown"] if on_page(path.read_text(encoding="utf-8"), needles) else []
        elif path.suffix == ".gz":
            with gzip.open(path) as file:
                found += ["bytes within"] if needles.mentioned(file.read(), text=True) else []
    except (ValueError, OSError, EOFError, pa.ArrowException, sqlite3.DatabaseError, YAMLError):
        unread = needles.rare < needles.ids
    if not found and _in_bytes(path, needles):
        found.append("bytes")
    if unread and not found:
        found.append("not readable as what it is")
    return found


def _in_bytes(path: Path, needles: Needles) -> bool:
    if not needles.long or not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return needles.mentioned(data, text=path.suffix in TEXTS and data[: len(TREES)] != TREES)


def _in_documents(path: Path, needles: Needles) -> list[str]:
    """Every id in fields of ids; a long one as a whole text, too, and a rare one within any."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".yaml", ".yml"):
        documents = list(yaml.safe_load_all(text))
    else:
        lines = text.splitlines() if path.suffix == ".jsonl" else [text]
        documents = [json.loads(line) for line in lines if line.strip()]
    found = ["customer_id"] if any(_in_fields(one, needles) for one in documents) else []
    found += ["value"] if not found and any(_is_value(one, needles) for one in documents) else []
    if path.name == FACTS and named(documents[0], needles):
        found.append("examples of aliases")
    if not found and Needles(needles.rare, needles.others).said(text):
        found.append("text")
    return found


def _in_fields(value: Any, needles: Needles) -> bool:
    if isinstance(value, dict):
        own = any(isinstance(value.get(name), str) and value[name] in needles.ids for name in IDS)
        return own or any(_in_fields(one, needles) for one in value.values())
    return isinstance(value, list) and any(_in_fields(one, needles) for one in value)


def _is_value(value: Any, needles: Needles) -> bool:
    if isinstance(value, dict):
        return any(_is_value(one, needles) for one in (*value, *value.values()))
    if isinstance(value, list):
        return any(_is_value(one, needles) for one in value)
    return isinstance(value, str) and value.strip() in needles.long


def is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def in_sqlite(path: Path, needles: Needles) -> list[str]:
    """Columns of a database with a cell that is an id, or a text that names one; tables, not their free pages."""
    found = []
    uri = f"file:{quote(str(path.resolve()))}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=10)) as database:
        columns = database.execute(
            "SELECT m.name, c.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c"
            " WHERE m.type = 'table' AND m.sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY 1, 2"
        ).fetchall()
        for table, column in columns:
            named, of = (f'"{name.replace(chr(34), chr(34) * 2)}"' for name in (column, table))
            cells = database.execute(f"SELECT {named} FROM {of} WHERE typeof({named}) = 'text'")
            while batch := cells.fetchmany(BATCH):
                values = [value for (value,) in batch]
                if _in_cells(column, values, needles):
                    found.append(f"{table}.{column}")
                    break
    return found


def _in_cells(column: str, values: list[str], needles: Needles) -> bool:
    if column in IDS:
        return not needles.ids.isdisjoint(values)
    sought = _sought(column, needles)
    return bool(sought.long) and sought.said("\n".join(values))


def _sought(column: str, needles: Needles) -> Needles:
    """What is looked for in the texts of a column: numbers not among ids of other things, where the same may stand."""
    if column in IDS or not column.endswith(("_id", "_uuid")):
        return needles
    return Needles(needles.rare, needles.others)


def _in_parquet(path: Path, needles: Needles) -> list[str]:
    """Columns, their statistics in the footer, and the facts of a history."""
    found: dict[str, None] = {}
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            for name, texts in _texts(table):
                if _in_column(name, texts, needles):
                    found[f"column {name}"] = None
            for place in range(file.metadata.num_columns):
                column = file.metadata.row_group(group).column(place)
                if _in_statistics(column, needles):
                    found[f"statistics of {column.path_in_schema}"] = None
        facts = (file.metadata.metadata or {}).get(KEY)
    if facts is not None and named(json.loads(facts), needles):
        found["examples of aliases"] = None
    return list(found)


def _texts(table: pa.Table) -> Iterator[tuple[str, pa.Array]]:
    """Name and values of every column of texts, those within lists and structs too."""
    for name, column in zip(table.column_names, table.columns, strict=True):
        for chunk in column.chunks:
            yield from _leaves(name, chunk)


def _leaves(name: str, column: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        yield from _leaves(name, column.cast(kind.value_type))
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        yield name, column
    elif pa.types.is_list(kind):
        yield from _leaves(name, column.flatten())
    elif pa.types.is_struct(kind):
        for field, child in zip(kind, column.flatten(), strict=True):
            yield from _leaves(f"{name}.{field.name}", child)


def _in_column(name: str, texts: pa.Array, needles: Needles) -> bool:
    if name.rpartition(".")[2] in IDS:
        wanted = pa.array(sorted(needles.ids), texts.type)
        if pc.any(pc.is_in(texts, value_set=wanted)).as_py():
            return True
    if name == ROW:
        return any(raw_row(text, needles) for text in texts.to_pylist() if text)
    sought = _sought(name.rpartition(".")[2], needles)
    if not sought.long:
        return False
    joined = "\n".join(pc.unique(texts.drop_null()).to_pylist())
    return sought.said(joined)


def _in_statistics(column: Any, needles: Needles) -> bool:
    statistics = column.statistics
    if statistics is None or not statistics.has_min_max:
        return False
    ends: Sequence[Any] = (statistics.min, statistics.max)
    name = column.path_in_schema.rpartition(".")[2]
    own, sought = name in IDS, _sought(name, needles)
    return any(isinstance(end, str) and (sought.said(end) or (own and end in needles.ids)) for end in ends)
