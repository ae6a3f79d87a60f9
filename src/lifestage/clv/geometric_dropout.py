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
from scipy.special import betaln, expit, expm1, gammaln, hyp2f1, log1p, log_expit, polygamma, psi

from lifestage.clv.compress import Compressed
from lifestage.clv.maximise import dot
from lifestage.ragged import Floats

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
MOVED = ((1, -1), (2, 1))
"""(Place, sign) of the parameter that a covariate of the order rate moves, and of that of leaving."""


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

    E[lambda exp(-lambda p t)] = (R / A) 2F1(R + 1, a; a + B; -t / A): the derivative of FHL eq. (10).
    """
    return np.asarray(now.R / now.A * _mean_power(now, now.R + 1.0, t), np.float64)


def alive_later(now: Alive, t: Floats) -> Floats:
    """One per customer, in [0, 1]: P(still alive at t after the cutoff), if alive at it.

    E[exp(-lambda p t)] = 2F1(R, a; a + B; -t / A).
    """
    return np.asarray(np.clip(_mean_power(now, now.R, t), 0.0, 1.0), np.float64)


ALIKE = 20.0
"""From an `a` so large on customers are nearly alike in how they leave, and 2F1 overflows."""
LOGIT_NODES = 96
FEW = 64
"""Up to so many customers a call per number of orders would cost more than its numbers."""


def _mean_power(now: Alive, power: Floats, t: Floats) -> Floats:
    """E[(1 + p t / A)^-power] over p ~ Beta(a, B): 2F1(power, a; a + B; -t / A).

    Pfaff's transformation turns it into the form used, whose first two arguments do not grow with x and which has
    no pole at a = 1. For large a the trapezoidal rule over log(p / (1 - p)), whose density is all but a normal one,
    so that the rule's error falls exponentially with its nodes.
    """
    R, A, a, B = now
    if a < ALIKE:
        curve = hyp2f1(a, a + B - power, a + B, t / (A + t))
        return np.asarray(np.exp(-a * log1p(t / A)) * curve, np.float64)
    middle, spread = np.log(a) - np.log(B), np.sqrt(1.0 / a + 1.0 / B)
    total, weights = np.zeros(np.broadcast_shapes(np.shape(t), np.shape(R))), np.zeros_like(B)
    top = a * log_expit(middle) + B * log_expit(-middle)
    for node in np.linspace(-12.0, 12.0, LOGIT_NODES):
        y = middle + node * spread
        weight = np.exp(a * log_expit(y) + B * log_expit(-y) - top)
        total += weight * np.exp(-power * log1p(expit(y) * t / A))
        weights += weight
    return np.asarray(total / weights, np.float64)


def probability_of_order(t: float | Floats, R: Floats, A: Floats) -> Floats:
    """One per customer: P(at least one order within t), if alive at the cutoff: 1 - (A / (A + t))^R.

    The next order of somebody alive comes after a Gamma(R, A) mixture of exponentials (a Lomax law), since
    one can only leave after an order.
    """
    return np.asarray(-expm1(-R * log1p(t / A)), np.float64)


def next_order_quantile(
    share: float | Floats, t: float | Floats, R: Floats, A: Floats, some: Floats | None = None
) -> Floats:
    """One per customer: time by which the next order has come with probability `share`, given one within t.

    Inverse of `probability_of_order` (`some`, where it is known already); having left or not cancels, as nobody gone
    orders.
    """
    within = share * (probability_of_order(t, R, A) if some is None else some)
    return np.asarray(np.minimum(A * expm1(-log1p(-within) / R), t), np.float64)


def order_counts(now: Alive, t: float | Floats, most: int) -> Floats:
    """P(0 ... most orders within t), if alive at the cutoff, float64[most + 1, n]: FHL eq. (8) given alive.

    n orders come to those who stayed after each, or left after the last of them; the latter may have had time
    for more.
    """
    R, A, a, B = now
    log_late = np.log(t) - np.log(A + t)
    # negative binomial: P(n orders) of one who never leaves; by logarithms, since P(none) of a frequent customer is
    # less than any number
    log_chance = -R * log1p(t / A)
    chance = np.exp(log_chance)
    fewer = np.zeros_like(chance)  # P(fewer than n orders) of one who never leaves
    stayed = np.ones_like(chance)  # E[(1 - p)^n]
    if chance.ndim == 1 and len(chance) <= FEW:
        return _counts_of_few(now, log_chance, log_late, most)
    found = np.empty((most + 1, *np.shape(chance)))
    for n in range(most + 1):
        if n:
            left_now = stayed * a / (a + B + n - 1.0)  # E[p (1 - p)^(n - 1)]
            stayed *= (B + n - 1.0) / (a + B + n - 1.0)
            found[n] = stayed * chance + left_now * np.maximum(1.0 - fewer, 0.0)
        else:
            found[n] = chance
        fewer += chance
        log_chance += np.log((R + n) / (n + 1.0)) + log_late
        chance = np.exp(log_chance)
    return found


def _counts_of_few(now: Alive, log_none: Floats, log_late: Floats, most: int) -> Floats:
    """`order_counts` with all n at once, since for few customers a call per n costs more than its numbers.

    Every running sum and product takes one factor after the other, as the loop does: the same bits.
    """
    R, _, a, B = now
    n = np.arange(most + 1.0)[:, None]
    grown = np.log((R + n[:-1]) / (n[:-1] + 1.0)) + log_late
    chance = np.exp(np.add.accumulate(np.concatenate([log_none[None], grown])))
    below = a + B + n[1:] - 1.0
    stayed = np.multiply.accumulate((B + n[1:] - 1.0) / below)
    before = np.concatenate([np.ones_like(log_none)[None], stayed[:-1]])
    fewer = np.add.accumulate(chance[:-1])
    found = chance
    found[1:] = stayed * chance[1:] + before * a / below * np.maximum(1.0 - fewer, 0.0)
    return found


class Likelihood:
    """Log-parameters (log r, log alpha, log a, log b) -> log-likelihood of all customers, its gradient and Hessian.

    Gamma functions are taken once per distinct frequency, logarithms of time once per distinct recency and
    T, and only customers who had a chance to leave need a term each.
    """

    def __init__(self, customers: Compressed, first: int) -> None:
        x, w = customers.frequency, customers.count
        self._total = float(w.sum())
        self._ux, of_x = np.unique(x, return_inverse=True)
        self._chances = self._ux + first
        self._w_x = np.bincount(of_x, weights=w).astype(np.float64)
        self._uT, of_T = np.unique(customers.T, return_inverse=True)
        self._w_T, self._wx_T = (np.bincount(of_T, weights=v).astype(np.float64) for v in (w, w * x))
        again = x + first > 0
        self._ut, self._of_t = np.unique(customers.recency[again], return_inverse=True)
        self._of_T, self._of_x, self._x, self._w = of_T[again], of_x[again], x[again], w[again]
        self._before = self._x + (first - 1.0)  # chances before the last one

    def _odds(self, r: float, alpha: float, a: float, b: float) -> tuple[Floats, Floats]:
        """Log odds of having left, a row, and the logarithm of time since in terms of alpha that they rest on."""
        wait = np.log(alpha + self._uT)[self._of_T] - np.log(alpha + self._ut)[self._of_t]
        level = np.log(a / (b + np.maximum(self._chances, 1.0) - 1.0))
        return level[self._of_x] + (r + self._x) * wait, wait

    def _inverses(self, alpha: float) -> tuple[Floats, Floats]:
        return (1.0 / (alpha + self._uT))[self._of_T], (1.0 / (alpha + self._ut))[self._of_t]

    def __call__(self, z: Floats) -> tuple[float, Floats]:
        r, alpha, a, b = (float(v) for v in np.exp(z))
        w_x, ux, c, log_T = self._w_x, self._ux, self._chances, np.log(alpha + self._uT)
        held = r * self._w_T + self._wx_T
        odds, wait = self._odds(r, alpha, a, b)
        gone = self._w * expit(odds)  # expected number of customers who left, a row
        value = dot(w_x, gammaln(r + ux) - gammaln(r) + betaln(a, b + c) - betaln(a, b))
        value += self._total * r * np.log(alpha) - dot(held, log_T) + dot(self._w, np.logaddexp(0.0, odds))

        d_r = dot(w_x, psi(r + ux) - psi(r)) + self._total * np.log(alpha) - dot(self._w_T, log_T)
        d_r += dot(gone, wait)
        over_T, over_t = self._inverses(alpha)
        d_alpha = self._total * r / alpha - dot(held, 1.0 / (alpha + self._uT))
        d_alpha += dot(gone, (r + self._x) * (over_T - over_t))
        both = psi(a + b) - psi(a + b + c)
        d_a = dot(w_x, both) + float(gone.sum()) / a
        d_b = dot(w_x, both + psi(b + c) - psi(b)) - dot(gone, 1.0 / (b + self._before))
        return float(value), np.array([d_r * r, d_alpha * alpha, d_a * a, d_b * b])

    def hessian(self, z: Floats) -> Floats:
        """Second derivatives in the log-parameters, float64[4, 4]."""
        theta = np.exp(z)
        r, alpha, a, b = (float(v) for v in theta)
        w_x, ux, c = self._w_x, self._ux, self._chances
        odds, wait = self._odds(r, alpha, a, b)
        gone = self._w * expit(odds)
        over_T, over_t = self._inverses(alpha)
        # first and second derivatives of the log odds; those not named are 0
        first = (wait, (r + self._x) * (over_T - over_t), np.full_like(odds, 1 / a), -1 / (b + self._before))
        spread = gone * expit(-odds)
        H = np.zeros((4, 4))
        for i, one in enumerate(first):
            weighted = spread * one
            for j, two in enumerate(first[: i + 1]):
                H[i, j] = H[j, i] = dot(weighted, two)
        r_alpha = dot(gone, over_T - over_t)
        H[1, 1] += dot(gone, (r + self._x) * (over_t**2 - over_T**2))
        H[2, 2] -= float(gone.sum()) / a**2
        H[3, 3] += dot(gone, 1 / (b + self._before) ** 2)
        # the rest of the log-likelihood
        H[0, 0] += dot(w_x, polygamma(1, r + ux) - polygamma(1, r))
        r_alpha += self._total / alpha - dot(self._w_T, 1 / (alpha + self._uT))
        H[1, 1] += dot(r * self._w_T + self._wx_T, 1 / (alpha + self._uT) ** 2) - self._total * r / alpha**2
        both = dot(w_x, polygamma(1, a + b) - polygamma(1, a + b + c))
        H[2, 2] += both
        H[3, 3] += both + dot(w_x, polygamma(1, b + c) - polygamma(1, b))
        for i, j, value in ((0, 1, r_alpha), (2, 3, both)):
            H[i, j] += value
            H[j, i] += value
        return np.asarray(H * np.outer(theta, theta) + np.diag(self(z)[1]), np.float64)
