"""Which purchase a refund takes back: a pure function of one customer's rows in order of time."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lifestage.ragged import Bools, Floats, Ints, Ragged

TOLERANCE = 1e-9
"""Share of an order's amount below which its remainder is rounding: the order counts as fully refunded."""


@dataclass(frozen=True)
class Links:
    """One row a (refund, purchase) pair: the refund's instant, the purchase's flat row, the amount taken back."""

    t: Ints
    purchase: Ints
    amount: Floats


def _amounts(rows: Ragged) -> Floats:
    return np.asarray(rows.columns["amount"].to_numpy(zero_copy_only=False), np.float64)


def link_refunds(purchases: Ragged, refunds: Ragged) -> Links:
    """Links of a block of customers.

    A refund that names its order (`order_at`) is taken from that order, and what exceeds it stays unlinked;
    any other is taken from the customer's most recent earlier purchases, each as far as it still reaches. An
    order later than the refund is not known to it and counts as unnamed; a purchase of the same instant is
    earlier. What finds no purchase stays unlinked (it counts in refund features only). Only earlier rows
    decide, so no later row can change a link.
    """
    if not len(refunds.t):
        return Links(np.array([], np.int64), np.array([], np.int64), np.array([], np.float64))
    amounts, sizes = _amounts(purchases), _amounts(refunds)
    order_at = refunds.columns["order_at"].view(pa.int64()).to_numpy(zero_copy_only=False)  # NaN where null
    named = order_at <= refunds.t
    # Plain lists, made once: slices of them are several times faster than slices of arrays.
    orders = [int(at) if has else None for at, has in zip(order_at.tolist(), named.tolist(), strict=True)]
    refunded = (refunds.ends > refunds.starts).nonzero()[0]
    bounds = (
        side[refunded].tolist() for side in (refunds.starts, refunds.ends, purchases.starts, purchases.ends)
    )
    back_at, back, bought_at, held = (column.tolist() for column in (refunds.t, sizes, purchases.t, amounts))
    t: list[int] = []
    purchase: list[int] = []
    amount: list[float] = []
    for start, end, low, high in zip(*bounds, strict=True):
        at = back_at[start:end]
        links = _link(bought_at[low:high], held[low:high], at, back[start:end], orders[start:end])
        for refund, row, taken in links:
            t.append(at[refund])
            purchase.append(low + row)
            amount.append(taken)
    return Links(np.array(t, np.int64), np.array(purchase, np.int64), np.array(amount, np.float64))


def _link(
    bought_at: list[int],
    left: list[float],
    refund_at: list[int],
    sizes: list[float],
    orders: list[int | None],
) -> Iterator[tuple[int, int, float]]:
    """(refund, purchase, amount taken) of one customer; `left`, what each purchase still holds, is used up.

    Each purchase is opened once and closed once, so a long history costs no more than its length.
    """
    floor = [TOLERANCE * amount for amount in left]
    opened: list[int] = []  # earlier purchases, the most recent on top
    next_row = 0
    for refund, (at, size, order) in enumerate(zip(refund_at, sizes, orders, strict=True)):
        rest = size
        while next_row < len(bought_at) and bought_at[next_row] <= at:
            opened.append(next_row)
            next_row += 1
        if order is not None:
            candidates = list(range(bisect_left(bought_at, order), bisect_right(bought_at, order)))
        else:
            candidates = opened
        while candidates and rest > TOLERANCE * size:
            row = candidates[-1]
            if left[row] > floor[row]:
                taken = min(rest, left[row])
                left[row] -= taken
                rest -= taken
                yield refund, row, taken
            if left[row] <= floor[row]:
                candidates.pop()


def net_amounts(amounts: Floats, links: Links, cutoff: int) -> tuple[Floats, Bools]:
    """Amount of every purchase net of refunds with t < cutoff, and which are not fully refunded by then."""
    kept = np.ones(len(amounts), np.bool_)
    seen = links.t < cutoff
    if not seen.any():
        return amounts, kept
    net = amounts.copy()
    rows = links.purchase[seen]
    np.subtract.at(net, rows, links.amount[seen])
    kept[rows[net[rows] <= TOLERANCE * amounts[rows]]] = False
    net[rows] = np.maximum(net[rows], 0.0)  # only linked rows: the others keep their bits
    return net, kept
