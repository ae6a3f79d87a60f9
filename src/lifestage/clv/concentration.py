"""How much of the value few customers hold."""

from collections.abc import Sequence

import numpy as np

from lifestage.errors import InputError
from lifestage.ragged import Floats

TOPS = (0.01, 0.05, 0.1, 0.2)


def lorenz(values: Floats) -> tuple[Floats, Floats]:
    """Shares of customers, the best first, from 0 to 1, and the share of all value that they hold.

    values: one per customer, >= 0; NaN (no purchase) is left out. Raises InputError where there is no value at all.
    """
    known = np.sort(values[~np.isnan(values)])[::-1]
    if not len(known) or not float(known.sum()) > 0 or float(known[-1]) < 0:
        raise InputError("values must be 0 or more, and one at least above 0, to have shares in their total")
    held = np.concatenate([[0.0], np.cumsum(known)])
    return np.linspace(0.0, 1.0, len(held)), held / held[-1]


def value_shares(values: Floats, tops: Sequence[float] = TOPS) -> dict[float, float]:
    """Share of all value that the best 1, 5, 10 and 20 % of customers hold; between customers it is interpolated."""
    who, held = lorenz(values)
    return {top: float(np.interp(top, who, held)) for top in tops}
