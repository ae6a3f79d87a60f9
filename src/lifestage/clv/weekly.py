"""Repeat orders week by week, from a shop's first day to the end of a holdout, against what a model expects."""

from typing import Any

import numpy as np
import pandas as pd

from lifestage.clv.compress import Compressed, distinct
from lifestage.clv.daily import Daily, expected_repeats
from lifestage.clv.families import FAMILIES
from lifestage.clv.model import ClvModel, lived
from lifestage.clv.summary import Summary
from lifestage.ragged import Floats, Ints

WEEK = 7


def weekly_orders(model: ClvModel, summary: Summary, days: Daily, horizon_days: int) -> pd.DataFrame:
    """One row per week: repeat orders that came, and those expected.

    summary: customers with a purchase, at the cutoff. days: of them, until the holdout's end. Weeks are counted from
    the cutoff, both ways, so the first and last may have fewer `days`.

    week: its first day (ISO). new_customers: who came first in it. actual: repeat orders. expected: of all who had
    come by then, by the parameters alone (FHL eq. (9)). forecast: after the cutoff, given every history and the level
    ahead: what evaluation grades; NaN before. Columns `..._to_date` add up from the first week, forecast_to_date
    from what had come by the cutoff.
    """
    if not len(summary):
        return pd.DataFrame()
    cutoff, clock = int(summary.cutoff_day), model.clock
    first_days = cutoff - summary.T.astype(np.int64)
    first, end = int(first_days.min()), cutoff + horizon_days
    borders = _borders(first, cutoff, end)
    after = borders[borders >= cutoff]
    ahead = clock.ahead(cutoff, (after - cutoff).astype(np.float64))
    expected, path = np.zeros(end - first), np.zeros(len(after))
    for params, rows in model.alike(summary):
        chosen = slice(None) if rows is None else rows
        some = summary if rows is None else summary.take(rows)
        new = np.bincount(first_days[chosen] - first).astype(np.float64)
        born = Daily(first, new, np.zeros(len(new)))
        expected += expected_repeats(born, model.order_model, params, clock, end)
        path += forecast_path(lived(some, clock), model.order_model, params, ahead)
    table = pd.DataFrame(
        {
            "week": [str(np.datetime64(day, "D")) for day in borders[:-1].tolist()],
            "days": np.diff(borders),
            "after_cutoff": borders[:-1] >= cutoff,
            "new_customers": _sums(np.bincount(first_days - first), first, borders),
            "actual": _sums(days.repeats, days.first_day, borders),
            "expected": _sums(expected, first, borders),
        }
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


def _sums(values: Floats | Ints, first: int, borders: Ints) -> Floats:
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.diff(total[np.clip(borders - first, 0, len(values))])
