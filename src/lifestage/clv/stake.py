"""What is lost with a customer who leaves: more than clv, which already counts the chance of leaving."""

from dataclasses import replace

import numpy as np

from lifestage.clv.model import ClvModel
from lifestage.clv.summary import Summary
from lifestage.clv.value import DAYS_A_YEAR
from lifestage.errors import InputError
from lifestage.ragged import Floats


def value_at_stake(model: ClvModel, summary: Summary, silent_days: float, p_stay: Floats) -> Floats:
    """One per customer, float64[n], currency: worth if they stay minus worth if they leave; NaN without a purchase.

    Leaving = no order within s = `silent_days` of the cutoff, as churn is defined on purchases; p_stay: the churn
    model's 1 - churn_probability, NaN where it has none. Worth is the discounted value of the orders within the
    model's horizon H, and clv is the mean of both worths:

        leaves: the value of (s, H] of a customer silent for s more days, discounted to the cutoff (0 where s >= H)
        stays:  clv = P(stays) x stays + P(leaves) x leaves

    so that at stake = stays - leaves = (clv - leaves) / P(stays). Who comes back late unasked is not counted as lost.
    P(stays) is the larger of p_stay and the CLV model's own P(order in s): where the two disagree the smaller
    worth is taken. Without that, a good customer silent for a year (clv of 2) would be at stake with the thousands
    that they would be worth were they still there, and an offer would seem to bring back the lost as easily as it
    keeps the present. With s >= H and the CLV model's chance it is the worth of a retained customer of the churn
    literature (Neslin et al. 2006; see churn.profit.gain).

    Taken on trust, as there: a customer kept by an offer is worth as much as one who stays unasked.
    Raises InputError for another number of p_stay, or one outside [0, 1].
    """
    if len(p_stay) != len(summary) or not (np.isnan(p_stay) | ((p_stay >= 0) & (p_stay <= 1))).all():
        raise InputError(
            f"p_stay: expected {len(summary)} chances from 0 to 1 (NaN: unknown), one a customer"
        )
    clv = model.predict(summary, only=("clv",))["clv"]
    left = np.zeros(len(summary))
    within = min(float(silent_days), model.horizon_days)
    p_order = model.predict(summary, within, only=("p_order",))["p_order"]
    if within < model.horizon_days:
        silent = replace(summary, T=summary.T + within, cutoff_day=summary.cutoff_day + within)
        discount = (1.0 + model.yearly_discount_rate) ** (-within / DAYS_A_YEAR)
        left = model.predict(silent, model.horizon_days - within, only=("clv",))["clv"] * discount
    stays = np.fmax(p_order, p_stay)
    found = np.zeros(len(summary))  # no chance to stay: nothing at stake
    np.divide(clv - left, stays, out=found, where=~(stays <= 0))
    # not below 0 but for rounding
    return np.where(summary.has_purchase, np.maximum(found, 0.0), np.nan)
