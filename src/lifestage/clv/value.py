"""Discounted value: the integral of the order rate over the horizon, by Gauss-Legendre nodes."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.special import expm1, log1p

from lifestage.ragged import Floats

DAYS_A_YEAR = 365.25
NODES = 16
GENTLE = 6.0
"""Fall of the logarithm of a rate over which `NODES` suffice."""
PIECES = 14
FEW = 64
"""Up to so many customers a call per node would cost more than its numbers."""


@lru_cache(maxsize=32)
def _nodes(count: int) -> tuple[Floats, Floats]:
    """Nodes and weights on [0, 1]."""
    node, weight = np.polynomial.legendre.leggauss(count)
    return (node + 1.0) / 2.0, weight / 2.0


def future_orders(
    rate: Callable[[Floats], Floats],
    time_scale: Floats,
    horizon_days: float | Floats,
    yearly_discount_rate: float,
    days: Callable[[Floats], Floats] | None = None,
) -> tuple[Floats, Floats]:
    """One per customer: orders expected in (0, horizon], plain and discounted.

    rate: times float64[k, n] -> expected orders a day at each, [k, n]. time_scale: float64[n], the time over
    which a customer's rate changes (alpha + T). days: of such times, where they are not days already. Discounted
    is the integral of rate(t) (1 + yearly rate)^(-t / 365.25) dt. With t = scale (e^u - 1) the rates of the BTYD
    family are analytic within 2 pi of the path, so that 16 nodes give at least ten digits as long as the rate falls
    by no more than `GENTLE`; where it falls further (customers who are nearly alike leave nearly together) the path
    is cut into pieces, each three times as long as the one before it.
    """
    whole = np.zeros_like(time_scale) + horizon_days
    discount = float(np.log1p(yearly_discount_rate)) / DAYS_A_YEAR

    def between(begin: Floats, end: Floats) -> tuple[Floats, Floats]:
        node, weight = _nodes(NODES)
        span = log1p((end - begin) / (time_scale + begin))
        t = begin + (time_scale + begin) * expm1(np.multiply.outer(node, span))
        at = rate(t) * (time_scale + t)  # dt = (scale + t) du
        discounted_at = at * np.exp(-discount * (t if days is None else days(t)))
        # row by row and not by a matrix product, whose bits depend on the number of customers
        if len(span) <= FEW:  # the same sums at once
            both = np.stack([at, discounted_at]) * weight[:, None]
            orders, discounted = np.add.accumulate(both, axis=1)[:, -1]
            return orders * span, discounted * span
        orders, discounted = np.zeros_like(span), np.zeros_like(span)
        for k in range(NODES):
            orders += weight[k] * at[k]
            discounted += weight[k] * discounted_at[k]
        return orders * span, discounted * span

    orders, discounted = between(np.zeros_like(whole), whole)
    with np.errstate(divide="ignore", invalid="ignore"):
        edges = rate(np.stack([np.zeros_like(whole), whole]))
        steep = edges[1] < edges[0] * np.exp(-GENTLE)
    if steep.any():
        pieces = [whole * 3.0 ** (piece - PIECES) for piece in range(1, PIECES + 1)]
        plain, less, begin = np.zeros_like(whole), np.zeros_like(whole), np.zeros_like(whole)
        for end in pieces:
            some, some_less = between(begin, end)
            plain, less, begin = plain + some, less + some_less, end
        orders, discounted = np.where(steep, plain, orders), np.where(steep, less, discounted)
    return orders, discounted


def discounted_value(
    p_alive: Floats, discounted_orders: Floats, order_value: Floats, margin: float
) -> Floats:
    """One per customer, currency: margin x expected order value x discounted future orders.

    discounted_orders: given alive, from `future_orders`. Order value and number are taken as independent.
    """
    return p_alive * discounted_orders * order_value * margin
