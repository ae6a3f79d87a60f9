"""The published measures of a churn model's profit: maximum profit and expected maximum profit, from empulse.

They are for comparing models: one value for every customer, and the best threshold found on the graded customers
themselves. What a list would have earned, customer by customer, is in profit_evaluation.
"""

from typing import NamedTuple

import numpy as np

from lifestage.campaign import Profit
from lifestage.churn.profit.gain import check_probability
from lifestage.errors import InputError
from lifestage.ragged import Bools, Floats


class PublishedMeasures(NamedTuple):
    """Currency per customer, of all graded ones and not of those contacted only."""

    maximum_profit: float
    """At the best threshold, success_rate taken as known: MP of Verbeke et al. (2012)."""
    expected_maximum_profit: float
    """Mean over a success rate that is Beta-distributed, each with its own best threshold: EMPC."""


def published_measures(probability: Floats, churned: Bools, value: float, terms: Profit) -> PublishedMeasures:
    """MP and EMPC of Verbraken, Verbeke & Baesens (2013), eq. 12-16, for one value of all customers (currency).

    The success rate is Beta(m k, (1 - m) k) with m = success_rate and k = success_evidence: 0.3 and 20 give the
    Beta(6, 14) of the paper. There every stayer takes the offer (psi = 1); another psi is the same problem with
    an offer of psi d and a value of V - d + psi d, since a churner brings gamma (V - d) - f and a stayer costs
    psi d + f. Both are 0 where nobody is worth an offer (V <= d).

    Raises InputError for a probability outside [0, 1] or one class only.
    """
    check_probability(probability)
    if churned.all() or not churned.any():
        only = "churned" if churned.any() else "stayed"
        raise InputError(f"all {len(churned)} customers {only}; both outcomes are needed to measure profit")
    if value <= terms.offer_cost or terms.success_rate == 0:
        return PublishedMeasures(0.0, 0.0)
    from empulse.metrics import (
        empc_score,
        mpc_score,
    )  # takes seconds: only those who measure profit pay for it

    outcome = churned.astype(int)
    offer = terms.stayer_acceptance * terms.offer_cost
    money = {
        "clv": value - terms.offer_cost + offer,
        "incentive_cost": offer,
        "contact_cost": terms.contact_cost,
    }
    mean, evidence = terms.success_rate, terms.success_evidence
    known = float(mpc_score(outcome, probability, accept_rate=mean, **money))
    if mean == 1:
        return PublishedMeasures(known, known)
    alpha, beta = mean * evidence, (1 - mean) * evidence
    expected = float(empc_score(outcome, probability, alpha=alpha, beta=beta, **money))
    if not np.isfinite(expected):  # empulse 0.13 loses a narrow distribution to overflow
        raise InputError(
            f"expected maximum profit: the installed empulse finds none for Beta({alpha:g}, {beta:g}); lower "
            "profit.success_evidence, or install empulse 0.11"
        )
    return PublishedMeasures(known, expected)
