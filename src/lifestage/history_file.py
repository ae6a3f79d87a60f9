"""The history kept as Parquet: one row group a block of whole customers, its facts in the schema's metadata."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lifestage.errors import InputError
from lifestage.history import History
from lifestage.localtime import EPOCH, local_days
from lifestage.ragged import from_list_array

KEY = b"lifestage"


@dataclass(frozen=True)
class HistoryFile:
    """A history on disk, read block by block."""

    path: Path

    @cached_property
    def facts(self) -> dict[str, Any]:
        """as_of, observed_until, first_row, first_purchase (instants), timezone, currency, report, fingerprint ..."""
        try:
            metadata = pq.read_metadata(self.path).metadata or {}
            facts: dict[str, Any] = json.loads(metadata[KEY])
        except (OSError, pa.ArrowInvalid, KeyError, ValueError):
            raise InputError(
                f"{self.path}: is no history file; make it with 'python -m training.prepare --config <shop>.yaml'"
            ) from None
        return facts

    @property
    def zone(self) -> str:
        return str(self.facts["timezone"])

    @cached_property
    def customers(self) -> int:
        return int(pq.read_metadata(self.path).num_rows)

    @cached_property
    def blocks(self) -> int:
        return int(pq.read_metadata(self.path).num_row_groups)

    @cached_property
    def label_days(self) -> list[date]:
        """The local days from which the shop's own labels look ahead, ascending."""
        days: set[int] = set()
        with pq.ParquetFile(self.path) as file:
            for index in range(file.num_row_groups):
                column = file.read_row_group(index, columns=["labels"]).column("labels")
                days.update(np.unique(local_days(from_list_array(column).t, self.zone)).tolist())
        return [EPOCH.date() + timedelta(days=day) for day in sorted(days)]

    def block(self, index: int) -> History:
        """The whole customers of one block."""
        with pq.ParquetFile(self.path) as file:
            return History(file.read_row_group(index), self.zone)

    def __iter__(self) -> Iterator[History]:
        with pq.ParquetFile(self.path) as file:
            for index in range(file.num_row_groups):
                yield History(file.read_row_group(index), self.zone)
