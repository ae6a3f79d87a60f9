"""What the order model foresees, as columns of the churn model: BG/NBD fitted for each cutoff on the days before it."""

from collections.abc import Mapping

import numpy as np

from lifestage.churn.base import P_NO_ORDER
from lifestage.clv import bg_nbd, order_choice
from lifestage.clv.compress import Compressed
from lifestage.clv.geometric_dropout import BetaGeoParams
from lifestage.clv.summary import Summary
from lifestage.errors import InputError
from lifestage.ragged import Floats

P_ALIVE = "btyd_p_alive"
ORDER_COLUMNS = (P_NO_ORDER, P_ALIVE)

OrderParams = Mapping[str, float]
"""r, alpha (days), a, b of a BG/NBD: all that a churn model carries of it."""


def fit_orders(buyers: Compressed) -> dict[str, float] | None:
    """Parameters for the customers of a cutoff; None where the data allow no such model."""
    try:
        return {k: float(v) for k, v in order_choice.fit_orders(buyers, ("bg_nbd",)).params._asdict().items()}
    except InputError:
        return None


def order_columns(params: OrderParams, summary: Summary, horizon_days: float) -> dict[str, Floats]:
    """One row per customer of a summary in days, probabilities; NaN without a purchase.

    btyd_p_no_order: no order within `horizon_days` after the cutoff; btyd_p_alive: not gone for good at the
    cutoff. Fader, Hardie & Lee (2005); a customer's figures have the same bits alone and in any block.
    """
    known = np.flatnonzero(summary.has_purchase)
    x, t_x, T = summary.frequency[known], summary.recency[known], summary.T[known]
    model = BetaGeoParams(**params)
    alive = bg_nbd.probability_alive(model, x, t_x, T)
    order = bg_nbd.probability_of_order_given_alive(model, horizon_days, x, T)
    columns = {name: np.full(len(summary), np.nan) for name in ORDER_COLUMNS}
    columns[P_NO_ORDER][known] = 1.0 - alive * order
    columns[P_ALIVE][known] = alive
    return columns


def expected_orders(params: OrderParams, summary: Summary, horizon_days: float) -> Floats:
    """One row per customer with a purchase: orders expected within the horizon (the rule that grades)."""
    model = BetaGeoParams(**params)
    return bg_nbd.expected_purchases(model, horizon_days, summary.frequency, summary.recency, summary.T)
