"""A horizon and windows from the customers' own gaps between days with an order (or an event)."""

import math
from typing import Any

import numpy as np

from lifestage.ragged import Ints

SIZES = (7, 14, 30, 60, 90, 180, 365)
FEWEST = 100
"""Gaps below which nothing is suggested."""


def quantile(counts: Ints, share: float) -> int:
    """The least gap that at least `share` of all gaps do not exceed; counts[g] = gaps of g days."""
    return int(np.searchsorted(np.cumsum(counts), share * counts.sum() - 1e-9))


def rounded(days: int) -> int:
    """The one of SIZES nearest to so many days by ratio."""
    return min(SIZES, key=lambda size: abs(math.log(max(days, 1) / size)))


def suggest(counts: Ints, longest: int | None = None) -> dict[str, Any] | None:
    """Horizon: what 90 % of gaps do not exceed, so that a silence of it is unusual; windows: 50, 80 and 90 %.

    `longest`: the longest horizon that the history holds; the suggestion is the largest size within it, if it
    can be. None where there are too few gaps. Gaps that have not ended are not counted: true ones are longer.
    """
    n = int(counts.sum())
    if n < FEWEST:
        return None
    found = {share: quantile(counts, share / 100) for share in (50, 80, 90)}
    horizon = rounded(found[90])
    if longest is not None and longest < horizon:
        horizon = max((size for size in SIZES if size <= longest), default=SIZES[0])
    return {
        "gaps": n,
        "gap_days": {f"p{share}": days for share, days in found.items()},
        "horizon_days": horizon,
        "windows_days": sorted({rounded(days) for days in found.values()}),
    }
