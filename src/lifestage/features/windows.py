"""Counts of marked rows in nested windows [cutoff - w days, cutoff), all windows in one pass."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from lifestage.localtime import DAY
from lifestage.ragged import Bools, Floats, Ints


class Windows:
    """The windows that each of a view's rows lies in; `owner` and `t` are flat, windows in days."""

    def __init__(self, owner: Ints, t: Ints, n: int, cutoff: int, days: Sequence[int]) -> None:
        self._owner = owner
        self._n = n
        self._days = sorted(days)
        edges = cutoff - np.array(self._days, np.int64) * DAY
        # A row's band is the number of windows that are too short for it: 0 = in all of them.
        self._band = len(edges) - edges[::-1].searchsorted(t, side="right")

    def rows(self) -> Ints:
        """Rows of each customer in each window, the shortest first, at last in all, int64[windows + 1, n]."""
        return self._held(self._band, self._owner, 1)[:, 0]

    def counts(self, of: Bools | None = None) -> dict[int | None, Floats]:
        """The same by days, under None in all, float64[n]; `of` picks rows."""
        band, owner = self._band, self._owner
        if of is not None:
            picked = of.nonzero()[0]  # places of rows are quicker than a mask of them
            band, owner = band[picked], owner[picked]
        return self._by_days(self._held(band, owner, 1)[:, 0])

    def counts_by(self, codes: Ints, size: int) -> dict[int | None, Floats]:
        """The same for each code 0 <= c < size (-1 is left out), float64[size, n]."""
        band, owner = self._band, self._owner
        if codes.min(initial=0) < 0:
            coded = (codes >= 0).nonzero()[0]
            band, owner, codes = band[coded], owner[coded], codes[coded]
        return self._by_days(self._held(band * size + codes, owner, size))

    def _by_days(self, held: Ints) -> dict[int | None, Floats]:
        return dict(zip([*self._days, None], held.astype(np.float64), strict=True))

    def _held(self, row: Ints, owner: Ints, size: int) -> Ints:
        # Customers along the last axis: their rows come in their order, so that a pass writes side by side.
        width = len(self._days) + 1
        place = row * self._n + owner
        grid = np.bincount(place, minlength=width * size * self._n).reshape(width, size, self._n)
        if self._n == 1:
            return np.add.accumulate(grid, axis=0)
        # NumPy's running sum along the first axis goes down the columns one by one, far more slowly.
        for shorter, longer in pairwise(grid):
            np.add(longer, shorter, out=longer)
        return grid
