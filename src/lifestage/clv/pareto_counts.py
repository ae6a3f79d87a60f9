"""The law of the number of orders ahead under the Pareto/NBD, given alive at the cutoff.

Symbols as in pareto_nbd: lambda ~ Gamma(R, A), mu ~ Gamma(s, B). Let S(y) = (B / (B + y))^s be the chance to stay
for y, and NB(n; y) that of n orders in y of somebody who stays. The (n + 1)th order comes within t with chance

    J(n) = integral from 0 to t of S(y) (R + n) / (A + y) NB(n; y) dy,   P(n) = J(n - 1) - J(n),   J(-1) = 1.

In u = y / (A + y) the integrand is u^n (1 - u)^(R + s - 1) (1 - c u)^-s but for a factor, with c = 1 - A / B. The
derivative of u^n (1 - u)^(R + s) (1 - c u)^(1 - s) ties three neighbours together, which for P says

    (R + n) P(n) = c (n + 1) P(n + 1) + s (1 - c) J(n) + (R + n) NB(n; t) S(t) (1 - c u_t).

From the most orders down to none this is stable for c >= -1 (for c >= 0 nothing is subtracted), at three products a
number; it starts from one quadrature. Customers with c < -1 (A > 2 B) get the quadrature for every number: the
mixture that Fader & Hardie (2014), note 028, bring into closed form.
"""

import numpy as np
from scipy.special import gammaln

from lifestage.clv.decay_integral import columns
from lifestage.clv.value import _nodes
from lifestage.ragged import Bools, Floats, Ints

COUNT_NODES_FOR_SHARPNESS_AND_SPAN = (
    *((24, 3.0, 3.0), (32, 4.0, 5.0), (48, 6.0, 5.0), (64, 13.0, 7.0), (96, 25.0, 12.0)),
    *((192, 50.0, np.inf), (384, 100.0, np.inf), (768, np.inf, np.inf)),
)
"""How many nodes give the law of the number of orders to ten digits; see `order_counts_given_alive`."""
LEAST_C = -1.0
FEW = 12
"""Up to so many customers the recursion runs on plain numbers: a call per number of orders would cost more."""
NODES_A_BLOCK = 1 << 12
TERMS_A_BLOCK = 1 << 16


def order_counts_given_alive(
    params: tuple[float, float, float, float], t: float | Floats, x: Floats, T: Floats, most: int
) -> Floats:
    """P(exactly 0, 1, ... most orders in (cutoff, cutoff + t]), if alive at the cutoff; [most + 1, customers].

    Integrals over w, where y = near (exp(V w^2) - 1), near = min(A, B): in w all the laws' peaks have about the
    same width, so that the nodes they need are known from R log(1 + t/A).
    """
    r, alpha, s, beta = params
    R, A, B, end = columns(r + x, alpha + T, beta + T, t)
    left_by = np.minimum(end, B * np.expm1(min(36.0 / s, 600.0)))
    span = np.log1p(left_by / np.minimum(A, B))
    sharp = np.sqrt(R * np.log1p(left_by / A))
    down = 1.0 - A / B >= LEAST_C
    above, out = np.empty((2, len(R))), np.empty((most + 1, len(R)))
    rest: Bools = np.ones(len(R), np.bool_)
    for count, sharpest, longest in COUNT_NODES_FOR_SHARPNESS_AND_SPAN:
        chosen = rest & (sharp < sharpest) & (span < longest)
        if not chosen.any():
            continue
        rest &= ~chosen
        step = max(NODES_A_BLOCK // count, 1)
        for rows, found, law in ((chosen & down, above, _above), (chosen & ~down, out, _mixture)):
            index: Ints = rows.nonzero()[0]
            for first in range(0, len(index), step):
                k = index[first : first + step]
                found[:, k] = law((R[k], A[k], B[k], end[k], span[k]), s, count, most)
        if not rest.any():
            break
    index = down.nonzero()[0]
    step = max(TERMS_A_BLOCK // (most + 1), 1)
    for first in range(0, len(index), step):
        k = index[first : first + step]
        out[:, k] = _downwards((R[k], A[k], B[k], end[k]), s, above[:, k], most)
    return out


def _left(columns: tuple[Floats, ...], count: int) -> tuple[Floats, Floats]:
    """[n, count] each: times active of those who leave, and the logarithms of their weights in an integral."""
    _, A, B, _, span = columns
    node, weight = _nodes(count)
    near = np.minimum(A, B)[:, None]
    with np.errstate(divide="ignore"):
        v = span[:, None] * node**2
        log_jacobian = np.log(2.0 * weight * node * span[:, None] * near) + v
    return near * np.expm1(v), log_jacobian


def _above(customers: tuple[Floats, ...], s: float, count: int, most: int) -> Floats:
    """[2, n]: P(more than most orders), P(exactly most + 1)."""
    R, A, B, end, _ = (column[:, None] for column in customers)
    active, log_weight = _left(customers, count)
    with np.errstate(divide="ignore"):
        log_law = gammaln(R + most) - gammaln(R) - gammaln(most + 1.0)
        log_law = log_law - R * np.log1p(active / A) + most * np.log(active / (A + active))
        log_last = gammaln(R + most + 1.0) - gammaln(R) - gammaln(most + 2.0)
        log_last = log_last - R * np.log1p(end / A) + (most + 1.0) * np.log(end / (A + end))
    law = np.exp(log_law + log_weight - s * np.log1p(active / B)) * ((R + most) / (A + active))
    starts = np.arange(len(R)) * count
    more = np.add.reduceat(law.ravel(), starts)
    left = np.add.reduceat((law * (active / (B + active))).ravel(), starts) * (s / (most + 1.0))
    stayed = np.exp(log_last - s * np.log1p(end / B))[:, 0]
    return np.stack([more, stayed + left])


def _downwards(customers: tuple[Floats, ...], s: float, above: Floats, most: int) -> Floats:
    """[most + 1, n]: the law from the most orders down to none; above: of `_above`."""
    R, A, B, end = customers
    n = np.arange(most + 1.0)[:, None]
    with np.errstate(divide="ignore"):
        log_law = np.empty((most + 1, len(R)))
        log_law[0] = -R * np.log1p(end / A)
        log_law[1:] = np.log((R + n[:-1]) / n[1:] * (end / (A + end)))
        np.add.accumulate(log_law, out=log_law)
    alone = np.exp(log_law)  # of logarithms: P(none) of a frequent customer is less than any number
    alone *= np.exp(-s * np.log1p(end / B)) * (A * (B + end) / (B * (A + end)))
    following = (1.0 - A / B) * (n + 1.0) / (R + n)
    leaving = s * (A / B) / (R + n)
    more, next_one = above
    if len(R) <= FEW:
        found = [
            _chain(*one)
            for one in zip(*(c.T.tolist() for c in (following, leaving, alone, next_one, more)), strict=True)
        ]
        return np.maximum(np.array(found).T, 0.0)
    law, more, chance = np.empty_like(alone), more.copy(), next_one
    kept, part = np.empty_like(R), np.empty_like(R)
    down = (column[::-1] for column in (following, leaving, alone, law))
    for follows, leaves, one, found_here in zip(*down, strict=True):
        np.multiply(follows, chance, out=kept)
        kept += np.multiply(leaves, more, out=part)
        chance = np.add(kept, one, out=found_here)
        more += chance
    return np.maximum(law, 0.0, out=law)


def _chain(
    following: list[float], leaving: list[float], alone: list[float], chance: float, more: float
) -> list[float]:
    """One customer's law, none first: the steps of `_downwards` on plain numbers, which have the same bits."""
    law = []
    for follows, leaves, one in zip(reversed(following), reversed(leaving), reversed(alone), strict=True):
        chance = follows * chance + leaves * more + one
        law.append(chance)
        more += chance
    law.reverse()
    return law


def _mixture(customers: tuple[Floats, ...], s: float, count: int, most: int) -> Floats:
    """[most + 1, n]: the law with `count` nodes for every customer.

    One entry per customer and time active, a customer's side by side: each number of orders is one pass over all of
    them, and each customer's sum is taken by itself.
    """
    R, A, B, end, _ = (column[:, None] for column in customers)
    left, log_jacobian = _left(customers, count)
    with np.errstate(divide="ignore"):
        stayed = -s * np.log1p(end / B)
        log_weight = np.hstack([stayed, np.log(s / B) - (s + 1.0) * np.log1p(left / B) + log_jacobian])
        active = np.hstack([end, left])
        log_step = np.log(active / (A + active))
    log_law = log_weight - R * np.log1p(active / A)  # logarithms, as a recursion: it cannot overflow
    starts = np.arange(len(R)) * (count + 1)
    law = np.empty((most + 1, len(R)))
    law[0] = np.add.reduceat(np.exp(log_law).ravel(), starts)
    for n in range(1, most + 1):
        log_law += log_step + np.log1p((R - 1.0) / n)  # of Gamma(R + n) / n! from n - 1 to n
        law[n] = np.add.reduceat(np.exp(log_law).ravel(), starts)
    return law
