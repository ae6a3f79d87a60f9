"""The law of a customer's spend in a horizon, in closed form: CDF, quantiles, randomised PIT.

A mixture over the number of orders. Given k orders of a customer with x repeat days of mean m, the Gamma-Gamma
says nu ~ Gamma(q + p x, v + x m) and the sum S of the orders ~ Gamma(p k, nu), so that S / (v + x m) is
beta-prime(p k, q + p x), as in Fader & Hardie (2013), note 025, for one order more:

    P(S <= s) = P(0 orders) + sum over k >= 1 of P(k orders) I_z(p k, q + p x),   z = s / (s + v + x m)

with I the regularised incomplete beta function. v + x m, the `spend_unit`, is a mere factor: in units of it the
law hangs on q + p x and on the law of the number of orders alone, so that customers who share (x, t_x, T) share
`unit_quantile`. Everything is elementwise: a customer's figures have the same bits alone and in any block.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, betaincc, betaln, log1p, ndtr, ndtri

from lifestage.clv.gamma_gamma import SpendParams, scale_of
from lifestage.errors import InputError
from lifestage.ragged import Bools, Floats, Ints

NEGLIGIBLE = 1e-10
"""Chance, given an order, of the fewest and of the most orders left out: each end of the count law."""
TOLERANCE = 1e-8
"""Of log spend, as estimated by the series of the last step; the answers are good to 1e-7 and better."""
TERMS_A_BLOCK = 1 << 16
LOST_DIGITS = 12.0
"""Log spend units from which 1 - z (or z) is so near 1 that its rounding counts."""
STEP_LIMIT = 8.0
FARTHEST = 690.0
"""Log spend units beyond which a spend is as good as 0 or infinite."""


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
    for rows, atom, terms in _blocks(p, shape, counts):
        none[rows] = atom
        if not len(terms.b):
            continue
        with np.errstate(divide="ignore", over="ignore"):
            t = np.log(np.maximum(y[rows][terms.customers], 0.0))
            found[rows.start + terms.customers] = terms.sum(_exact(terms, t, np.zeros(len(t), np.bool_)))
    return np.where(y < 0, 0.0, np.minimum(none + (1.0 - none) * found, 1.0))


def unit_quantile(p: float, shape: Floats, counts: Floats, share: float) -> Floats:
    """One per customer: `spend_quantile` in spend units; shape: of `unit_shape`."""
    if not 0 < share < 1:
        raise InputError(f"share is {share}, expected a number above 0 and below 1 (0.9 = the 90 % point)")
    _check(shape, counts)
    found = np.zeros_like(shape)
    for rows, atom, all_terms in _blocks(p, shape, counts):
        spends = atom[all_terms.customers] < share
        if not spends.any():
            continue
        terms = all_terms.take(spends)
        none = atom[terms.customers]
        # the share among those who order; rounding may have made it 1
        within = np.minimum((share - none) / (1.0 - none), 1.0 - np.finfo(np.float64).epsneg)
        # a start from the moments of log spend, bettered with a cheap law: the exact one is then needed once or twice
        start = _moments(terms, within)
        start = _solve(terms, _paulson, start, within, tolerance=1e-4, iterations=8)
        t = _solve(terms, _exact, start, within, tolerance=TOLERANCE, iterations=200)
        found[rows.start + terms.customers] = np.exp(t)
    return found


@dataclass(frozen=True, slots=True)
class _Terms:
    """The terms of the mixture of n customers given an order, one entry per customer and number of orders.

    customers: int64[n], who, in the block. starts: int64[n], each one's first term. of: int64[terms], whose a
    term is. a = p k, weight = P(k | an order), log_beta = log B(a, b): per term; b = q + p x: per customer.
    """

    customers: Ints
    starts: Ints
    of: Ints
    a: Floats
    weight: Floats
    log_beta: Floats
    b: Floats

    def sum(self, values: Floats) -> Floats:
        """Of each customer's terms."""
        return np.asarray(np.add.reduceat(values, self.starts), np.float64)

    def take(self, chosen: Bools) -> "_Terms":
        """Of the chosen customers."""
        if chosen.all():
            return self
        kept, sizes = chosen[self.of], np.diff(np.append(self.starts, len(self.of)))[chosen]
        ends = np.cumsum(sizes)
        return _Terms(
            self.customers[chosen],
            ends - sizes,
            np.repeat(np.arange(len(sizes)), sizes),
            self.a[kept],
            self.weight[kept],
            self.log_beta[kept],
            self.b[chosen],
        )


Law = Callable[[_Terms, Floats, Bools], Floats]
"""Terms, log spend [n], upper [n] -> weight x P(sum <= spend), or P(sum > spend) where upper; one per term."""


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


def _blocks(p: float, shape: Floats, counts: Floats) -> Iterator[tuple[slice, Floats, _Terms]]:
    """Customers by the block: where they stand, P(0 orders) of each, and the terms of those who may order."""
    size = max(1, TERMS_A_BLOCK // len(counts))
    for begin in range(0, len(shape), size):
        rows = slice(begin, min(begin + size, len(shape)))
        chance = np.ascontiguousarray(counts[:, rows].T)
        up_to = np.cumsum(chance, axis=1)
        atom, chance = chance[:, 0] / up_to[:, -1], chance[:, 1:]
        some = np.cumsum(chance, axis=1)[:, -1:]
        least = NEGLIGIBLE * some
        kept = (np.cumsum(chance, axis=1) > least) & (np.cumsum(chance[:, ::-1], axis=1)[:, ::-1] > least)
        kept &= chance > 0
        customers = np.flatnonzero(kept.any(axis=1))
        if not len(customers):
            yield rows, atom, _nobody()
            continue
        of, k = np.nonzero(kept[customers])
        starts = np.flatnonzero(np.diff(of, prepend=-1))
        a = np.asarray(p * (k + 1.0), np.float64)
        b = shape[rows][customers]
        weight = chance[customers][of, k]
        weight = weight / np.add.reduceat(weight, starts)[of]
        yield rows, atom, _Terms(customers, starts, of, a, weight, betaln(a, b[of]), b)


def _nobody() -> _Terms:
    whole, real = np.empty(0, np.int64), np.empty(0)
    return _Terms(whole, whole, whole, real, real, real, real)


def _exact(terms: _Terms, t: Floats, upper: Bools) -> Floats:
    """The beta-prime law itself: lower tails from z, upper ones from 1 - z, unless that has lost its digits to 1."""
    with np.errstate(over="ignore"):
        z, rest = np.exp(-log1p(np.exp(-t))), np.exp(-log1p(np.exp(t)))
    lost = np.where(upper, -t, t) > LOST_DIGITS
    swapped = (upper != lost)[terms.of]
    b = terms.b[terms.of]
    first, second = np.where(swapped, b, terms.a), np.where(swapped, terms.a, b)
    argument = np.where(upper != lost, rest, z)[terms.of]
    if not lost.any():
        return np.asarray(terms.weight * betainc(first, second, argument), np.float64)
    found, other = np.empty_like(first), lost[terms.of]
    found[~other] = betainc(first[~other], second[~other], argument[~other])
    found[other] = betaincc(first[other], second[other], argument[other])
    return terms.weight * found


def _paulson(terms: _Terms, t: Floats, upper: Bools) -> Floats:
    """A normal approximation of the law for a fiftieth of the cost: Abramowitz & Stegun 26.6.15 (Paulson)."""
    of, a = terms.of, 1.0 / (9.0 * terms.a)
    b = 1.0 / (9.0 * terms.b)
    root = np.exp(t / 3.0) * np.cbrt(terms.b)
    ratio = root[of] / np.cbrt(terms.a)
    w = ((1.0 - b)[of] * ratio - (1.0 - a)) / np.sqrt(b[of] * ratio**2 + a)
    return np.asarray(terms.weight * ndtr(np.where(upper[of], -w, w)), np.float64)


def _moments(terms: _Terms, within: Floats) -> Floats:
    """Log spend as if normal: psi(a) - psi(b) and its spread, with log a - 1 / 2a for psi."""
    mean = np.log(terms.a) - 0.5 / terms.a
    middle = terms.sum(terms.weight * mean)
    spread = terms.sum(terms.weight * ((mean - middle[terms.of]) ** 2 + 1.0 / terms.a)) + 1.0 / terms.b
    return middle - np.log(terms.b) + 0.5 / terms.b + ndtri(within) * np.sqrt(spread)


def _solve(
    terms: _Terms, law: Law, t: Floats, within: Floats, *, tolerance: float, iterations: int
) -> Floats:
    """One per customer: log spend below which `within` of the law lies.

    The root of H(t) = log(tail / wanted tail), the smaller tail, which is nearly straight far out. Steps of the
    inverse series of H up to its third term (H's derivatives are sums of densities, all but free beside the law
    itself), Newton's where that has not settled, bisection where it leaves the bracket, and every second time
    where it dawdles (orders that hardly differ: a staircase).
    """
    t, active = t.copy(), np.arange(len(t))
    low, high = np.full(len(t), -np.inf), np.full(len(t), np.inf)
    upper = within > 0.5
    wanted = np.log(np.where(upper, 1.0 - within, within))
    for turn in range(iterations):
        here, above = t[active], upper[active]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            value, step, error = _step(terms, law, here, above, wanted[active])
        too_far = (value > 0) != above
        low[active] = np.where(too_far, low[active], here)
        high[active] = np.where(too_far, here, high[active])
        lowest, highest = low[active], high[active]
        there = here + np.clip(step, -STEP_LIMIT, STEP_LIMIT)
        good = np.isfinite(step) & (there >= lowest) & (there <= highest)
        settled = good & (error < tolerance)
        closed = np.isfinite(lowest) & np.isfinite(highest)
        halve = closed & ~settled & (~good | ((turn > 12) & (turn % 2 == 0)))
        there = np.where(halve, 0.5 * (np.where(closed, lowest, 0.0) + np.where(closed, highest, 0.0)), there)
        away = ~good & ~closed
        there = np.where(away, here + np.where(too_far, -1.0, 1.0) * min(2.0**turn, 64.0), there)
        there = np.clip(there, -FARTHEST, FARTHEST)
        settled |= closed & (highest - lowest < 0.1 * TOLERANCE)
        settled |= (there == here) & (np.abs(there) == FARTHEST)
        t[active] = there
        if settled.all():
            break
        terms, active = terms.take(~settled), active[~settled]
    return t


def _step(terms: _Terms, law: Law, t: Floats, upper: Bools, wanted: Floats) -> tuple[Floats, Floats, Floats]:
    """One per customer: H, the step to its root, and what is left of the step's series."""
    of, sign = terms.of, np.where(upper, -1.0, 1.0)
    tail = terms.sum(law(terms, t, upper))
    rest = -log1p(np.exp(t))  # log(1 - z)
    z = np.exp(t + rest)
    slope = terms.a * (1.0 - z)[of] - (terms.b * z)[of]  # of each log density of log spend
    density = terms.weight * np.exp(terms.a * (t + rest)[of] + (terms.b * rest)[of] - terms.log_beta)
    bend = slope**2 - terms.a * (z * (1.0 - z))[of] - (terms.b * z * (1.0 - z))[of]
    first, second, third = (terms.sum(v) * sign / tail for v in (density, density * slope, density * bend))
    second, third = second - first**2, third - 3.0 * first * second + 2.0 * first**3
    value = np.log(tail) - wanted
    newton = -value / first
    r, h = second / first, third / first
    second_term, third_term = -0.5 * r * newton**2, (0.5 * r**2 - h / 6.0) * newton**3
    size = (np.abs(r) + np.sqrt(np.abs(h))) * np.abs(newton)
    series = (size < 0.5) & (np.abs(newton) < 0.5)
    step = np.where(series, newton + second_term + third_term, newton)
    return value, step, np.where(series, size * (np.abs(third_term) + size**2 * np.abs(newton)), np.inf)
