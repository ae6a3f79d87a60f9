"""The customers of all frames in one order, and each frame's columns for them; blocks of the history lined up."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lifestage.errors import InputError
from lifestage.history import History, complete
from lifestage.lifecycle.metrics.levels import MISSING
from lifestage.lifecycle.policy import Policy
from lifestage.localtime import local_days
from lifestage.ragged import Bools, Floats, Ints
from lifestage.schemas import INSTANT

LEFTOVER = 50_000
"""Customers whom no history knows, a block."""


@dataclass(frozen=True)
class Frame:
    """The stages of everybody at one instant; arrays are by place in `People.ids`."""

    as_of: int
    day: int
    """Local day number of the instant."""
    stage: Ints
    """Place in `People.stages`; -1: not there, or without a stage."""
    row: Ints
    """Row of `table`; 0 for who is not there."""
    table: pa.Table
    """One chunk a column, so that the rows of a block are found at once."""

    def numbers(self, name: str, at: Ints) -> Floats:
        """A column of numbers or instants of the customers at `at`, NaN where null, not there, or no such column."""
        if name not in self.table.column_names or not len(self.table):
            return np.full(len(at), np.nan)
        column = self._of(name, at)
        if pa.types.is_timestamp(column.type):
            column = column.cast(INSTANT).view(pa.int64())
        values = np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
        return np.where(self.stage[at] >= 0, values, np.nan)

    def texts(self, name: str, at: Ints) -> pa.Array:
        """A column as text, MISSING where null; of who is not there whatever."""
        column = self._of(name, at) if len(self.table) else pa.nulls(len(at))
        return pc.fill_null(column.cast(pa.string()), MISSING)

    def _of(self, name: str, at: Ints) -> pa.Array:
        return self.table[name].chunk(0).take(pa.array(self.row[at]))


@dataclass(frozen=True)
class People:
    """All customers who are in some frame."""

    ids: pa.Array
    """Ascending by the bytes of the text."""
    stages: tuple[str, ...]
    """Those of the policy in its order, then others that a frame holds (of an earlier policy)."""
    frames: tuple[Frame, ...]
    """Ascending by instant."""


class Block(NamedTuple):
    """Whole customers with their rows, and their places in `People.ids`."""

    history: History
    at: Ints
    known: bool = True
    """False: the history does not know them, so that they have no rows and no attributes."""


def people(frames: Mapping[int, pa.Table], policy: Policy, zone: str) -> People:
    """The customers of `frames` (instant -> table with customer_id and stage, one row a customer).

    Raises InputError without a frame, for a missing column, a null id, or a customer who stands twice.
    """
    if not frames:
        raise InputError("metrics: no frame is given; score at least once, then give {as_of: scores}")
    columns = {as_of: _ids(as_of, frames[as_of]) for as_of in sorted(frames)}
    everybody = pc.unique(pa.chunked_array(list(columns.values()), pa.string()))
    everybody = everybody.take(pc.sort_indices(everybody))
    known = [stage.name for stage in policy.stages]
    other: set[str] = set()
    for table in frames.values():
        other |= set(pc.unique(table["stage"].cast(pa.string())).to_pylist()) - {None, *known}
    stages = (*known, *sorted(other))
    made = []
    for as_of, ids in columns.items():
        place = pc.index_in(everybody, value_set=ids)
        there = place.is_valid().to_numpy(zero_copy_only=False)
        row = place.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        stage_of = pc.index_in(
            frames[as_of]["stage"].cast(pa.string()).combine_chunks(), value_set=pa.array(stages, pa.string())
        )
        codes = stage_of.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        stage = np.where(there, codes[row], -1) if len(codes) else np.full(len(everybody), -1)
        day = int(local_days(np.array([as_of], np.int64), zone)[0])
        made.append(Frame(as_of, day, stage, row, frames[as_of].combine_chunks()))
    return People(everybody, stages, tuple(made))


def _ids(as_of: int, table: pa.Table) -> pa.Array:
    for name in ("customer_id", "stage"):
        if name not in table.column_names:
            raise InputError(f"metrics: the frame of {as_of} has no column '{name}'; give scored customers")
    ids = table["customer_id"].cast(pa.string()).combine_chunks()
    if ids.null_count:
        raise InputError(f"metrics: the frame of {as_of} has {ids.null_count} rows without customer_id")
    if len(pc.unique(ids)) < len(ids):
        twice = pc.value_counts(ids).to_pylist()
        first = min(c["values"] for c in twice if c["counts"] > 1)
        raise InputError(
            f"metrics: customer '{first}' stands twice in the frame of {as_of}; give one row a customer"
        )
    return ids


def blocks(everybody: People, histories: Iterable[History], zone: str) -> Iterator[Block]:
    """The rows of the frames' customers, block by block, each customer once; nobody else's.

    Who is in a frame but in no history (merged with another since) comes last, without rows.
    """
    met = np.zeros(len(everybody.ids), np.bool_)
    for history in histories:
        at, found = _places(everybody.ids, history.customer_id)
        met[at] = True
        if len(at):
            yield Block(history if found.all() else history.take(np.flatnonzero(found)), at)
    left = np.flatnonzero(~met)
    for start in range(0, len(left), LEFTOVER):
        at = left[start : start + LEFTOVER]
        table = complete(pa.table({"customer_id": everybody.ids.take(pa.array(at))}))
        yield Block(History(table, zone), at, known=False)


def _places(everybody: pa.Array, ids: pa.Array) -> tuple[Ints, Bools]:
    """Places of `ids` among `everybody`, of those who are there; which of `ids` are."""
    if not len(ids):
        return np.zeros(0, np.int64), np.zeros(0, np.bool_)
    ends = pc.min_max(ids).as_py()
    texts = _Texts(everybody)
    low = bisect_left(texts, ends["min"].encode())
    high = bisect_right(texts, ends["max"].encode())
    place = pc.index_in(ids, value_set=everybody.slice(low, high - low))
    found = place.is_valid().to_numpy(zero_copy_only=False)
    at = place.drop_null().to_numpy(zero_copy_only=False).astype(np.int64) + low
    return at, found


class _Texts(Sequence[bytes]):
    """A text array as bytes, one at a time: bisect looks at a few only."""

    def __init__(self, array: pa.Array) -> None:
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, place: int) -> bytes:  # type: ignore[override]
        return str(self._array[place].as_py()).encode()
