"""Tables of a holdout by groups of customers: frequency, silence, tenth by predicted spend, cohort."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from lifestage.clv.summary import Summary
from lifestage.ragged import Floats, Ints

LAST_FREQUENCY = 10
"""Customers with this many repeat days or more are one group of the table by frequency."""
SILENCE = (0, 30, 60, 90, 120, 180, 270, 365, 540, 730)
"""Days since the last order at which the groups of the table by silence begin."""
YOUNG_DAYS = 2 * 365
"""A shop seen for less is split by month of the first purchase, an older one by quarter."""
Columns = Mapping[str, Floats]


def by_frequency(summary: Summary, columns: Columns) -> pd.DataFrame:
    """One row per number of repeat days before the cutoff: customers, and the mean of each column."""
    group = np.minimum(summary.frequency, LAST_FREQUENCY).astype(np.int64)
    return _means(group, "frequency", columns)


def by_silence(summary: Summary, columns: Columns) -> pd.DataFrame:
    """One row per group of days since the last purchase day (`from_days` and more): customers and means."""
    silent = summary.T - summary.recency
    group = np.array(SILENCE)[np.searchsorted(SILENCE, silent, side="right") - 1]
    return _means(group, "from_days", columns)


def deciles(predicted_spend: Floats, columns: Columns) -> pd.DataFrame:
    """One row per tenth of customers by predicted spend, the best first: customers and means."""
    place = np.argsort(-predicted_spend, kind="stable")
    decile = np.empty(len(place), np.int64)
    decile[place] = np.arange(len(place)) * 10 // len(place) + 1
    return _means(decile, "decile", columns)


def cohorts(summary: Summary, columns: Columns) -> pd.DataFrame:
    """One row per quarter (in a young shop month) of the first purchase: customers, totals and their errors.

    columns: predicted_ and actual_ orders and spend. error_percent is of the actual total, NaN where that is 0.
    Without rows where the cutoff's day is not known.
    """
    names = ("predicted_orders", "actual_orders", "predicted_spend", "actual_spend")
    if math.isnan(summary.cutoff_day):
        errors = ("orders_error_percent", "spend_error_percent")
        return pd.DataFrame(columns=["cohort", "customers", *(f"total_{n}" for n in names), *errors])
    first = (summary.cutoff_day - summary.T).astype(np.int64).astype("datetime64[D]")
    months = first.astype("datetime64[M]").astype(np.int64)  # since 1970-01
    young = float(summary.T.max()) < YOUNG_DAYS
    found, number, size = np.unique(months if young else months // 3, return_inverse=True, return_counts=True)
    labels = [str(np.datetime64(m, "M")) if young else f"{1970 + m // 4}Q{m % 4 + 1}" for m in found.tolist()]
    table = pd.DataFrame({"cohort": labels, "customers": size})
    for name in names:
        table[f"total_{name}"] = np.bincount(number, weights=columns[name], minlength=len(found))
    for what in ("orders", "spend"):
        actual = table[f"total_actual_{what}"]
        ratio = table[f"total_predicted_{what}"] / actual.where(actual != 0)
        table[f"{what}_error_percent"] = 100 * (ratio - 1)
    return table


def _means(group: Ints, name: str, columns: Columns) -> pd.DataFrame:
    """One row per group present: customers in it, and the mean of each column."""
    found, number, size = np.unique(group, return_inverse=True, return_counts=True)
    means = {key: np.bincount(number, weights=values) / size for key, values in columns.items()}
    return pd.DataFrame({name: found, "customers": size, **means})
