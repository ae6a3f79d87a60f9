"""The MBG/NBD model of orders: a BG/NBD in which one can leave right after the first purchase.

Batislam, Denizel & Filiztekin (2007), "Empirical validation and comparison of models for customer base
analysis", International Journal of Research in Marketing 24(3), 201-209; the same as the CBG/NBD of Hoppe & Wagner
(2007). So a one-time buyer's P(alive) falls with their silence, which the BG/NBD holds at 1. Formulas:
geometric_dropout.
"""

import numpy as np
from scipy.special import expit

from lifestage.clv import geometric_dropout
from lifestage.clv.compress import Compressed
from lifestage.clv.geometric_dropout import BetaGeoParams, Likelihood
from lifestage.clv.value import future_orders
from lifestage.ragged import Floats

FIRST = 1
"""Chances to leave before the first repeat order (see geometric_dropout)."""
Params = BetaGeoParams
NAMES, MEANING, TIME = BetaGeoParams._fields, geometric_dropout.MEANING, geometric_dropout.TIME
BOUNDS, STARTS, MOVED = geometric_dropout.BOUNDS, geometric_dropout.STARTS, geometric_dropout.MOVED


def likelihood(customers: Compressed) -> Likelihood:
    """Log-parameters (log r, log alpha, log a, log b) -> log-likelihood of all customers, gradient and Hessian."""
    return Likelihood(customers, FIRST)


def log_likelihood(params: BetaGeoParams, x: Floats, t_x: Floats, T: Floats) -> Floats:
    """One per customer: log-likelihood of the history, Batislam et al. (2007)."""
    return geometric_dropout.log_likelihood(params, FIRST, x, t_x, T)


def probability_alive(params: BetaGeoParams, x: Floats, t_x: Floats, T: Floats) -> Floats:
    """One per customer, in [0, 1]: P(has not left by the cutoff).

    The odds of having left are a / (b + x) ((alpha + T) / (alpha + t_x))^(r + x), also at x = 0.
    """
    return np.asarray(expit(-geometric_dropout.log_odds_gone(params, FIRST, x, t_x, T)), np.float64)


def time_scale(params: BetaGeoParams, T: Floats) -> Floats:
    """One per customer: the time over which a customer's order rate changes."""
    return params.alpha + T


def alive_later_given_alive(params: BetaGeoParams, t: float | Floats, x: Floats, T: Floats) -> Floats:
    """One per customer, in [0, 1]: P(still alive at t after the cutoff), if alive at it."""
    return geometric_dropout.alive_later(
        geometric_dropout.alive(params, FIRST, x, T), np.asarray(t, np.float64)
    )


def order_rate_given_alive(params: BetaGeoParams, t: Floats, x: Floats, T: Floats) -> Floats:
    """One per customer: expected orders a unit of time, at time t >= 0 after the cutoff, if alive at it."""
    return geometric_dropout.order_rate(geometric_dropout.alive(params, FIRST, x, T), t)


def expected_purchases_given_alive(params: BetaGeoParams, t: float | Floats, x: Floats, T: Floats) -> Floats:
    """One per customer: expected orders in (cutoff, cutoff + t], if alive at the cutoff.

    The integral of `order_rate_given_alive`: FHL eq. (10) for this model without its cancellation near a = 1.
    """
    orders, _ = future_orders(lambda s: order_rate_given_alive(params, s, x, T), params.alpha + T, t, 0.0)
    return orders


def expected_purchases(params: BetaGeoParams, t: float | Floats, x: Floats, t_x: Floats, T: Floats) -> Floats:
    """One per customer: expected orders in (cutoff, cutoff + t] given the history."""
    return probability_alive(params, x, t_x, T) * expected_purchases_given_alive(params, t, x, T)


def probability_of_order_given_alive(
    params: BetaGeoParams, t: float | Floats, x: Floats, T: Floats
) -> Floats:
    """One per customer: P(at least one order within t), if alive at the cutoff: 1 - (A / (A + t))^R."""
    return geometric_dropout.probability_of_order(t, params.r + x, params.alpha + T)


def probability_of_order(params: BetaGeoParams, t: float, x: Floats, t_x: Floats, T: Floats) -> Floats:
    """One per customer, in [0, 1]: P(at least one order in (cutoff, cutoff + t]) given the history."""
    return probability_alive(params, x, t_x, T) * probability_of_order_given_alive(params, t, x, T)


def next_order_quantile(
    params: BetaGeoParams, share: float, t: float | Floats, x: Floats, T: Floats
) -> Floats:
    """One per customer: time by which the next order has come with probability `share`, given one within t."""
    return geometric_dropout.next_order_quantile(share, t, params.r + x, params.alpha + T)


def order_counts_given_alive(
    params: BetaGeoParams, t: float | Floats, x: Floats, T: Floats, most: int
) -> Floats:
    """P(0 ... most orders within t), if alive at the cutoff, float64[most + 1, n]."""
    return geometric_dropout.order_counts(geometric_dropout.alive(params, FIRST, x, T), t, most)
