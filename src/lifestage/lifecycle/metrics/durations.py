"""Durations in whole days, counted by cell: so few numbers that those of all customers fit into memory."""

from collections.abc import Sequence

import numpy as np

from lifestage.lifecycle.metrics.kaplan_meier import Curve, survival
from lifestage.ragged import Bools, Ints

BITS = 15
MOST_DAYS = 2**BITS - 2
"""89 years; longer ones count as so long."""
SEEN_FROM_START = -1


class Durations:
    """Counts by cell, entry day, exit day, and whether it had ended then."""

    def __init__(self) -> None:
        self._keys: list[Ints] = []
        self._counts: list[Ints] = []

    def add(self, cell: Ints, entry: Ints, exit_: Ints, ended: Bools) -> None:
        """One row a duration; entry SEEN_FROM_START, or the age at which it was first seen."""
        key = (cell << BITS) + np.clip(entry + 1, 0, MOST_DAYS + 1)
        key = (((key << BITS) + np.clip(exit_, 0, MOST_DAYS)) << 1) + ended
        keys, counts = np.unique(key, return_counts=True)
        self._keys.append(keys)
        self._counts.append(counts)

    def curve(self, cells: Sequence[int]) -> tuple[int, int, Curve]:
        """Durations in some cells, how many of them ended, and their survival function."""
        self._merge()
        keys, counts = self._keys[0], self._counts[0]
        mine = np.isin(keys >> (1 + 2 * BITS), np.asarray(cells, np.int64))
        keys, counts = keys[mine], counts[mine]
        ended = keys & 1
        exit_ = (keys >> 1) & (2**BITS - 1)
        entry = ((keys >> (1 + BITS)) & (2**BITS - 1)) - 1
        return int(counts.sum()), int(counts[ended == 1].sum()), survival(entry, exit_, ended, counts)

    def _merge(self) -> None:
        if len(self._keys) != 1:
            every = np.concatenate([np.zeros(0, np.int64), *self._keys])
            counts = np.concatenate([np.zeros(0, np.int64), *self._counts])
            keys, place = np.unique(every, return_inverse=True)
            self._keys = [keys]
            self._counts = [np.bincount(place, counts, len(keys)).astype(np.int64)]
