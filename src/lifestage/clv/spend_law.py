"""The law of a customer's spend in a horizon, in closed form: CDF, quantiles, randomised PIT.

A mixture over the number of orders. Given k orders of a customer with x repeat days of mean m, the Gamma-Gamma
says nu ~ Gamma(q + p x, v + x m) and the sum S of the orders ~ Gamma(p k, nu), so that S / (v + x m) is
beta-prime(p k, q + p x), as in Fader & Hardie (2013), note 025, for one order more:

    P(S <= s) = P(0 orders) + sum over k >= 1 of P(k orders) I_z(p k, q + p x),   z = s / (s + v + x m)

with I the regularised incomplete beta function. v + x m, the `spend_unit`, is a mere factor: in units of it the
law hangs on q + p x and on the law of the number of orders alone, so that customers who share (x, t_x, T) share
`unit_quantile`. Everything is elementwise: a customer's figures have the same bits alone and in any block.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from lifestage.clv.gamma_gamma import SpendParams, scale_of
from lifestage.clv.spend_solve import exact, solved
from lifestage.clv.spend_terms import TERMS_A_BLOCK, blocks
from lifestage.errors import InputError
from lifestage.ragged import Floats, Ints


def spend_unit(params: SpendParams, x: Floats, m: Floats) -> Floats:
    """One per customer, currency: v + x m, the factor of all of a customer's future spend."""
    return np.asarray(scale_of(params, x) + x * m, np.float64)


def unit_shape(params: SpendParams, x: Floats) -> Floats:
    """One per customer: q + p x, the second shape of the beta-prime laws."""
    return np.asarray(params.q + params.p * x, np.float64)


def spend_cdf(params: SpendParams, counts: Floats, x: Floats, m: Floats, s: Floats) -> Floats:
    """One per customer, in [0, 1]: P(spend <= s); s: float64[n], currency.

    counts: float64[N + 1, n], P(0 .. N orders in the horizon) of each customer, scaled to a sum of 1 here; the
    caller takes N so large that hardly anything (1e-6) is left above it. Raises InputError for other counts.
    """
    return unit_cdf(params.p, unit_shape(params, x), counts, s / spend_unit(params, x, m))


def spend_quantile(params: SpendParams, counts: Floats, x: Floats, m: Floats, share: float) -> Floats:
    """One per customer, currency: the least s with P(spend <= s) >= share; exactly 0 where P(0 orders) >= share.

    counts: as in `spend_cdf`. share: in (0, 1). Raises InputError for other counts or another share.
    """
    return spend_unit(params, x, m) * unit_quantile(params.p, unit_shape(params, x), counts, share)


def randomised_pit(  # noqa: PLR0917  the CDF's five and u
    params: SpendParams, counts: Floats, x: Floats, m: Floats, actual: Floats, u: Floats
) -> Floats:
    """One per customer, in (0, 1): uniform where the law is right, for all its atom at zero.

    P(spend <= actual) where something was spent, else u x P(0 orders); u: float64[n], uniform in (0, 1), drawn by
    the caller. Czado, Gneiting & Held (2009), "Predictive model assessment for count data", Biometrics 65, 1254-1261.
    """
    nothing = actual <= 0
    found = spend_cdf(params, counts, x, m, np.where(nothing, 0.0, actual))  # at 0: the atom
    return np.where(nothing, u * found, found)


def unit_cdf(p: float, shape: Floats, counts: Floats, y: Floats) -> Floats:
    """One per customer: P(spend <= y spend units); shape: of `unit_shape`, counts: as in `spend_cdf`."""
    _check(shape, counts)
    none, found = np.empty_like(shape), np.zeros_like(shape)
    for rows, atom, terms in blocks(p, shape, counts):
        none[rows] = atom
        if not len(terms.b):
            continue
        with np.errstate(divide="ignore", over="ignore"):
            t = np.log(np.maximum(y[rows][terms.customers], 0.0))
            found[rows.start + terms.customers] = terms.sum(exact(terms, t, np.zeros(len(t), np.bool_)))
    return np.where(y < 0, 0.0, np.minimum(none + (1.0 - none) * found, 1.0))


def unit_quantile(p: float, shape: Floats, counts: Floats, share: float) -> Floats:
    """One per customer: `spend_quantile` in spend units; shape: of `unit_shape`."""
    return unit_quantiles(p, shape, counts, (share,))[0]


def unit_quantiles(p: float, shape: Floats, counts: Floats, shares: Sequence[float]) -> Floats:
    """float64[len(shares), n]: `unit_quantile` of each share."""
    for share in shares:
        if not 0 < share < 1:
            raise InputError(
                f"share is {share}, expected a number above 0 and below 1 (0.9 = the 90 % point)"
            )
    _check(shape, counts)
    found = np.zeros((len(shares), len(shape)))
    for rows, atom, law in blocks(p, shape, counts):
        none = atom[law.customers]
        spends = np.concatenate([none < share for share in shares])
        if not spends.any():
            continue
        terms = law.tiled(len(shares)).take(spends)
        share, none = (np.repeat(shares, len(none))[spends], np.tile(none, len(shares))[spends])
        # the share among those who order; rounding may have made it 1
        within = np.minimum((share - none) / (1.0 - none), 1.0 - np.finfo(np.float64).epsneg)
        t = np.exp(solved(terms, within))
        number = np.repeat(np.arange(len(shares)), len(law.customers))[spends]
        found[number, rows.start + terms.customers] = t
    return found


def joined(laws: Iterable[tuple[Ints, Floats]]) -> Iterator[tuple[Ints, Floats]]:
    """Rows and counts of `order_laws`, those of few customers in one: no more orders than a law has are certain."""
    waiting: list[tuple[Ints, Floats]] = []
    size = 0
    for rows, counts in laws:
        waiting.append((rows, counts))
        size += counts.size
        if size > TERMS_A_BLOCK:
            yield from waiting
            waiting, size = [], 0
    if len(waiting) < 2:
        yield from waiting
        return
    whole = np.zeros((max(len(counts) for _, counts in waiting), sum(len(rows) for rows, _ in waiting)))
    first = 0
    for rows, counts in waiting:
        whole[: len(counts), first : first + len(rows)] = counts
        first += len(rows)
    yield np.concatenate([rows for rows, _ in waiting]), whole


def _check(shape: Floats, counts: Floats) -> None:
    if counts.ndim != 2 or counts.shape[1:] != shape.shape or len(counts) < 2:
        raise InputError(
            f"counts has shape {counts.shape}, expected (N + 1, {len(shape)}) with N >= 1: the chances of "
            "0 .. N orders of each customer"
        )
    if counts.size and not (float(counts.min()) >= 0 and np.isfinite(counts.sum(axis=0)).all()):
        raise InputError("counts holds a number below 0 or not finite, expected chances of 0 .. N orders")
    if counts.size and not float(counts.sum(axis=0).min()) > 0:
        raise InputError("counts sums to 0 for some customer, expected chances of 0 .. N orders")
