"""What the BG/NBD and the MBG/NBD share: a customer orders at a rate and leaves after an order with a chance.

The rate is lambda ~ Gamma(r, alpha), the chance p ~ Beta(a, b), independent. The two models differ in whether one
can leave right after the first purchase, before any repeat: `first` = 0 (BG/NBD) or 1 (MBG/NBD) such chances, so
that x repeat orders have given x + first of them. Below, FHL: Fader, Hardie & Lee (2005), Marketing Science 24(2),
275-284; symbols of the paper: x = frequency, t_x = recency, R = r + x, A = alpha + T, and B = b + x + first.

Given alive at the cutoff, lambda ~ Gamma(R, A) and p ~ Beta(a, B) in both, and the next chance to leave is after
the next order: the future hangs on (R, A, a, B) alone. Everything is elementwise, so a customer's figures do not
depend on who stands beside.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import betaln, expit, expm1, gammaln, hyp2f1, log1p, psi

from lifestage.clv.compress import Compressed
from lifestage.clv.maximise import Objective, dot
from lifestage.ragged import Floats

NAMES = ("r", "alpha", "a", "b")
MEANING = {
    "r": "how much customers' order rates differ",
    "alpha": "the level of order rates",
    "a": "how likely customers are to leave after an order",
    "b": "how likely customers are to stay after an order",
}
# of (log r, log alpha, log a, log b), times in units of the largest T
BOUNDS = np.log(np.array([[1e-5, 1e3], [1e-4, 1e4], [1e-4, 1e4], [1e-4, 1e4]]))
STARTS = np.log(np.array([[0.3, 0.1, 0.8, 2.5], [1.0, 1.0, 1.0, 1.0], [0.5, 0.3, 0.05, 2.0]]))
TIME = (1,)
"""The parameters that are times."""


class BetaGeoParams(NamedTuple):
    """r, alpha (time): shape and rate of the order rate; a, b: of the probability to leave after an order."""

    r: float
    alpha: float
    a: float
    b: float


class Alive(NamedTuple):
    """What a customer's future hangs on, if alive at the cutoff: lambda ~ Gamma(R, A), p ~ Beta(a, B)."""

    R: Floats
    A: Floats
    a: float
    B: Floats


def alive(params: BetaGeoParams, first: int, x: Floats, T: Floats) -> Alive:
    """One per customer."""
    r, alpha, a, b = params
    # scipy's hyp2f1 loses its digits, or returns NaN, where r - a is all but an integer; 1e-7 beside it the
    # function itself differs by 1e-7
    beside = r - a - round(r - a)
    a += beside + 1e-7 if abs(beside) < 1e-7 else 0.0
    return Alive(r + x, alpha + T, a, b + x + first)


def log_odds_gone(params: BetaGeoParams, first: int, x: Floats, t_x: Floats, T: Floats) -> Floats:
    """One per customer: log odds of having left after the last order; -inf where there was no chance to."""
    r, alpha, a, b = params
    chances = x + first
    odds = np.log(a / (b + np.maximum(chances, 1.0) - 1.0)) + (r + x) * log1p((T - t_x) / (alpha + t_x))
    return np.where(chances > 0, odds, -np.inf)


def log_likelihood(params: BetaGeoParams, first: int, x: Floats, t_x: Floats, T: Floats) -> Floats:
    """One per customer: log-likelihood of the history, FHL eq. (6), in the form of their section 7."""
    r, alpha, a, b = params
    orders = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - (r + x) * np.log(alpha + T)
    stays = betaln(a, b + x + first) - betaln(a, b)
    gone = log_odds_gone(params, first, x, t_x, T)
    return np.asarray(orders + stays + np.logaddexp(0.0, gone), np.float64)


def order_rate(now: Alive, t: Floats) -> Floats:
    """One per customer: expected orders a unit of time, at time t >= 0 after the cutoff, if alive at it.

    E[lambda exp(-lambda p t)] = (R / A) 2F1(R + 1, a; a + B; -t / A): the derivative of FHL eq. (10). Pfaff's
    transformation turns it into the form used, whose first two arguments do not grow with x and which has no
    pole at a = 1.
    """
    R, A, a, B = now
    curve = hyp2f1(a, a + B - R - 1.0, a + B, t / (A + t))
    return np.asarray(R / A * np.exp(-a * log1p(t / A)) * curve, np.float64)


def alive_later(now: Alive, t: Floats) -> Floats:
    """One per customer, in [0, 1]: P(still alive at t after the cutoff), if alive at it.

    E[exp(-lambda p t)] = 2F1(R, a; a + B; -t / A), transformed as in `order_rate`.
    """
    R, A, a, B = now
    curve = hyp2f1(a, a + B - R, a + B, t / (A + t))
    return np.asarray(np.clip(np.exp(-a * log1p(t / A)) * curve, 0.0, 1.0), np.float64)


def probability_of_order(t: float | Floats, R: Floats, A: Floats) -> Floats:
    """One per customer: P(at least one order within t), if alive at the cutoff: 1 - (A / (A + t))^R.

    The next order of somebody alive comes after a Gamma(R, A) mixture of exponentials (a Lomax law), since
    one can only leave after an order.
    """
    return np.asarray(-expm1(-R * log1p(t / A)), np.float64)


def next_order_quantile(share: float, t: float | Floats, R: Floats, A: Floats) -> Floats:
    """One per customer: time by which the next order has come with probability `share`, given one within t.

    Inverse of `probability_of_order`; having left or not cancels, as nobody gone orders.
    """
    within = share * probability_of_order(t, R, A)
    return np.asarray(np.minimum(A * expm1(-log1p(-within) / R), t), np.float64)


def order_counts(now: Alive, t: float | Floats, most: int) -> Floats:
    """P(0 ... most orders within t), if alive at the cutoff, float64[most + 1, n]: FHL eq. (8) given alive.

    n orders come to those who stayed after each, or left after the last of them; the latter may have had time
    for more.
    """
    R, A, a, B = now
    late = t / (A + t)
    chance = np.exp(-R * log1p(t / A))  # negative binomial: P(n orders) of one who never leaves
    fewer = np.zeros_like(chance)  # P(fewer than n orders) of one who never leaves
    stayed = np.ones_like(chance)  # E[(1 - p)^n]
    found = np.empty((most + 1, *np.shape(chance)))
    for n in range(most + 1):
        if n:
            left_now = stayed * a / (a + B + n - 1.0)  # E[p (1 - p)^(n - 1)]
            stayed *= (B + n - 1.0) / (a + B + n - 1.0)
            found[n] = stayed * chance + left_now * np.maximum(1.0 - fewer, 0.0)
        else:
            found[n] = chance
        fewer += chance
        chance = chance * (R + n) / (n + 1.0) * late
    return found


def likelihood(customers: Compressed, first: int) -> Objective:
    """Log-parameters (log r, log alpha, log a, log b) -> log-likelihood of all customers and its gradient.

    Gamma functions are taken once per distinct frequency, logarithms of time once per distinct recency and
    T, and only customers who had a chance to leave need a term each.
    """
    x, w = customers.frequency, customers.count
    total = float(w.sum())
    ux, of_x = np.unique(x, return_inverse=True)
    w_x = np.bincount(of_x, weights=w).astype(np.float64)
    uT, of_T = np.unique(customers.T, return_inverse=True)
    w_T, wx_T = (np.bincount(of_T, weights=v).astype(np.float64) for v in (w, w * x))
    again = x + first > 0
    ut, of_t = np.unique(customers.recency[again], return_inverse=True)
    of_T, of_x, x, w = of_T[again], of_x[again], x[again], w[again]

    def value_and_gradient(z: Floats) -> tuple[float, Floats]:
        r, alpha, a, b = np.exp(z)
        log_T, log_t = np.log(alpha + uT), np.log(alpha + ut)
        wait = log_T[of_T] - log_t[of_t]
        odds = np.log(a / (b + np.maximum(ux + first, 1.0) - 1.0))[of_x] + (r + x) * wait
        gone = w * expit(odds)  # expected number of customers who left, a row
        value = dot(w_x, gammaln(r + ux) - gammaln(r) + betaln(a, b + ux + first) - betaln(a, b))
        value += total * r * np.log(alpha) - dot(r * w_T + wx_T, log_T) + dot(w, np.logaddexp(0.0, odds))

        d_r = dot(w_x, psi(r + ux) - psi(r)) + total * np.log(alpha) - dot(w_T, log_T) + dot(gone, wait)
        earlier = (1.0 / (alpha + uT))[of_T] - (1.0 / (alpha + ut))[of_t]
        d_alpha = total * r / alpha - dot(r * w_T + wx_T, 1.0 / (alpha + uT)) + dot(gone, (r + x) * earlier)
        both = psi(a + b) - psi(a + b + ux + first)
        d_a = dot(w_x, both) + float(gone.sum()) / a
        d_b = dot(w_x, both + psi(b + ux + first) - psi(b)) - dot(gone, 1.0 / (b + x + first - 1.0))
        return float(value), np.array([d_r * r, d_alpha * alpha, d_a * a, d_b * b])

    return value_and_gradient
