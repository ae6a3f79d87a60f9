"""The terms of a customer's law of spend, one per number of orders: which there are, and how they are kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import gammaln

from lifestage.ragged import Bools, Floats, Ints

NEGLIGIBLE = 1e-10
"""Chance, given an order, of the fewest and of the most orders left out: each end of the count law."""
TERMS_A_BLOCK = 1 << 16
MANY = 32
"""Terms from which on a customer's law may be thinned to find a start."""
THINNED = 2


@dataclass(frozen=True)
class Terms:
    """The terms of the mixture of n customers given an order, one entry per customer and number of orders.

    customers: int64[n], who, in the block. sizes: int64[n], number of terms. a = p k, weight = P(k | an order),
    log_beta = log B(a, b): per term, a customer's side by side; b = q + p x: per customer.
    """

    customers: Ints
    sizes: Ints
    a: Floats
    weight: Floats
    log_beta: Floats
    b: Floats

    @cached_property
    def starts(self) -> Ints:
        """int64[n]: each customer's first term."""
        return np.asarray(self.sizes.cumsum() - self.sizes, np.int64)

    @cached_property
    def of(self) -> Ints:
        """int64[terms]: whose a term is."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @cached_property
    def log_factor(self) -> Floats:
        """Per term: log (weight / B(a, b)), the constant part of its log density."""
        return np.asarray(np.log(self.weight) - self.log_beta, np.float64)

    @cached_property
    def ninth(self) -> Floats:
        """Per term: 1 / 9a."""
        return np.asarray(1.0 / (9.0 * self.a), np.float64)

    @cached_property
    def root(self) -> Floats:
        """Per term: a^(-1/3)."""
        return np.asarray(1.0 / np.cbrt(self.a), np.float64)

    def sum(self, values: Floats) -> Floats:
        """Of each customer's terms."""
        return np.asarray(np.add.reduceat(values, self.starts), np.float64)

    def take(self, chosen: Bools) -> "Terms":
        """Of the chosen customers."""
        if chosen.all():
            return self
        kept = chosen[self.of].nonzero()[0]  # places are taken several times faster than flags
        return Terms(
            self.customers[chosen],
            self.sizes[chosen],
            self.a[kept],
            self.weight[kept],
            self.log_beta[kept],
            self.b[chosen],
        )

    def tiled(self, times: int) -> "Terms":
        """All customers so many times, one round after the other."""
        columns = (self.customers, self.sizes, self.a, self.weight, self.log_beta, self.b)
        return self if times == 1 else Terms(*(np.concatenate([column] * times) for column in columns))

    def thinned(self) -> "Terms":
        """A coarser law of the same mean: neighbouring terms of those who have `MANY` as one."""
        step = np.where(self.sizes >= MANY, THINNED, 1)
        if not (step > 1).any():
            return self
        sizes = -(-self.sizes // step)
        first = sizes.cumsum() - sizes
        within = np.arange(int(sizes.sum())) - np.repeat(first, sizes)
        begins = np.repeat(self.starts, sizes) + within * np.repeat(step, sizes)
        weight = np.add.reduceat(self.weight, begins)
        a = np.add.reduceat(self.weight * self.a, begins) / weight
        a = np.where(np.repeat(step > 1, sizes), a, self.a[begins])  # no rounding where nothing is thinned
        return Terms(self.customers, sizes, a, weight, log_beta(a, np.repeat(self.b, sizes)), self.b)


def log_beta(a: Floats, b: Floats) -> Floats:
    """log B(a, b), good enough for densities that lead to a root."""
    return np.asarray(gammaln(a) + gammaln(b) - gammaln(a + b), np.float64)


def blocks(p: float, shape: Floats, counts: Floats) -> Iterator[tuple[slice, Floats, Terms]]:
    """Customers by the block: where they stand, P(0 orders) of each, and the terms of those who may order."""
    size = max(1, TERMS_A_BLOCK // len(counts))
    a_of = p * np.arange(1.0, len(counts))
    gamma_of = gammaln(a_of)
    for begin in range(0, len(shape), size):
        rows = slice(begin, min(begin + size, len(shape)))
        block = np.ascontiguousarray(counts[:, rows].T)
        none, chance = block[:, 0], np.ascontiguousarray(block[:, 1:])
        up_to = np.add.accumulate(chance, axis=1)
        some = up_to[:, -1:]
        atom, least = none / (none + some[:, 0]), NEGLIGIBLE * some
        kept = (up_to > least) & ((some - up_to) + chance > least) & (chance > 0)
        sizes = kept.sum(axis=1)
        customers = sizes.nonzero()[0]
        if len(customers) < len(sizes):
            sizes = sizes[customers]
        of = np.repeat(customers, sizes)
        at = kept.nonzero()[1]
        a, b, weight = a_of[at], shape[rows], chance[kept]
        if len(customers):
            weight = weight / np.repeat(np.add.reduceat(weight, sizes.cumsum() - sizes), sizes)
        log_whole = gamma_of[at] + gammaln(b)[of] - gammaln(a + b[of])
        yield rows, atom, Terms(customers, sizes, a, weight, log_whole, b[customers])
