"""Counts of marked rows in nested windows [cutoff - w days, cutoff), all windows in one pass."""

from collections.abc import Sequence

import numpy as np

from lifestage.localtime import DAY
from lifestage.ragged import Bools, Floats, Ints


class Windows:
    """The windows that each of a view's rows lies in; `owner` and `t` are flat, windows in days."""

    def __init__(self, owner: Ints, t: Ints, n: int, cutoff: int, days: Sequence[int]) -> None:
        self._owner = owner
        self._n = n
        self._days = sorted(days)
        edges = cutoff - np.array(self._days[::-1], np.int64) * DAY
        self._band = np.searchsorted(edges, t, side="right")  # how many of the windows hold the row

    def counts(self, of: Bools | None = None) -> dict[int | None, Floats]:
        """Rows of each customer in each window, and under None in all; `of` picks rows, float64[n]."""
        return {w: column[:, 0] for w, column in self._grid(None, 1, of).items()}

    def counts_by(self, codes: Ints, size: int) -> dict[int | None, Floats]:
        """The same for each code 0 <= c < size (others are left out), float64[n, size]."""
        return self._grid(codes, size, (codes >= 0) & (codes < size))

    def _grid(self, codes: Ints | None, size: int, of: Bools | None) -> dict[int | None, Floats]:
        width = len(self._days) + 1
        cell = self._owner if codes is None else self._owner * size + codes
        key = cell * width + self._band
        if of is not None:
            key = key[of]
        grid = np.bincount(key, minlength=self._n * size * width).reshape(self._n, size, width)
        held = grid[:, :, ::-1].cumsum(axis=2).astype(np.float64)  # whole numbers: exact in any order
        return {w: held[:, :, i] for i, w in enumerate([*self._days, None])}
