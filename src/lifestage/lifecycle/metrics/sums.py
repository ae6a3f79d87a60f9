"""Metrics as sums: a numerator and a denominator a customer, added up by cell (group and stage) over all blocks."""

from typing import NamedTuple

import numpy as np

from lifestage.ragged import Bools, Floats, Ints


class Part(NamedTuple):
    """What each customer adds to one metric, both [n]; a denominator of 0 leaves the customer out."""

    numerator: Floats | Bools | Ints
    denominator: Floats | Bools | Ints
    counted: Bools | None = None
    """Who stands behind the figure; None: who has a denominator other than 0."""


class Total(NamedTuple):
    """The sums of one metric in one cell."""

    numerator: float
    denominator: float
    customers: int


class Sums:
    """Sums of named metrics by cell, a cell being a number below `cells`."""

    def __init__(self, cells: int) -> None:
        self.cells = cells
        self.found: dict[str, Floats] = {}

    def add(self, parts: dict[str, Part], cell: Ints) -> None:
        """Add customers; those of cell -1 are left out."""
        inside = cell >= 0
        whole = bool(inside.all())
        cell = cell if whole else cell[inside]
        for name, part in parts.items():
            counted = np.not_equal(part.denominator, 0) if part.counted is None else part.counted
            held = self.found.setdefault(name, np.zeros((3, self.cells)))
            for i, values in enumerate((part.numerator, part.denominator, counted)):
                given = np.asarray(values, np.float64)
                held[i] += np.bincount(cell, given if whole else given[inside], self.cells)

    def total(self, name: str, cells: Ints) -> Total:
        """The sums over some cells."""
        if name not in self.found:
            return Total(0.0, 0.0, 0)
        numerator, denominator, customers = self.found[name][:, cells].sum(axis=1)
        return Total(float(numerator), float(denominator), round(customers))
