"""Whom to contact: what a retention offer to a customer earns, the threshold, and the list that earns most.

A contacted customer costs `contact_cost`. One who would have left is kept with chance `success_rate`, then takes
the offer (`offer_cost`) and brings the value at stake. One who would have stayed brings nothing that would not have
come anyway, and takes the offer with chance `stayer_acceptance`. With p = churn probability, V = value at stake,
gamma = success_rate, psi = stayer_acceptance, d = offer_cost, f = contact_cost:

    gain = p gamma (V - d) - (1 - p) psi d - f

With psi = 1 and one V for all, summed over those contacted, this is the profit of Neslin, Gupta, Kamakura, Lu & Mason
(2006), "Defection detection", Journal of Marketing Research 43, 204-211, as rewritten by Verbeke, Dejaeger, Martens,
Hur & Baesens (2012), European Journal of Operational Research 218, 211-229, and by Verbraken, Verbeke & Baesens (2013),
IEEE Transactions on Knowledge and Data Engineering 25, 961-973; the fixed cost of a campaign is left out, as there.
"""

import numpy as np

from lifestage.campaign import Profit
from lifestage.errors import InputError
from lifestage.ragged import Bools, Floats, Ints


def expected_gain(probability: Floats, value: Floats, terms: Profit) -> Floats:
    """One per customer, float64[n], currency: what contacting the customer is expected to earn; may be negative.

    probability: of churn, in [0, 1]. value: at stake, finite and >= 0, currency. Raises InputError for others.
    """
    check_probability(probability)
    check_value(value, len(probability))
    leaves = probability * terms.success_rate * (value - terms.offer_cost)
    stays = (1.0 - probability) * terms.stayer_acceptance * terms.offer_cost
    return leaves - stays - terms.contact_cost


def realised_gain(churned: Bools, value: Floats, terms: Profit) -> Floats:
    """One per customer, float64[n], currency: the same once it is known who would have left.

    Nobody was contacted in the data that grade a model, so whether the offer works remains an expectation.
    """
    check_value(value, len(churned))
    left = terms.success_rate * (value - terms.offer_cost)
    return np.where(churned, left, -terms.stayer_acceptance * terms.offer_cost) - terms.contact_cost


def expected_cost(probability: Floats, terms: Profit) -> Floats:
    """One per customer, float64[n], currency: the contact, and the offer where it is taken."""
    taken = probability * terms.success_rate + (1.0 - probability) * terms.stayer_acceptance
    return terms.contact_cost + taken * terms.offer_cost


def threshold(value: Floats, terms: Profit) -> Floats:
    """One per customer, float64[n]: the churn probability above which contacting earns; inf where none does.

    The p at which the gain is zero: (psi d + f) / (gamma (V - d) + psi d).
    """
    check_value(value, len(value))
    lost = terms.stayer_acceptance * terms.offer_cost
    slope = terms.success_rate * (value - terms.offer_cost) + lost
    found = np.full(len(value), np.inf)
    np.divide(lost + terms.contact_cost, slope, out=found, where=slope > 0)
    return np.where(found < 1, found, np.inf)


def most_contacts(terms: Profit) -> int | None:
    """How many customers the settings allow to contact; None: any number.

    A budget must hold even if everybody contacted takes the offer: floor(budget / (contact + offer cost)).
    """
    limits = [] if terms.max_contacts is None else [terms.max_contacts]
    dearest = terms.contact_cost + terms.offer_cost
    if terms.budget is not None and dearest > 0:
        limits.append(int(terms.budget / dearest + 1e-9))  # 3 / 0.1 must be 30
    return min(limits) if limits else None


def best_list(gain: Floats, terms: Profit) -> Ints:
    """The rows to contact, int64[k], the best first: no other list within the limits is expected to earn more.

    Each contact counts once against the limits and gains add up, so taking the largest positive gains is optimal, not
    only good. Equal gains stay in the order of the rows. Raises InputError for a gain that is not a number.
    """
    if np.isnan(gain).any():
        row = int(np.flatnonzero(np.isnan(gain))[0])
        raise InputError(f"expected gain of row {row} is NaN; give every customer a probability and a value")
    order = np.argsort(-gain, kind="stable")
    chosen = order[gain[order] > 0]
    return chosen[: most_contacts(terms)]


def check_probability(probability: Floats) -> None:
    """Raises InputError for a churn probability outside [0, 1] or NaN."""
    good = (probability >= 0) & (probability <= 1)
    if not good.all():
        row = int(np.argmin(good))
        raise InputError(
            f"churn probability of row {row} is {probability[row]}, expected 0 to 1; score the customers first, "
            "and leave out those who are not eligible"
        )


def check_value(value: Floats, n: int) -> None:
    """Raises InputError for values of another number of customers, missing, infinite or negative ones."""
    if len(value) != n:
        raise InputError(f"{len(value)} values at stake for {n} customers; give one each")
    good = (value >= 0) & np.isfinite(value)
    if not good.all():
        row = int(np.argmin(good))
        raise InputError(
            f"value at stake of row {row} is {value[row]}, expected a finite amount of 0 or more; a customer "
            "without a value cannot be weighed: give 'value' a number under 'profit', or leave the customer out"
        )
