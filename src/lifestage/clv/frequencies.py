"""How many customers had how many repeat orders: seen, and expected by an order model of customers so old."""

import numpy as np
import pandas as pd

from lifestage.clv.model import ClvModel, lived
from lifestage.clv.summary import Summary


def repeat_order_counts(model: ClvModel, summary: Summary, most: int = 10) -> pd.DataFrame:
    """One row per number of repeat orders 0 .. most (the last: so many or more): customers seen and expected.

    Expected: the sum over customers of P(X(T) = n), FHL eq. (8), each at their own age; nothing is simulated.
    summary: what the model was fitted on, at its cutoff.
    """
    known = summary.take(summary.has_purchase)
    expected = np.zeros(most)
    for params, rows in model.alike(known):
        customers = lived(known if rows is None else known.take(rows), model.clock)
        ages, number = np.unique(customers.T, return_inverse=True)
        size = np.bincount(number, weights=customers.count)
        new = np.zeros_like(ages)
        alive = model.family.probability_alive(params, new, new, new)
        law = alive * model.family.order_counts_given_alive(params, ages, new, new, most - 1)
        law[0] += 1.0 - alive  # some models let customers leave right after the first order
        expected += (law * size).sum(axis=1)
    seen = np.bincount(np.minimum(known.frequency, most).astype(np.int64), minlength=most + 1)
    rest = float(len(known) - expected.sum())
    return pd.DataFrame(
        {"repeat_orders": np.arange(most + 1), "customers": seen, "expected": [*expected.tolist(), rest]}
    )
