"""The history kept as Parquet: one row group a block of whole customers, and its facts.

On one machine it is one file with the facts in its metadata. A cluster writes a folder of such files, in the order
of customer_id, with the facts in `facts.json`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lifestage.errors import InputError
from lifestage.history import History
from lifestage.localtime import EPOCH, local_days
from lifestage.ragged import from_list_array

KEY = b"lifestage"
FACTS = "facts.json"


class Cluster(Protocol):
    """Other machines that see the same files."""

    def map(self, work: Callable[[Any], pa.Table], items: Sequence[Any]) -> Iterator[pa.Table]:
        """work(item) of every item, somewhere; the results in the order of the items."""
        ...


@dataclass(frozen=True)
class HistoryFile:
    """A history on disk, read block by block."""

    path: Path
    cluster: Cluster | None = field(default=None, compare=False)
    """Where work on its blocks is done; None = here."""

    @cached_property
    def facts(self) -> dict[str, Any]:
        """as_of, observed_until, first_row, first_purchase (instants), timezone, currency, report, fingerprint ..."""
        try:
            if self.path.is_dir():
                facts: dict[str, Any] = json.loads((self.path / FACTS).read_bytes())
            else:
                facts = json.loads((pq.read_metadata(self.path).metadata or {})[KEY])
        except (OSError, pa.ArrowInvalid, KeyError, ValueError):
            raise InputError(
                f"{self.path}: is no history file; make it with 'python -m training.prepare --config <shop>.yaml'"
            ) from None
        return facts

    @property
    def zone(self) -> str:
        return str(self.facts["timezone"])

    @cached_property
    def files(self) -> list[Path]:
        return sorted(self.path.glob("part-*.parquet")) if self.path.is_dir() else [self.path]

    @cached_property
    def customers(self) -> int:
        return sum(int(_metadata(file).num_rows) for file in self.files)

    @cached_property
    def places(self) -> list[tuple[str, int]]:
        """File and row group of every block."""
        return [(str(file), i) for file in self.files for i in range(_metadata(file).num_row_groups)]

    @property
    def blocks(self) -> int:
        return len(self.places)

    @cached_property
    def label_days(self) -> list[date]:
        """The local days from which the shop's own labels look ahead, ascending."""
        days: set[int] = set()
        for place in self.places:
            column = _read(place, ["labels"]).column("labels")
            days.update(np.unique(local_days(from_list_array(column).t, self.zone)).tolist())
        return [EPOCH.date() + timedelta(days=day) for day in sorted(days)]

    def block(self, index: int) -> History:
        """The whole customers of one block."""
        return read_block(self.places[index], self.zone)

    def __iter__(self) -> Iterator[History]:
        return (read_block(place, self.zone) for place in self.places)


def read_block(place: tuple[str, int], zone: str) -> History:
    """The whole customers of one block, by its file and row group."""
    return History(_read(place), zone)


def _read(place: tuple[str, int], columns: list[str] | None = None) -> pa.Table:
    path, group = place
    with pq.ParquetFile(path, metadata=_metadata(path)) as file:
        return file.read_row_group(group, columns=columns)


def _metadata(path: str | Path) -> pq.FileMetaData:
    """The footer of a file, read once: it holds every block, so that reading it for each would take their square."""
    about = Path(path).stat()
    return _read_metadata(str(path), (about.st_ino, about.st_size, about.st_mtime_ns))


@lru_cache(maxsize=8)
def _read_metadata(path: str, _version: tuple[int, int, int]) -> pq.FileMetaData:
    return pq.read_metadata(path)
