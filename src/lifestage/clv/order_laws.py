"""The law of the number of orders ahead of each customer, with as many terms as needed, and of the next one's time."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lifestage.clv.compress import once
from lifestage.clv.families import Family
from lifestage.errors import InputError
from lifestage.ragged import Floats, Ints

LEFT_OUT = 1e-6
"""Chance of more orders than the law has terms for."""
LONGEST = 1 << 16
TERMS_A_BLOCK = 1 << 20
FEW = 64
BLOCK = 4_096
"""Customers whose points of the next order are sought at once."""


def order_laws(
    family: Family,
    params: Any,
    histories: tuple[Floats, Floats, Floats],
    horizon: float,
    *,
    alive: Floats | None = None,
    expected: Floats | None = None,
) -> Iterator[tuple[Ints, Floats]]:
    """Rows, and P(0 ... N orders within the horizon) of each, float64[N + 1, rows], until every row was given.

    histories: x, t_x, T. alive: `probability_alive`, expected: `expected_purchases_given_alive` of each, where they are
    known already. N is a power of two that hangs on the customer alone, never on who stands beside, so that whatever is
    made of a law has the same bits in any block. Raises InputError where 65,536 orders do not hold a customer's future.
    """
    x, t_x, T = histories
    alive = family.probability_alive(params, x, t_x, T) if alive is None else alive
    if expected is None:
        index, number = once(x, T)  # given alive the future hangs on them alone
        expected = family.expected_purchases_given_alive(params, horizon, x[index], T[index])[number]
    least = np.maximum(2.0 * expected + 6.0, 8.0)
    size = np.exp2(np.ceil(np.log2(least)))
    waiting = np.arange(len(x))
    while len(waiting):
        most = int(size[waiting].min())
        if most > LONGEST:
            raise InputError(
                f"more than {LONGEST} orders are to be expected of a customer with frequency {x[waiting[0]]:g} in "
                f"{T[waiting[0]]:g} days; leave such accounts out, e.g. by sources.transactions.where"
            )
        due = waiting[size[waiting] == most]
        step = max(1, TERMS_A_BLOCK // most)
        for low in range(0, len(due), step):
            rows = due[low : low + step]
            index, number = once(x[rows], T[rows])
            alike = rows[index]
            law = family.order_counts_given_alive(params, horizon, x[alike], T[alike], most)
            law = alive[rows] * (law if index is number else law[:, number])
            law[0] += 1.0 - alive[rows]
            enough = _sums(law) > 1.0 - LEFT_OUT
            size[rows[~enough]] *= 2
            if enough.any():
                yield (rows, law) if enough.all() else (rows[enough], np.ascontiguousarray(law[:, enough]))
        waiting = waiting[(size[waiting] > most)]


def next_orders(
    family: Family,
    params: Any,
    customers: tuple[Floats, Floats, Floats],
    horizon: float,
    shares: Sequence[float],
) -> Floats:
    """float64[len(shares), n]: points of the time of the next order, given one comes within the horizon.

    customers: x, T, and P(an order within the horizon, if alive). All shares of a customer are sought together.
    """
    each, n = np.array(shares), len(customers[0])
    found = np.empty((len(each), n))
    for first in range(0, n, BLOCK):
        x, T, some = (np.tile(column[first : first + BLOCK], len(each)) for column in customers)
        share = np.repeat(each, len(x) // len(each))
        points = family.next_order_quantile(params, share, horizon, x, T, some=some)
        found[:, first : first + BLOCK] = points.reshape(len(each), -1)
    return found


def _sums(law: Floats) -> Floats:
    """One per customer; one term after the other, so that no sum hangs on the block's shape."""
    if law.shape[1] <= FEW:
        return np.asarray(np.add.accumulate(law)[-1], np.float64)
    held = law[0].copy()
    for term in law[1:]:
        held += term
    return np.asarray(held, np.float64)
