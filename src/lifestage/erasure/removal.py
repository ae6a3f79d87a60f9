"""People taken out of one file of ours: rows of theirs left out, all else kept as it is.

Each function gives the number of rows (pages) removed; a file without any is not touched.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lifestage.erasure.drafts import replaced
from lifestage.erasure.needles import Needles

ID_HEADERS = ("customer_id", "Customer", "客户")
"""What the column of the ids is called in our lists."""
ROW = "row"
"""Column of the quarantine that holds raw rows."""


def remover(path: Path) -> Callable[[Path, Needles], int] | None:
    """How people are taken out of a file of this name; None for a kind that names nobody by itself."""
    return {".parquet": from_parquet, ".csv": from_csv, ".jsonl": from_lines, ".html": from_page}.get(
        path.suffix
    )


def from_parquet(path: Path, needles: Needles) -> int:
    """Rows of a table with customer_id, or rejected rows."""
    names = pq.read_schema(path).names
    if "customer_id" in names:
        ids = pq.read_table(path, columns=["customer_id"])["customer_id"]
        hit = pc.is_in(ids, value_set=pa.array(sorted(needles.ids), pa.string()))
    elif ROW in names:
        texts = pq.read_table(path, columns=[ROW])[ROW].to_pylist()
        hit = pa.chunked_array([pa.array([raw_row(text, needles) for text in texts], pa.bool_())])
    else:
        return 0
    removed = int(pc.sum(hit).as_py() or 0)
    if not removed:
        return 0
    table = pq.read_table(path)
    kept = table.filter(pc.invert(hit))
    if not len(kept) and path.name.startswith("part-"):
        path.unlink()  # a run has no empty parts
        return removed
    with replaced(path) as draft:
        pq.write_table(kept, draft, compression=_compression(path))
    return removed


def raw_row(text: str, needles: Needles) -> bool:
    """Whether a rejected row (a JSON object of texts) names one of the people in any column."""
    if needles.said(text):
        return True
    row = json.loads(text)
    cells = [str(value) for value in row.values() if value is not None]
    if "line" in row:
        cells += re.split(r"[,;|\t\"'\r\n]", str(row["line"]))
    return any(re.sub(r"^(-?[0-9]+)\.0+$", r"\1", cell.strip()) in needles.ids for cell in cells)


def from_csv(path: Path, needles: Needles) -> int:
    """Lines of a list; the others keep their bytes."""
    content = path.read_bytes()
    header, *records = list(_records(content)) or [([], "")]
    place = next((i for i, name in enumerate(header[0]) if name.strip("\ufeff\t ") in ID_HEADERS), None)
    kept = [
        text
        for cells, text in records
        if not needles.said(text) and not (place is not None and _cell(cells, place) in needles.ids)
    ]
    if len(kept) == len(records):
        return 0
    with replaced(path) as draft:
        draft.write_bytes("".join([header[1], *kept]).encode())
    return len(records) - len(kept)


def ids_of_csv(path: Path) -> Iterator[str]:
    """The ids of a list."""
    header, *records = list(_records(path.read_bytes())) or [([], "")]
    place = next((i for i, name in enumerate(header[0]) if name.strip("\ufeff\t ") in ID_HEADERS), None)
    if place is not None:
        yield from (_cell(cells, place) for cells, _ in records)


def _cell(cells: list[str], place: int) -> str:
    return cells[place].strip() if place < len(cells) else ""


def _records(content: bytes) -> Iterator[tuple[list[str], str]]:
    """Cells and text of each record of a CSV file."""
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for line in io.StringIO(content.decode("utf-8", "surrogateescape"), newline=""):
            taken.append(line)
            yield line

    for cells in csv.reader(lines()):
        yield cells, "".join(taken)
        taken.clear()


def from_lines(path: Path, needles: Needles) -> int:
    """Entries (`alerts`) of a file of JSON lines; a line without any left goes."""
    kept, removed = [], 0
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        document = json.loads(line)
        entries = document.get("alerts", [document])
        left = [entry for entry in entries if not _entry(entry, needles)]
        removed += len(entries) - len(left)
        if len(left) == len(entries):
            kept.append(line)
        elif left:
            kept.append(json.dumps({**document, "alerts": left}, ensure_ascii=False) + "\n")
    if removed:
        with replaced(path) as draft:
            draft.write_text("".join(kept), encoding="utf-8")
    return removed


def _entry(entry: dict[str, Any], needles: Needles) -> bool:
    return entry.get("customer_id") in needles.ids or needles.said(json.dumps(entry, ensure_ascii=False))


def from_page(path: Path, needles: Needles) -> int:
    """A page that shows one of the people goes: the script that made it makes it again."""
    if not on_page(path.read_text(encoding="utf-8"), needles):
        return 0
    path.unlink()
    return 1


def on_page(text: str, needles: Needles) -> bool:
    """Whether a page shows an id: its characters, or those of a short one or a word as a whole cell."""
    if needles.said(text):
        return True
    short = needles.ids - needles.long
    if not short:
        return False
    longest = max(len(name) for name in short)
    cells = re.finditer(rf"""[>"']\s*([^<>"']{{1,{longest}}}?)\s*(?=[<"'])""", text)
    return any(cell[1] in short for cell in cells)


def _compression(path: Path) -> str:
    metadata = pq.read_metadata(path)
    found: str = metadata.row_group(0).column(0).compression if metadata.num_row_groups else "SNAPPY"
    return found.lower() if found != "UNCOMPRESSED" else "none"


def positions(ids: pa.ChunkedArray, needles: Needles) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Where the people stand in a column of ids."""
    hit = pc.is_in(ids, value_set=pa.array(sorted(needles.ids), pa.string()))
    return np.flatnonzero(hit.to_numpy(zero_copy_only=False)).astype(np.int64)
