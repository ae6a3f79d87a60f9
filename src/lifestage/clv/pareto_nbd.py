"""The Pareto/NBD model of orders: likelihood, probability alive, future orders, the next order's time.

A customer orders at rate lambda ~ Gamma(r, alpha) and leaves for ever after a time of rate mu ~ Gamma(s, beta),
at any moment and not only after an order. Schmittlein, Morrison & Colombo (1987), "Counting Your Customers:
Who Are They and What Will They Do Next?", Management Science 33(1), 1-24; Fader & Hardie (2005), "A Note on
Deriving the Pareto/NBD Model and Related Expressions" (below: FH); Fader, Hardie & Lee (2005), "RFM and CLV",
Journal of Marketing Research 42(4), 415-430 (FHL). Symbols of the papers inside formulas: x = frequency,
t_x = recency. Given alive, lambda ~ Gamma(R, A) and mu ~ Gamma(s, B) independently, with R = r + x,
A = alpha + T, B = beta + T. Everything is elementwise, so a customer's figures do not depend on who stands
beside; a new customer has x = 0 and T = 0.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, expm1, exprel, gammaln, log1p, psi

from lifestage.clv import pareto_counts
from lifestage.clv.compress import Compressed
from lifestage.clv.decay_integral import columns, decay_integral, decay_means
from lifestage.clv.maximise import Objective, dot
from lifestage.clv.value import _nodes
from lifestage.ragged import Floats


class ParetoParams(NamedTuple):
    """r, alpha (time): shape and rate of the order rate; s, beta (time): of the rate of leaving."""

    r: float
    alpha: float
    s: float
    beta: float


NAMES = ParetoParams._fields
MEANING = {
    "r": "how much customers' order rates differ",
    "alpha": "the level of order rates",
    "s": "how much customers' rates of leaving differ",
    "beta": "the level of the rates of leaving",
}
TIME = (1, 3)
"""Indices of the parameters that carry time."""
MOVED = ((1, -1), (3, -1))
"""(Place, sign) of the parameter that a covariate of the order rate moves, and of that of leaving."""
Params = ParetoParams
order_counts_given_alive = pareto_counts.order_counts_given_alive
# of (log r, log alpha, log s, log beta), times in units of the largest T
BOUNDS = np.log(np.array([[1e-5, 1e3], [1e-4, 1e4], [1e-4, 1e3], [1e-4, 1e4]]))
STARTS = np.log(np.array([[0.5, 0.2, 0.6, 0.3], [1.0, 1.0, 1.0, 1.0], [0.7, 0.5, 0.1, 0.5]]))


def log_odds_gone(params: ParetoParams, x: Floats, t_x: Floats, T: Floats) -> Floats:
    """One per customer: log odds of having left by the cutoff; -inf where the last order is at the cutoff.

    FH eqs. (36) and (37) with A_0 as the integral that it is, free of its closed form's cancellation.
    """
    r, alpha, s, beta = params
    p, a, q, b = columns(r + x, alpha + t_x, s + 1.0, beta + t_x)
    since = T - t_x
    with np.errstate(divide="ignore"):
        integral = np.log(decay_integral(p, a, q, b, since))
    odds = np.log(s) + p * log1p(since / a) + s * log1p(since / b) - np.log(b) + integral
    return np.asarray(odds, np.float64)


def log_likelihood(params: ParetoParams, x: Floats, t_x: Floats, T: Floats) -> Floats:
    """One per customer: log-likelihood of the history, FH eq. (18)."""
    r, alpha, s, beta = params
    orders = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - (r + x) * np.log(alpha + T)
    stays = -s * log1p(T / beta)
    return np.asarray(orders + stays + np.logaddexp(0.0, log_odds_gone(params, x, t_x, T)), np.float64)


def probability_alive(params: ParetoParams, x: Floats, t_x: Floats, T: Floats) -> Floats:
    """One per customer, in [0, 1]: P(has not left by the cutoff), FH eq. (36)."""
    return np.asarray(expit(-log_odds_gone(params, x, t_x, T)), np.float64)


def time_scale(params: ParetoParams, T: Floats) -> Floats:
    """One per customer: the time over which a customer's order rate changes."""
    return params.beta + T


def alive_later_given_alive(
    params: ParetoParams,
    t: float | Floats,
    x: Floats,  # noqa: ARG001  the models of the family share their signatures
    T: Floats,
) -> Floats:
    """One per customer, in [0, 1]: P(has not left by cutoff + t), if alive at the cutoff: (B / (B + t))^s."""
    return np.asarray(np.exp(-params.s * log1p(t / (params.beta + T))), np.float64)


def order_rate_given_alive(params: ParetoParams, t: float | Floats, x: Floats, T: Floats) -> Floats:
    """One per customer: expected orders a unit of time, at time t >= 0 after the cutoff, if alive at it."""
    return (params.r + x) / (params.alpha + T) * alive_later_given_alive(params, t, x, T)


def expected_purchases_given_alive(params: ParetoParams, t: float | Floats, x: Floats, T: Floats) -> Floats:
    """One per customer: expected orders in (cutoff, cutoff + t], if alive at the cutoff.

    FH eq. (41) without P(alive): R B / (A (s - 1)) [1 - (B / (B + t))^(s - 1)], with its limit at s = 1.
    """
    r, alpha, s, beta = params
    ahead = log1p(t / (beta + T))
    time_alive = (beta + T) * ahead * exprel(-(s - 1.0) * ahead)
    return np.asarray((r + x) / (alpha + T) * time_alive, np.float64)


def expected_purchases(params: ParetoParams, t: float | Floats, x: Floats, t_x: Floats, T: Floats) -> Floats:
    """One per customer: expected orders in (cutoff, cutoff + t] given the history, FH eq. (41)."""
    return probability_alive(params, x, t_x, T) * expected_purchases_given_alive(params, t, x, T)


def probability_of_order_given_alive(params: ParetoParams, t: float | Floats, x: Floats, T: Floats) -> Floats:
    """One per customer, in [0, 1]: P(at least one order within t), if alive at the cutoff.

    The next order comes at y with density E[lambda exp(-lambda y)] E[exp(-mu y)]
    = R / A (1 + y/A)^-(R + 1) (1 + y/B)^-s: one can leave before it.
    """
    r, alpha, s, beta = params
    R, A, q, B, end = columns(r + x, alpha + T, s, beta + T, t)
    within = R / A * decay_integral(R + 1.0, A, q, B, end)
    return np.asarray(np.minimum(within, 1.0), np.float64)


def probability_of_order(
    params: ParetoParams, t: float | Floats, x: Floats, t_x: Floats, T: Floats
) -> Floats:
    """One per customer, in [0, 1]: P(at least one order in (cutoff, cutoff + t]) given the history."""
    return probability_alive(params, x, t_x, T) * probability_of_order_given_alive(params, t, x, T)


def next_order_quantile(
    params: ParetoParams,
    share: float | Floats,
    t: float | Floats,
    x: Floats,
    T: Floats,
    *,
    some: Floats | None = None,
) -> Floats:
    """One per customer: time by which the next order has come with probability `share`, given one within t.

    0 <= share < 1. some: `probability_of_order_given_alive` of the customers, where it is known already.
    Inverse of that probability by Halley's steps inside a shrinking bracket, each customer until their own step
    is below 1e-4 of the time: the error is of its third power.
    """
    r, alpha, s, beta = params
    R, A, q, B, end, part = columns(r + x, alpha + T, s, beta + T, t, share)
    within = part * (probability_of_order_given_alive(params, end, x, T) if some is None else some)
    # start: the Lomax law with the same density and slope at 0
    power = R + s
    scale = (power + 1.0) / ((R + 1.0) / A + s / B)
    time = scale * expm1(-log1p(part * expm1(-power * log1p(end / scale))) / power)
    low, high = np.zeros_like(time), end
    found, rows = np.empty_like(time), np.arange(len(time))
    for _ in range(100):
        y = np.minimum(np.maximum(time, low), high)
        rate = R / A
        density = rate * np.exp(-(R + 1.0) * log1p(y / A) - s * log1p(y / B))
        over = rate * decay_integral(R + 1.0, A, q, B, y) - within
        low, high = np.where(over <= 0, y, low), np.where(over >= 0, y, high)
        with np.errstate(divide="ignore", invalid="ignore"):
            newton = over / density
            time = y - newton / (1.0 + newton * ((R + 1.0) / (A + y) + s / (B + y)) / 2.0)
        inside = (time >= low) & (time <= high)  # false for NaN
        if not inside.all():
            time = np.where(inside, time, (low + high) / 2.0)
        found[rows] = time
        wanted = np.abs(time - y) > 1e-4 * time
        if not wanted.any():
            break
        if not wanted.all():
            rows = rows[wanted]
            R, A, q, B, within, time, low, high = (c[wanted] for c in (R, A, q, B, within, time, low, high))
    return np.asarray(np.minimum(found, end), np.float64)


def discounted_orders_for_ever(params: ParetoParams, rate: float, x: Floats, T: Floats) -> Floats:
    """One per customer: all future orders, discounted by exp(-rate t), if alive at the cutoff (DERT).

    rate > 0: continuous, per unit of time (of a yearly rate d: log(1 + d) / 365.25 a day). FHL eq. (2) without
    P(alive): R/A B Psi(1, 2 - s; rate B), with Tricomi's Psi. scipy's hyperu overflows or loses digits for some
    s, so it is integrated: over v = log(1 + t/B) of exp(-(s - 1) v - z (e^v - 1)), z = rate B, in two pieces,
    on one of which the power decides and on the other the discount; at least eleven digits.
    """
    r, alpha, s, beta = params
    ages, of_age = np.unique(T, return_inverse=True)
    z = rate * (beta + ages)
    fall = 37.0 / max(s - 1.0, 1e-300)
    first = np.minimum(log1p(1.0 / z), fall)
    last = np.minimum(log1p(40.0 / z) - log1p(1.0 / z), fall)
    total = np.zeros_like(z)
    for node, weight in zip(*_nodes(32), strict=True):
        for start, length in ((0.0, first), (first, last)):
            v = start + node * length
            total += weight * length * np.exp(-(s - 1.0) * v - z * expm1(v))
    return np.asarray((r + x) / (alpha + T) * ((beta + ages) * total)[of_age], np.float64)


def likelihood(customers: Compressed) -> Objective:
    """Log-parameters (log r, log alpha, log s, log beta) -> log-likelihood of all customers and its gradient.

    Gamma functions are taken once per distinct frequency and the logarithms of T once per distinct T; the
    integral is differentiated under its sign.
    """
    x, t_x, T, w = customers.frequency, customers.recency, customers.T, customers.count
    total, since = float(w.sum()), customers.T - customers.recency
    ux, of_x = np.unique(x, return_inverse=True)
    w_x = np.bincount(of_x, weights=w).astype(np.float64)
    uT, of_T = np.unique(T, return_inverse=True)
    w_T, wx_T = (np.bincount(of_T, weights=v).astype(np.float64) for v in (w, w * x))

    def value_and_gradient(z: Floats) -> tuple[float, Floats]:
        r, alpha, s, beta = np.exp(z)
        R, a, b = r + x, alpha + t_x, beta + t_x
        under = decay_means(R, a, np.full_like(x, s + 1.0), b, since)
        wait_a, wait_b = np.log1p(since / a), np.log1p(since / b)
        with np.errstate(divide="ignore"):
            odds = np.log(s) + R * wait_a + s * wait_b + np.log(under.integral / b)
        gone = w * expit(odds)  # expected number of customers who left, a row
        log_a, log_b = np.log(alpha + uT), np.log(beta + uT)
        value = dot(w_x, gammaln(r + ux) - gammaln(r)) + dot(w, np.logaddexp(0.0, odds))
        value += total * (r * np.log(alpha) + s * np.log(beta)) - dot(r * w_T + wx_T, log_a)
        value -= s * dot(w_T, log_b)

        d_r = dot(w_x, psi(r + ux) - psi(r)) + total * np.log(alpha) - dot(w_T, log_a)
        d_r += dot(gone, wait_a - under.log_a)
        d_alpha = total * r / alpha - dot(r * w_T + wx_T, 1.0 / (alpha + uT))
        d_alpha += dot(gone, R * (1.0 / (alpha + T) - under.inverse_a))
        d_s = total * np.log(beta) - dot(w_T, log_b) + dot(gone, 1.0 / s + wait_b - under.log_b)
        d_beta = total * s / beta - s * dot(w_T, 1.0 / (beta + uT))
        d_beta += dot(gone, s / (beta + T) - (s + 1.0) * under.inverse_b)
        return float(value), np.array([d_r * r, d_alpha * alpha, d_s * s, d_beta * beta])

    return value_and_gradient
