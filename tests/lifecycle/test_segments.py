"""RFM quintiles and groups."""

import math
from itertools import product

import numpy as np
import pytest

from lifestage.lifecycle.segments import ELEVEN, GRID, quintile, scores, segments


@pytest.mark.parametrize(
    ("percentile", "score"),
    [
        (0.0, 1),
        (0.1999, 1),
        (0.2, 2),
        (0.3999, 2),
        (0.4, 3),
        (0.6, 4),
        (0.7999, 4),
        (0.8, 5),
        (0.9999, 5),
        (1.0, 5),
    ],
)
def test_quintiles_include_their_lower_end(percentile: float, score: int) -> None:
    assert quintile(np.array([percentile])).tolist() == [score]


def test_recency_counts_backwards() -> None:
    r, f, m = scores(np.array([0.05]), np.array([0.05]), np.array([0.95]))
    assert (r[0], f[0], m[0]) == (5, 1, 5)


def _expected(recency: float, frequency: float, monetary: float) -> str:
    """The table read by hand."""
    if math.isnan(recency) or math.isnan(frequency) or math.isnan(monetary):
        return "prospects"
    r = 6 - min(5, math.floor(recency * 5) + 1)
    fm = (min(5, math.floor(frequency * 5) + 1) + min(5, math.floor(monetary * 5) + 1)) / 2
    column = 0 if fm < 2 else 1 if fm < 3 else 2 if fm < 4 else 3
    return {5: GRID[0], 4: GRID[1], 3: GRID[2], 2: GRID[3], 1: GRID[4]}[r][column]


def test_every_cell() -> None:
    values = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0, math.nan]
    cells = list(product(values, values, values))
    got = segments(*(np.array([cell[i] for cell in cells]) for i in range(3))).to_pylist()
    assert got == [_expected(*cell) for cell in cells]
    assert set(got) == set(ELEVEN)


@pytest.mark.parametrize(
    ("recency", "frequency", "monetary", "group"),
    [
        (0.1, 0.9, 0.9, "champions"),
        (0.3, 0.9, 0.9, "loyal"),
        (0.1, 0.1, 0.1, "new"),
        (0.9, 0.9, 0.9, "previously_loyal"),
        (0.9, 0.1, 0.1, "dormant"),
        (0.7, 0.9, 0.7, "at_risk"),
        (0.7, 0.1, 0.3, "almost_lost"),
        (0.5, 0.3, 0.1, "needs_attention"),
        (0.3, 0.1, 0.1, "promising"),
        (0.5, 0.5, 0.5, "active"),
        (math.nan, math.nan, math.nan, "prospects"),
    ],
)
def test_typical_customers(recency: float, frequency: float, monetary: float, group: str) -> None:
    assert segments(np.array([recency]), np.array([frequency]), np.array([monetary])).to_pylist() == [group]
