"""A BG/NBD or an MBG/NBD as one set of functions, which differ by one number (see geometric_dropout)."""

import numpy as np
from scipy.special import expit

from lifestage.clv import geometric_dropout as law
from lifestage.clv.compress import Compressed
from lifestage.clv.geometric_dropout import BetaGeoParams, Likelihood
from lifestage.clv.value import future_orders
from lifestage.ragged import Floats


class GeometricModel:
    """The functions that families.Family asks for; `first`: chances to leave before the first repeat order."""

    def __init__(self, first: int) -> None:
        self.first = first

    def likelihood(self, customers: Compressed) -> Likelihood:
        """Log-parameters (log r, log alpha, log a, log b) -> log-likelihood of all, gradient and Hessian."""
        return Likelihood(customers, self.first)

    def log_likelihood(self, params: BetaGeoParams, x: Floats, t_x: Floats, T: Floats) -> Floats:
        """One per customer: log-likelihood of the history, FHL eq. (6) and Batislam et al. (2007)."""
        return law.log_likelihood(params, self.first, x, t_x, T)

    def probability_alive(self, params: BetaGeoParams, x: Floats, t_x: Floats, T: Floats) -> Floats:
        """One per customer, in [0, 1]: P(has not left by the cutoff); 1 where there was no chance to leave.

        Fader & Hardie (2008), note 021, "Computing P(alive) using the BG/NBD model", eq. (1).
        """
        return np.asarray(expit(-law.log_odds_gone(params, self.first, x, t_x, T)), np.float64)

    def time_scale(self, params: BetaGeoParams, T: Floats) -> Floats:
        """One per customer: the time over which a customer's order rate changes."""
        return params.alpha + T

    def alive_later_given_alive(
        self, params: BetaGeoParams, t: float | Floats, x: Floats, T: Floats
    ) -> Floats:
        """One per customer, in [0, 1]: P(still alive at t after the cutoff), if alive at it."""
        return law.alive_later(law.alive(params, self.first, x, T), np.asarray(t, np.float64))

    def order_rate_given_alive(self, params: BetaGeoParams, t: Floats, x: Floats, T: Floats) -> Floats:
        """One per customer: expected orders a unit of time, at time t >= 0 after the cutoff, if alive at it."""
        return law.order_rate(law.alive(params, self.first, x, T), t)

    def expected_purchases_given_alive(
        self, params: BetaGeoParams, t: float | Floats, x: Floats, T: Floats
    ) -> Floats:
        """One per customer: expected orders in (cutoff, cutoff + t], if alive at the cutoff.

        The integral of `order_rate_given_alive`: FHL eq. (10) without its cancellation near a = 1.
        """
        scale = self.time_scale(params, T)
        return future_orders(lambda s: self.order_rate_given_alive(params, s, x, T), scale, t, 0.0)[0]

    def expected_purchases(
        self, params: BetaGeoParams, t: float | Floats, x: Floats, t_x: Floats, T: Floats
    ) -> Floats:
        """One per customer: expected orders in (cutoff, cutoff + t] given the history."""
        alive = self.probability_alive(params, x, t_x, T)
        return alive * self.expected_purchases_given_alive(params, t, x, T)

    def probability_of_order_given_alive(
        self, params: BetaGeoParams, t: float | Floats, x: Floats, T: Floats
    ) -> Floats:
        """One per customer: P(at least one order within t), if alive at the cutoff: 1 - (A / (A + t))^R."""
        return law.probability_of_order(t, params.r + x, params.alpha + T)

    def probability_of_order(
        self, params: BetaGeoParams, t: float, x: Floats, t_x: Floats, T: Floats
    ) -> Floats:
        """One per customer, in [0, 1]: P(at least one order in (cutoff, cutoff + t]) given the history."""
        alive = self.probability_alive(params, x, t_x, T)
        return alive * self.probability_of_order_given_alive(params, t, x, T)

    def next_order_quantile(
        self,
        params: BetaGeoParams,
        share: float | Floats,
        t: float | Floats,
        x: Floats,
        T: Floats,
        *,
        some: Floats | None = None,
    ) -> Floats:
        """One per customer: time by which the next order has come with probability `share`, given one within t.

        some: `probability_of_order_given_alive` of the customers, where it is known already.
        """
        return law.next_order_quantile(share, t, params.r + x, params.alpha + T, some)

    def order_counts_given_alive(
        self, params: BetaGeoParams, t: float | Floats, x: Floats, T: Floats, most: int
    ) -> Floats:
        """P(0 ... most orders within t), if alive at the cutoff, float64[most + 1, n]."""
        return law.order_counts(law.alive(params, self.first, x, T), t, most)
