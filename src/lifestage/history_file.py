"""The history kept as Parquet: one row group a block of whole customers, and its facts.

On one machine it is one file with the facts in its metadata. A cluster writes a folder of such files, in the order
of customer_id, with the facts in `facts.json`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from lifestage.errors import InputError
from lifestage.history import History

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
        """as_of, observed_until, first_purchase (instants), timezone, currency, report, fingerprint ..."""
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
        return sum(int(pq.read_metadata(file).num_rows) for file in self.files)

    @cached_property
    def places(self) -> list[tuple[str, int]]:
        """File and row group of every block."""
        return [(str(file), i) for file in self.files for i in range(pq.read_metadata(file).num_row_groups)]

    @property
    def blocks(self) -> int:
        return len(self.places)

    def block(self, index: int) -> History:
        """The whole customers of one block."""
        return read_block(self.places[index], self.zone)

    def __iter__(self) -> Iterator[History]:
        for path in self.files:
            with pq.ParquetFile(path) as file:
                for index in range(file.num_row_groups):
                    yield History(file.read_row_group(index), self.zone)


def read_block(place: tuple[str, int], zone: str) -> History:
    """The whole customers of one block, by its file and row group."""
    with pq.ParquetFile(place[0]) as file:
        return History(file.read_row_group(place[1]), zone)
