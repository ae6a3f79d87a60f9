"""Bins of one column: quantiles, frequent single values and missing ones apart; of texts, the frequent levels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lifestage.ragged import Floats, Ints

MOST, FEWEST, EACH = 10, 4, 30
"""Quantile bins of many values and of few, and how many values a bin should have."""
ATOM = 0.05
"""A single value of so large a share has a bin of its own; 0 has one from ZERO on."""
ZERO = 0.01
LEVELS = 15
"""Texts told apart; the others are one bin."""

Texts = npt.NDArray[np.object_]
Column = Floats | Texts


@dataclass(frozen=True)
class Bins:
    """Bin i holds values in (edges[i-1], edges[i]], the last but one those above all edges, the last the missing ones.

    Of texts: bin i holds levels[i], the last but one all other texts, the last the missing ones.
    """

    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.edges if self.levels is None else self.levels) + 2

    def counts(self, values: Column) -> Ints:
        """How many values each bin holds, int64[B]."""
        if self.levels is not None:
            place = {level: i for i, level in enumerate(self.levels)}
            other = len(self.levels)
            found = np.array(
                [other + 1 if v is None else place.get(v, other) for v in values.tolist()], np.int64
            )
        else:
            numbers = np.asarray(values, np.float64)
            found = np.searchsorted(np.array(self.edges), numbers, side="left")
            found[np.isnan(numbers)] = len(self.edges) + 1
        counted: Ints = np.bincount(found, minlength=len(self)).astype(np.int64)
        return counted


def learn_bins(values: Column) -> Bins:
    """Bins of about equally many of the values; texts by their frequency."""
    if values.dtype == object:
        return _of_texts(values.tolist())
    numbers: Floats = np.asarray(values, np.float64)
    known: Floats = np.sort(numbers[np.isfinite(numbers)])
    if not len(known):
        return Bins()
    wanted = int(np.clip(len(known) // EACH, FEWEST, MOST))
    at = np.ceil(np.arange(1, wanted) / wanted * len(known)).astype(np.int64) - 1
    edges = set(known[at].tolist())
    edges.discard(float(known[-1]))  # above the largest there is nobody
    for atom in _atoms(known):
        edges |= {float(np.nextafter(atom, -np.inf)), atom}
    return Bins(tuple(sorted(edges)))


def _atoms(known: Floats) -> list[float]:
    """The single values that a large share of sorted values has."""
    found, times = np.unique(known, return_counts=True)
    large = times >= np.where(found == 0, ZERO, ATOM) * len(known)
    return [float(v) for v in found[large]] if len(found) > 1 else [float(found[0])]


def _of_texts(values: Sequence[str | None]) -> Bins:
    times: dict[str, int] = {}
    for value in values:
        if value is not None:
            times[value] = times.get(value, 0) + 1
    return Bins(levels=tuple(sorted(times, key=lambda level: (-times[level], level))[:LEVELS]))
