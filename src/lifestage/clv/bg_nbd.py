"""The BG/NBD model of orders: likelihood, probability alive, future orders, the next order's time.

A customer orders at rate lambda ~ Gamma(r, alpha) and after each order leaves for ever with probability
p ~ Beta(a, b). Fader, Hardie & Lee (2005), "Counting Your Customers the Easy Way", Marketing Science 24(2),
275-284 (below: FHL). Symbols of the paper inside formulas: x = frequency, t_x = recency, R = r + x,
A = alpha + T. Everything is elementwise, so a customer's figures do not depend on who stands beside.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import betaln, expit, expm1, gammaln, hyp2f1, log1p, psi

from lifestage.clv.compress import Compressed
from lifestage.clv.maximise import Objective, dot
from lifestage.clv.value import future_orders
from lifestage.ragged import Floats


class BetaGeoParams(NamedTuple):
    """r, alpha (time): shape and rate of the order rate; a, b: of the probability to leave after an order."""

    r: float
    alpha: float
    a: float
    b: float


def log_odds_gone(params: BetaGeoParams, x: Floats, t_x: Floats, T: Floats) -> Floats:
    """One per customer: log odds of having left after the last order; -inf without a repeat order."""
    r, alpha, a, b = params
    odds = np.log(a / (b + np.maximum(x, 1.0) - 1.0)) + (r + x) * log1p((T - t_x) / (alpha + t_x))
    return np.where(x > 0, odds, -np.inf)


def log_likelihood(params: BetaGeoParams, x: Floats, t_x: Floats, T: Floats) -> Floats:
    """One per customer: log-likelihood of the history, FHL eq. (6), in the form of their section 7."""
    r, alpha, a, b = params
    orders = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - (r + x) * np.log(alpha + T)
    stays = betaln(a, b + x) - betaln(a, b)
    return np.asarray(orders + stays + np.logaddexp(0.0, log_odds_gone(params, x, t_x, T)), np.float64)


def probability_alive(params: BetaGeoParams, x: Floats, t_x: Floats, T: Floats) -> Floats:
    """One per customer, in [0, 1]: P(has not left by the cutoff); 1 without a repeat order.

    Fader & Hardie (2008), note 021, "Computing P(alive) using the BG/NBD model", eq. (1).
    """
    return np.asarray(expit(-log_odds_gone(params, x, t_x, T)), np.float64)


def order_rate_given_alive(params: BetaGeoParams, t: Floats, x: Floats, T: Floats) -> Floats:
    """One per customer: expected orders a unit of time, at time t >= 0 after the cutoff, if alive at it.

    Given alive, lambda ~ Gamma(R, A) and p ~ Beta(a, b + x), and the rate is E[lambda exp(-lambda p t)]
    = (R / A) 2F1(R + 1, a; a + b + x; -t / A): the derivative of FHL eq. (10). Pfaff's transformation turns
    it into the form used, whose first two arguments do not grow with x and which has no pole at a = 1.
    """
    r, alpha, a, b = params
    A = alpha + T
    # scipy's hyp2f1 loses its digits, or returns NaN, where r - a is all but an integer; 1e-7 beside it the
    # function itself differs by 1e-7
    beside = r - a - round(r - a)
    a += beside + 1e-7 if abs(beside) < 1e-7 else 0.0
    curve = hyp2f1(a, a + b - r - 1.0, a + b + x, t / (A + t))
    return np.asarray((r + x) / A * np.exp(-a * log1p(t / A)) * curve, np.float64)


def expected_purchases_given_alive(params: BetaGeoParams, t: float | Floats, x: Floats, T: Floats) -> Floats:
    """One per customer: expected orders in (cutoff, cutoff + t], if alive at the cutoff.

    The integral of `order_rate_given_alive`: FHL eq. (10) without its cancellation near a = 1.
    """
    orders, _ = future_orders(lambda s: order_rate_given_alive(params, s, x, T), params.alpha + T, t, 0.0)
    return orders


def expected_purchases(params: BetaGeoParams, t: float | Floats, x: Floats, t_x: Floats, T: Floats) -> Floats:
    """One per customer: expected orders in (cutoff, cutoff + t] given the history, FHL eq. (10)."""
    return probability_alive(params, x, t_x, T) * expected_purchases_given_alive(params, t, x, T)


def probability_of_order_given_alive(params: BetaGeoParams, t: float, x: Floats, T: Floats) -> Floats:
    """One per customer: P(at least one order within t), if alive at the cutoff: 1 - (A / (A + t))^R.

    The next order of somebody alive comes after a Gamma(R, A) mixture of exponentials (a Lomax law), since
    one can only leave after an order.
    """
    r, alpha, _, _ = params
    return np.asarray(-expm1(-(r + x) * log1p(t / (alpha + T))), np.float64)


def probability_of_order(params: BetaGeoParams, t: float, x: Floats, t_x: Floats, T: Floats) -> Floats:
    """One per customer, in [0, 1]: P(at least one order in (cutoff, cutoff + t]) given the history."""
    return probability_alive(params, x, t_x, T) * probability_of_order_given_alive(params, t, x, T)


def next_order_quantile(params: BetaGeoParams, share: float, t: float, x: Floats, T: Floats) -> Floats:
    """One per customer: time by which the next order has come with probability `share`, given one within t.

    Inverse of `probability_of_order_given_alive`; having left or not cancels, as nobody gone orders.
    """
    r, alpha, _, _ = params
    within = share * probability_of_order_given_alive(params, t, x, T)
    time = (alpha + T) * expm1(-log1p(-within) / (r + x))
    return np.asarray(np.minimum(time, t), np.float64)


def likelihood(customers: Compressed) -> Objective:
    """Log-parameters (log r, log alpha, log a, log b) -> log-likelihood of all customers and its gradient.

    Gamma functions are taken once per distinct frequency, logarithms of time once per distinct recency and
    T, and only customers with a repeat order need a term each.
    """
    x, w = customers.frequency, customers.count
    total = float(w.sum())
    ux, of_x = np.unique(x, return_inverse=True)
    w_x = np.bincount(of_x, weights=w).astype(np.float64)
    uT, of_T = np.unique(customers.T, return_inverse=True)
    w_T, wx_T = (np.bincount(of_T, weights=v).astype(np.float64) for v in (w, w * x))
    again = x > 0
    ut, of_t = np.unique(customers.recency[again], return_inverse=True)
    of_T, of_x, x, w = of_T[again], of_x[again], x[again], w[again]

    def value_and_gradient(z: Floats) -> tuple[float, Floats]:
        r, alpha, a, b = np.exp(z)
        log_T, log_t = np.log(alpha + uT), np.log(alpha + ut)
        wait = log_T[of_T] - log_t[of_t]
        odds = np.log(a / (b + np.maximum(ux, 1.0) - 1.0))[of_x] + (r + x) * wait
        gone = w * expit(odds)  # expected number of customers who left, a row
        value = dot(w_x, gammaln(r + ux) - gammaln(r) + betaln(a, b + ux) - betaln(a, b))
        value += total * r * np.log(alpha) - dot(r * w_T + wx_T, log_T) + dot(w, np.logaddexp(0.0, odds))

        d_r = dot(w_x, psi(r + ux) - psi(r)) + total * np.log(alpha) - dot(w_T, log_T) + dot(gone, wait)
        earlier = (1.0 / (alpha + uT))[of_T] - (1.0 / (alpha + ut))[of_t]
        d_alpha = total * r / alpha - dot(r * w_T + wx_T, 1.0 / (alpha + uT)) + dot(gone, (r + x) * earlier)
        both = psi(a + b) - psi(a + b + ux)
        d_a = dot(w_x, both) + float(gone.sum()) / a
        d_b = dot(w_x, both + psi(b + ux) - psi(b)) - dot(gone, 1.0 / (b + x - 1.0))
        return float(value), np.array([d_r * r, d_alpha * alpha, d_a * a, d_b * b])

    return value_and_gradient
