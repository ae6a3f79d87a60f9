"""Every file below some folders searched for traces of people: columns, statistics, texts, bytes."""

import gzip
import json
import mmap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lifestage.erasure.history import named
from lifestage.erasure.needles import Needles
from lifestage.erasure.removal import ROW, ids_of_csv, on_page, raw_row
from lifestage.history_file import FACTS, KEY

IDS = ("customer_id", "alias")
TEXTS = (".csv", ".json", ".jsonl", ".html", ".txt", ".yaml", ".yml", ".md", ".svg", ".log", ".key")


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
    try:
        if path.suffix == ".parquet":
            found += _in_parquet(path, needles)
        elif path.suffix == ".csv":
            found += ["column of the ids"] if any(name in needles.ids for name in ids_of_csv(path)) else []
        elif path.suffix in (".json", ".jsonl"):
            lines = path.read_text(encoding="utf-8")
            documents = lines.splitlines() if path.suffix == ".jsonl" else [lines]
            found += (
                ["customer_id"] if any(_in_document(json.loads(one), needles) for one in documents) else []
            )
            if path.name == FACTS and named(json.loads(lines), needles):
                found.append("examples of aliases")
        elif path.suffix == ".html":
            found += ["shown"] if on_page(path.read_text(encoding="utf-8"), needles) else []
        elif path.suffix == ".gz":
            with gzip.open(path) as file:
                found += ["bytes within"] if needles.mentioned(file.read(), text=True) else []
    except (ValueError, OSError, EOFError, pa.ArrowException):
        found.append("not readable as what its name says") if not needles.long else None
    if not found and _in_bytes(path, needles):
        found.append("bytes")
    return found


def _in_bytes(path: Path, needles: Needles) -> bool:
    if not needles.long or not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return needles.mentioned(data, text=path.suffix in TEXTS or path.name == "mlflow.db")


def _in_document(value: Any, needles: Needles) -> bool:
    if isinstance(value, dict):
        own = any(isinstance(value.get(name), str) and value[name] in needles.ids for name in IDS)
        return own or any(_in_document(one, needles) for one in value.values())
    return isinstance(value, list) and any(_in_document(one, needles) for one in value)


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
    if not needles.long:
        return False
    joined = "\n".join(pc.unique(texts.drop_null()).to_pylist())
    return needles.said(joined)


def _in_statistics(column: Any, needles: Needles) -> bool:
    statistics = column.statistics
    if statistics is None or not statistics.has_min_max:
        return False
    ends: Sequence[Any] = (statistics.min, statistics.max)
    own = column.path_in_schema.rpartition(".")[2] in IDS
    return any(isinstance(end, str) and (needles.said(end) or (own and end in needles.ids)) for end in ends)
