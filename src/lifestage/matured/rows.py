"""The rows of a scoring run by customer_id: parts are sorted, so a range of ids touches few of them."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lifestage.errors import InputError


@dataclass(frozen=True, slots=True)
class _Span:
    """A row group of a part, and the ids at its ends."""

    path: Path
    group: int
    low: str
    high: str


class RunRows:
    """Random access by id to one run; one row group is held at a time."""

    def __init__(self, folder: Path, columns: Sequence[str]) -> None:
        """Raises InputError where the parts are damaged or not in the order of customer_id."""
        self._folder = folder
        self._columns = list(columns)
        self._spans = [span for part in sorted(folder.glob("part-*.parquet")) for span in _spans(part)]
        self._held: tuple[_Span, pa.Table] | None = None
        if any(left.high >= right.low for left, right in pairwise(self._spans)):
            raise InputError(f"{folder}: is not in the order of customer_id: altered after it was written")

    def between(self, low: str, high: str) -> pa.Table:
        """The rows with low <= customer_id <= high, ascending."""
        tables = [self._read(s) for s in self._spans if s.low <= high and s.high >= low]
        if not tables:
            fields = pq.read_schema(self._spans[0].path) if self._spans else pa.schema([])
            return pa.schema([f for f in fields if f.name in self._columns]).empty_table()
        return pa.concat_tables([_within(table, low, high) for table in tables])

    def _read(self, span: _Span) -> pa.Table:
        if self._held is None or self._held[0] is not span:
            with pq.ParquetFile(span.path) as file:
                self._held = (span, file.read_row_group(span.group, columns=self._columns).combine_chunks())
        return self._held[1]


def _within(table: pa.Table, low: str, high: str) -> pa.Table:
    ids = table["customer_id"]
    start = bisect_left(range(len(ids)), low, key=lambda i: ids[i].as_py())
    end = bisect_right(range(len(ids)), high, key=lambda i: ids[i].as_py())
    return table.slice(start, end - start)


def _spans(part: Path) -> list[_Span]:
    try:
        with pq.ParquetFile(part) as file:
            found = []
            place = file.schema_arrow.get_field_index("customer_id")
            for group in range(file.metadata.num_row_groups):
                if not file.metadata.row_group(group).num_rows:
                    continue
                ends = file.metadata.row_group(group).column(place).statistics
                if ends is None or not ends.has_min_max:
                    ids = file.read_row_group(group, columns=["customer_id"])["customer_id"]
                    found.append(_Span(part, group, ids[0].as_py(), ids[-1].as_py()))
                else:
                    found.append(_Span(part, group, ends.min, ends.max))
            return found
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{part}: cannot be read ({error}); score that day again") from None
