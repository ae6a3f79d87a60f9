"""The root of a customer's law of spend: a start by a cheap law, then the exact one once or twice."""

from collections.abc import Callable

import numpy as np
from scipy.special import betainc, betaincc, log1p, ndtr, ndtri

from lifestage.clv.spend_terms import Terms
from lifestage.ragged import Bools, Floats

TOLERANCE = 1e-8
"""Of log spend, as estimated by the series of the last step; the answers are good to 1e-7 and better."""
LOST_DIGITS = 12.0
"""Log spend units from which 1 - z (or z) is so near 1 that its rounding counts."""
STEP_LIMIT = 8.0
FARTHEST = 690.0
"""Log spend units beyond which a spend is as good as 0 or infinite."""
SURE = 28.0
"""A term whose weight x exp(-score^2 / 2) is below e^-28 adds nothing, or all its weight, to an ordinary tail."""
ORDINARY = 0.01
"""Tail from which on that is so, where both shapes of the term are at least 1."""

Law = Callable[[Terms, Floats, Bools, Floats], Floats]
"""Terms, log spend [n], upper [n], log of the wanted tail [n] -> weight x P(sum <= spend), or P(sum > spend) where
upper; one per term."""


def solved(terms: Terms, within: Floats) -> Floats:
    """One per customer: log spend units below which `within` of the law given an order lies."""
    # a start from the moments of log spend, bettered with a cheap law: the exact one is then needed once or twice
    coarse = terms.thinned()
    start = _solve(coarse, paulson, _moments(coarse, within), within, tolerance=1e-4, iterations=8)
    return _solve(terms, nearly_exact, start, within, tolerance=TOLERANCE, iterations=200)


def exact(terms: Terms, t: Floats, upper: Bools) -> Floats:
    """The beta-prime law itself: lower tails from z, upper ones from 1 - z, unless that has lost its digits to 1."""
    every = np.ones(len(terms.a), np.bool_)
    return terms.weight * _chances(terms, t, upper, every)


def nearly_exact(terms: Terms, t: Floats, upper: Bools, wanted: Floats) -> Floats:
    """`exact`, but for the terms of which a normal approximation leaves no doubt that they are 0 or 1."""
    score = _score(terms, t)
    doubt = score * score < 2.0 * (SURE + np.log(terms.weight))
    doubt |= (terms.a < 1.0) | np.repeat((terms.b < 1.0) | (wanted < np.log(ORDINARY)), terms.sizes)
    whole = (score > 0) != np.repeat(upper, terms.sizes)
    found = np.where(whole, terms.weight, 0.0)
    found[doubt] = terms.weight[doubt] * _chances(terms, t, upper, doubt)
    return found


def _chances(terms: Terms, t: Floats, upper: Bools, chosen: Bools) -> Floats:
    """One per chosen term: P(sum <= spend), or P(sum > spend) where upper."""
    with np.errstate(over="ignore"):
        z, rest = np.exp(-log1p(np.exp(-t))), np.exp(-log1p(np.exp(t)))
    lost = np.where(upper, -t, t) > LOST_DIGITS
    mirrored = upper != lost
    of, a = terms.of[chosen], terms.a[chosen]
    b, swapped, argument = terms.b[of], mirrored[of], np.where(mirrored, rest, z)[of]
    first, second = np.where(swapped, b, a), np.where(swapped, a, b)
    if not lost.any():
        return np.asarray(betainc(first, second, argument), np.float64)
    found, other = np.empty_like(first), lost[of]
    found[~other] = betainc(first[~other], second[~other], argument[~other])
    found[other] = betaincc(first[other], second[other], argument[other])
    return found


def paulson(terms: Terms, t: Floats, upper: Bools, _: Floats) -> Floats:
    """A normal approximation of the law for a fiftieth of the cost."""
    score = _score(terms, t)
    return np.asarray(terms.weight * ndtr(np.where(upper[terms.of], -score, score)), np.float64)


def _score(terms: Terms, t: Floats) -> Floats:
    """One per term: normal score of P(sum <= spend), Abramowitz & Stegun 26.6.15 (Paulson)."""
    b = 1.0 / (9.0 * terms.b)
    root = np.exp(t / 3.0) * np.cbrt(terms.b)
    spread = (b * root * root)[terms.of]
    spread *= terms.root
    spread *= terms.root
    spread += terms.ninth
    score = ((1.0 - b) * root)[terms.of]
    score *= terms.root
    score -= 1.0 - terms.ninth
    score /= np.sqrt(spread, out=spread)
    return np.asarray(score, np.float64)


def _moments(terms: Terms, within: Floats) -> Floats:
    """Log spend as if normal: psi(a) - psi(b) and its spread, with log a - 1 / 2a for psi."""
    mean = np.log(terms.a) - 0.5 / terms.a
    middle = terms.sum(terms.weight * mean)
    spread = terms.sum(terms.weight * ((mean - middle[terms.of]) ** 2 + 1.0 / terms.a)) + 1.0 / terms.b
    return middle - np.log(terms.b) + 0.5 / terms.b + ndtri(within) * np.sqrt(spread)


def _solve(terms: Terms, law: Law, t: Floats, within: Floats, *, tolerance: float, iterations: int) -> Floats:
    """One per customer: log spend below which `within` of the law lies.

    The root of H(t) = log(tail / wanted tail), the smaller tail, which is nearly straight far out. Steps of the
    inverse series of H up to its third term (H's derivatives are sums of densities, all but free beside the law
    itself), Newton's where that has not settled, bisection where it leaves the bracket, and every second time
    where it dawdles (orders that hardly differ: a staircase).
    """
    found, active = np.empty_like(t), np.arange(len(t))
    low, high = np.full(len(t), -np.inf), np.full(len(t), np.inf)
    upper = within > 0.5
    wanted = np.log(np.where(upper, 1.0 - within, within))
    for turn in range(iterations):
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            value, step, error = _step(terms, law, t, upper, wanted)
        too_far = (value > 0) != upper
        low, high = np.where(too_far, low, t), np.where(too_far, t, high)
        there = t + np.minimum(np.maximum(step, -STEP_LIMIT), STEP_LIMIT)
        good = np.isfinite(step) & (there >= low) & (there <= high)
        settled = good & (error < tolerance)
        if not settled.all():
            closed = np.isfinite(low) & np.isfinite(high)
            halve = closed & ~settled & (~good | ((turn > 12) & (turn % 2 == 0)))
            middle = 0.5 * (np.where(closed, low, 0.0) + np.where(closed, high, 0.0))
            there = np.where(halve, middle, there)
            away = t + np.where(too_far, -1.0, 1.0) * min(2.0**turn, 64.0)
            there = np.where(~good & ~closed, away, there)
            settled |= closed & (high - low < 0.1 * TOLERANCE)
            settled |= (np.abs(t) == FARTHEST) & (np.abs(there) >= FARTHEST) & (there * t > 0)
        t = np.minimum(np.maximum(there, -FARTHEST), FARTHEST)
        found[active] = t
        if settled.all():
            break
        if settled.any():
            rest = ~settled
            terms, active = terms.take(rest), active[rest]
            t, low, high, wanted = (column[rest] for column in (t, low, high, wanted))
            upper = upper[rest]
    return found


def _step(terms: Terms, law: Law, t: Floats, upper: Bools, wanted: Floats) -> tuple[Floats, Floats, Floats]:
    """One per customer: H, the step to its root, and what is left of the step's series."""
    sign = np.where(upper, -1.0, 1.0)
    tail = terms.sum(law(terms, t, upper, wanted))
    rest = -log1p(np.exp(t))  # log(1 - z)
    z = np.exp(t + rest)
    # of each term's density of log spend and of its slope and bend, of which a moments of `a` are all that is needed
    density = np.exp(terms.log_factor + terms.a * (t + rest)[terms.of] + (terms.b * rest)[terms.of])
    level, once, twice = (terms.sum(v) for v in _powers(density, terms.a))
    left, pull = 1.0 - z, terms.b * z
    slope = left * once - pull * level
    bend = left * left * twice - 2.0 * left * pull * once + pull * pull * level
    bend -= z * left * (once + terms.b * level)
    first, second, third = (v * sign / tail for v in (level, slope, bend))
    second, third = second - first**2, third - 3.0 * first * second + 2.0 * first**3
    value = np.log(tail) - wanted
    newton = -value / first
    r, h = second / first, third / first
    second_term, third_term = -0.5 * r * newton**2, (0.5 * r**2 - h / 6.0) * newton**3
    size = (np.abs(r) + np.sqrt(np.abs(h))) * np.abs(newton)
    series = (size < 0.5) & (np.abs(newton) < 0.5)
    step = np.where(series, newton + second_term + third_term, newton)
    return value, step, np.where(series, size * (np.abs(third_term) + size**2 * np.abs(newton)), np.inf)


def _powers(density: Floats, a: Floats) -> tuple[Floats, Floats, Floats]:
    once = density * a
    return density, once, once * a
