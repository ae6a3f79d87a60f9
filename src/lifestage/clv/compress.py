"""Customers with the same history are one row with a count: the order models see nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lifestage.clv.summary import check_recency_frequency
from lifestage.errors import InputError
from lifestage.ragged import Floats, Ints

FEW = 64


@dataclass(frozen=True, slots=True)
class Compressed:
    """One row per distinct (frequency, recency, T), ordered so; count: customers who share it (float)."""

    frequency: Floats
    recency: Floats
    T: Floats
    count: Floats

    def __len__(self) -> int:
        return len(self.frequency)

    @property
    def customers(self) -> float:
        return float(self.count.sum())


def distinct(*columns: Floats) -> tuple[Ints, Ints]:
    """Of rows given as columns of one length: an index of each distinct row, and each row's number in it.

    `columns[k][index][number]` gives `columns[k]` back; rows are ordered by the first column, then the next.
    """
    packed = _one_key(columns)
    order = np.lexsort(columns[::-1]) if packed is None else np.argsort(packed[0], kind="stable")
    changed = np.zeros(len(order), np.bool_)
    changed[:1] = True
    for column in columns if packed is None else packed[:1]:
        by_order = column[order]
        changed[1:] |= by_order[1:] != by_order[:-1]
    number = np.empty(len(order), np.int64)
    number[order] = np.cumsum(changed) - 1
    return order[changed].astype(np.int64), number


def once(*columns: Floats) -> tuple[Ints, Ints]:
    """`distinct`; of few rows each for itself, which costs less than finding those that are the same."""
    if len(columns[0]) > FEW:
        return distinct(*columns)
    every = np.arange(len(columns[0]))
    return every, every


def _one_key(columns: Sequence[Floats]) -> tuple[Ints, list[int]] | None:
    """One whole number a row, ordered as the columns are, and how many values each has room for.

    None where they hold anything but whole numbers >= 0 that fit into one.
    """
    key = np.zeros(len(columns[0]), np.int64)
    sizes: list[int] = []
    whole = 1
    for column in columns:
        if not len(column) or not (column.min() >= 0 and column.max() < _WHOLE):
            return None
        numbers = column.astype(np.int64)
        sizes.append(int(numbers.max()) + 1)
        whole *= sizes[-1]
        if whole > _WHOLE or (numbers != column).any():
            return None
        key = key * sizes[-1] + numbers
    return key, sizes


_WHOLE = 1 << 53


def compress(frequency: Floats, recency: Floats, T: Floats, weights: Floats | None = None) -> Compressed:
    """One row per distinct history; weights: customers each row stands for (1 each where None).

    Raises InputError where there is no customer, a value no history can have, or a weight below 0.
    """
    check_recency_frequency(frequency, recency, T)
    if weights is not None:
        if weights.shape != frequency.shape or not bool(np.all((weights >= 0) & np.isfinite(weights))):
            raise InputError("weights must be one finite number >= 0 a row: the customers it stands for")
        kept = weights > 0
        frequency, recency, T, weights = frequency[kept], recency[kept], T[kept], weights[kept]
    if not len(frequency):
        raise InputError(
            "no customer has a purchase before the cutoff, expected at least one; choose a later cutoff"
        )
    if weights is None and (packed := _one_key((frequency, recency, T))) is not None:
        key, sizes = packed
        found, counts = np.unique(key, return_counts=True)  # sorted as numbers, which is all that is to do
        rest, age = np.divmod(found, sizes[2])
        x, t_x = np.divmod(rest, sizes[1])
        return Compressed(*(column.astype(np.float64) for column in (x, t_x, age, counts)))
    index, number = distinct(frequency, recency, T)
    count = np.bincount(number, weights=weights, minlength=len(index)).astype(np.float64)
    return Compressed(frequency[index], recency[index], T[index], count)


def join_compressed(groups: Sequence[Compressed | None]) -> Compressed | None:
    """The customers of several groups as one; None where every group is empty."""
    parts = [group for group in groups if group is not None]
    if not parts:
        return None
    x, t_x, T, count = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("frequency", "recency", "T", "count")
    )
    return compress(x, t_x, T, count)
