"""Repeat orders week by week, from a shop's first day to the end of a holdout, against what a model expects."""

from typing import Any

import numpy as np
import pandas as pd

from lifestage.clv.clock import Clock
from lifestage.clv.compress import Compressed, distinct
from lifestage.clv.daily import Daily, expected_repeats
from lifestage.clv.families import FAMILIES
from lifestage.ragged import Floats, Ints

WEEK = 7


def weekly_orders(  # noqa: PLR0917  a model is its name, parameters and clock
    days: Daily, cutoff_day: int, end_day: int, customers: Compressed, name: str, params: Any, clock: Clock
) -> pd.DataFrame:
    """One row per week: repeat orders that came, and those expected.

    days: of the customers known at the cutoff, until the holdout's end. customers: their histories at the cutoff, in
    operational days. Weeks are counted from the cutoff, both ways, so the first and last may have fewer `days`.

    week: its first day (ISO). new_customers: who came first in it. actual: repeat orders. expected: of all who had
    come by then, by the parameters alone (FHL eq. (9)). forecast: after the cutoff, given every history and the level
    ahead: what evaluation grades; NaN before. Columns `..._to_date` add up from the first week, forecast_to_date
    from what had come by the cutoff.
    """
    if not len(days):
        return pd.DataFrame()
    last = max(end_day, cutoff_day)
    borders = _borders(days.first_day, cutoff_day, last)
    expected = expected_repeats(days, name, params, clock, last)
    table = pd.DataFrame(
        {
            "week": [str(np.datetime64(day, "D")) for day in borders[:-1].tolist()],
            "days": np.diff(borders),
            "after_cutoff": borders[:-1] >= cutoff_day,
            "new_customers": _sums(days.new, days.first_day, borders),
            "actual": _sums(days.repeats, days.first_day, borders),
            "expected": _sums(expected, days.first_day, borders),
        }
    )
    after = borders[borders >= cutoff_day]
    path = forecast_path(
        customers, name, params, clock.ahead(cutoff_day, (after - cutoff_day).astype(np.float64))
    )
    table["forecast"] = np.nan
    table.loc[table["after_cutoff"], "forecast"] = np.diff(path)
    table["actual_to_date"] = table["actual"].cumsum()
    table["expected_to_date"] = table["expected"].cumsum()
    known = float(table.loc[~table["after_cutoff"], "actual"].sum())
    table["forecast_to_date"] = known + table["forecast"].cumsum()
    return table


def forecast_path(customers: Compressed, name: str, params: Any, ahead: Floats) -> Floats:
    """Orders expected of all customers within each of the times `ahead`; all in operational days."""
    family = FAMILIES[name]
    x, T = customers.frequency, customers.T
    alive = family.probability_alive(params, x, customers.recency, T) * customers.count
    # given alive the future hangs on (x, T) alone
    index, number = distinct(x, T)
    still = np.bincount(number, weights=alive, minlength=len(index))
    x, T = x[index], T[index]
    return np.array(
        [float(np.sum(still * family.expected_purchases_given_alive(params, float(t), x, T))) for t in ahead]
    )


def _borders(first: int, cutoff: int, end: int) -> Ints:
    """First days of the weeks, and the day after the last."""
    back = np.arange(cutoff, first, -WEEK)[::-1]
    ahead = np.arange(cutoff, end, WEEK)
    return np.unique(np.concatenate([[first], back, ahead, [end]])).astype(np.int64)


def _sums(values: Floats, first: int, borders: Ints) -> Floats:
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.diff(total[np.clip(borders - first, 0, len(values))])
