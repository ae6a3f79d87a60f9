"""Which purchase a refund takes back: a pure function of one customer's rows in order of time."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lifestage.ragged import Bools, Floats, Ints, Ragged, owners

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
    """Links of a block of customers, in the order of the refunds.

    A refund that names its order (`order_at`) is taken from that order, and what exceeds it stays unlinked;
    any other is taken from the customer's most recent earlier purchases, each as far as it still reaches. An
    order later than the refund is not known to it and counts as unnamed; a purchase of the same instant is
    earlier. What finds no purchase stays unlinked (it counts in refund features only). Only earlier rows
    decide, so no later row can change a link.
    """
    if not len(refunds.t):
        return Links(np.array([], np.int64), np.array([], np.int64), np.array([], np.float64))
    rows = _rows(purchases, refunds)
    refunded = (refunds.ends > refunds.starts).nonzero()[0]
    if len(refunded) <= FEW_REFUNDED or not len(purchases.t):
        refund, purchase, amount = _in_turn(rows, refunded)
        return Links(refunds.t[refund], purchase, amount)
    plain, left = _plain(rows)
    parts = zip(plain, _in_turn(rows, refunded[left[refunded]]), strict=True)
    refund, purchase, amount = (np.concatenate(pair) for pair in parts)
    order = refund.argsort(kind="stable")  # a refund's own links stay in their order
    return Links(refunds.t[refund[order]], purchase[order], amount[order])


FEW_REFUNDED = 32
"""Up to so many customers with a refund the loop alone is faster; the links are the same."""


@dataclass(frozen=True)
class _Rows:
    """Purchases and refunds of a block with what both ways of linking read of them."""

    purchases: Ragged
    refunds: Ragged
    held: Floats
    """Amount of each purchase."""
    sizes: Floats
    """Amount of each refund."""
    until: Ints
    """The instant of the purchase that a refund names, else its own: what it is taken from is not later."""
    named: Bools


def _rows(purchases: Ragged, refunds: Ragged) -> _Rows:
    order_at = refunds.columns["order_at"].view(pa.int64()).to_numpy(zero_copy_only=False)  # NaN where null
    named = order_at <= refunds.t
    until = refunds.t.copy()
    until[named] = order_at[named]
    return _Rows(purchases, refunds, _amounts(purchases), _amounts(refunds), until, named)


Found = tuple[Ints, Ints, Floats]
"""Flat rows of refunds and of purchases, and the amounts taken."""


def _plain(rows: _Rows) -> tuple[Found, Bools]:
    """The links of the customers whose refunds do not meet, all at once; and which customers are left, bool[n].

    A refund is taken from one purchase if that holds enough or is the one that it names. Where no purchase is
    taken from twice, none has to be followed from one refund to the next.
    """
    owner = owners(rows.refunds)
    low = rows.purchases.starts[owner]
    end = first_above(rows.purchases.t, low, rows.purchases.ends[owner], rows.until)
    place = np.maximum(end - 1, 0)  # the latest purchase up to then, where there is one
    there = end > low
    there[rows.named] &= rows.purchases.t[place[rows.named]] == rows.until[rows.named]
    there &= (owner >= 0) & (rows.sizes > TOLERANCE * rows.sizes)
    refund = there.nonzero()[0]
    purchase, named = place[refund], rows.named[refund]
    size, held = rows.sizes[refund], rows.held[purchase]
    twin = named & (purchase > low[refund]) & (rows.purchases.t[purchase - 1] == rows.until[refund])
    once = np.bincount(purchase, minlength=len(rows.held))[purchase] == 1
    simple = once & (held > TOLERANCE * held) & np.where(named, ~twin, size <= held)
    left = np.zeros(len(rows.refunds.starts), np.bool_)
    left[owner[refund[~simple]]] = True
    plain = ~left[owner[refund]]
    return (refund[plain], purchase[plain], np.minimum(size, held)[plain]), left


def first_above(values: Ints, starts: Ints, ends: Ints, limits: Ints) -> Ints:
    """First row of [starts[i], ends[i]), which rise, with a value above limits[i], else ends[i], int64[segments].

    All segments are halved together: as many passes as the longest needs.
    """
    low, high = starts, ends
    for _ in range(int((ends - starts).max(initial=0)).bit_length()):
        middle = (low + high) // 2
        below = (low < high) & (values.take(middle, mode="clip") <= limits)
        low, high = np.where(below, middle + 1, low), np.where(below, high, middle)
    return low


def _in_turn(rows: _Rows, customers: Ints) -> Found:
    """The links of some customers, one refund after the other."""
    refund: list[int] = []
    purchase: list[int] = []
    amount: list[float] = []
    sides = (rows.refunds.starts, rows.refunds.ends, rows.purchases.starts, rows.purchases.ends)
    for start, end, low, high in zip(*(side[customers].tolist() for side in sides), strict=True):
        until, named = rows.until[start:end].tolist(), rows.named[start:end].tolist()
        links = _link(
            rows.purchases.t[low:high].tolist(),
            rows.held[low:high].tolist(),
            rows.refunds.t[start:end].tolist(),
            rows.sizes[start:end].tolist(),
            [at if has else None for at, has in zip(until, named, strict=True)],
        )
        for row, of, taken in links:
            refund.append(start + row)
            purchase.append(low + of)
            amount.append(taken)
    return np.array(refund, np.int64), np.array(purchase, np.int64), np.array(amount, np.float64)


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
