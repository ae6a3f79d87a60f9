"""Holdout evaluation: orders and spend foreseen at a cutoff against what came, beside the naive rate."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from lifestage.clv.summary import Summary
from lifestage.errors import InputError
from lifestage.ragged import Floats, Ints

LAST_FREQUENCY = 10
"""Customers with this many repeat days or more are one group of the table by frequency."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of one holdout.

    errors: metric by "<model|naive>_<orders|spend>". by_frequency: one row per number of repeat days before
    the cutoff. deciles: one row per tenth of customers by predicted spend, the best first. Both tables hold
    means per customer.
    """

    errors: Mapping[str, Mapping[str, float]]
    by_frequency: pd.DataFrame
    deciles: pd.DataFrame
    horizon_days: float

    def metrics(self) -> dict[str, float]:
        """One finite number per "<model|naive>_<orders|spend>_<metric>"; an undefined one is left out."""
        return {
            f"{name}_{metric}": value for name, row in self.errors.items() for metric, value in row.items()
        }

    def sentence(self) -> str:
        """The holdout in one sentence, beside the naive rate."""
        model, naive = self.errors["model_orders"], self.errors["naive_orders"]
        return (
            f"over the {self.horizon_days:g} days after the cutoff: {_total(model)} orders expected for "
            f"{model['total_actual']:.0f} that came (own past rate: {_total(naive)}); mean absolute error a "
            f"customer {model['mae']:.3f} orders (own past rate: {naive['mae']:.3f})"
        )


def naive_orders(summary: Summary, horizon_days: float) -> Floats:
    """One per customer: own past rate of repeat days x horizon (0 on the first day), the baseline to beat."""
    return summary.frequency / np.maximum(summary.T, 1.0) * horizon_days


def evaluate(
    predictions: Mapping[str, Floats],
    summary: Summary,
    actual_orders: Floats,
    actual_spend: Floats,
    *,
    horizon_days: float,
) -> Evaluation:
    """Predictions of a model for [cutoff, cutoff + horizon) against what came.

    predictions: of `ClvModel.predict` for that horizon. summary: at the cutoff, customers with a purchase
    only. actual_orders: distinct purchase days in the window; actual_spend: currency. Predicted spend is
    undiscounted and before margin; the naive spend is naive orders at the customer's own mean repeat day.

    Raises InputError where a column is not finite or not one number a customer.
    """
    expected = predictions["expected_orders"]
    columns = {
        "predicted_orders": expected,
        "actual_orders": actual_orders.astype(np.float64),
        "predicted_spend": expected * predictions["expected_order_value"],
        "actual_spend": actual_spend.astype(np.float64),
    }
    for name, column in columns.items():
        if column.shape != (len(summary),) or not np.isfinite(column).all() or not len(column):
            raise InputError(
                f"{name} must be {len(summary)} finite numbers (one at least), one for each customer "
                "with a purchase before the cutoff; leave out the others"
            )
    naive = naive_orders(summary, horizon_days)
    pairs = {
        "model_orders": (columns["predicted_orders"], columns["actual_orders"]),
        "naive_orders": (naive, columns["actual_orders"]),
        "model_spend": (columns["predicted_spend"], columns["actual_spend"]),
        "naive_spend": (naive * summary.monetary_value, columns["actual_spend"]),
    }
    group = np.minimum(summary.frequency, LAST_FREQUENCY).astype(np.int64)
    place = np.argsort(-columns["predicted_spend"], kind="stable")
    decile = np.empty(len(place), np.int64)
    decile[place] = np.arange(len(place)) * 10 // len(place) + 1
    columns["naive_orders"] = naive
    return Evaluation(
        {name: errors(*pair) for name, pair in pairs.items()},
        _means(group, "frequency", columns),
        _means(decile, "decile", columns),
        horizon_days,
    )


def errors(predicted: Floats, actual: Floats) -> dict[str, float]:
    """total_predicted, total_actual; mae and rmse per customer; total_error_percent of the actual total, left
    out where that is 0; spearman, the rank correlation, left out where one side does not vary.
    """
    off = predicted - actual
    found = {
        "total_predicted": float(predicted.sum()),
        "total_actual": float(actual.sum()),
        "mae": float(np.abs(off).mean()),
        "rmse": float(np.sqrt((off**2).mean())),
    }
    if found["total_actual"]:
        found["total_error_percent"] = 100 * (found["total_predicted"] / found["total_actual"] - 1)
    one, two = (rankdata(v) - (len(v) + 1) / 2 for v in (predicted, actual))
    spread = float(np.sqrt((one**2).sum() * (two**2).sum()))
    if spread > 0:
        found["spearman"] = float((one * two).sum()) / spread
    return found


def _total(row: Mapping[str, float]) -> str:
    share = f" ({row['total_error_percent']:+.1f} %)" if "total_error_percent" in row else ""
    return f"{row['total_predicted']:.0f}{share}"


def _means(group: Ints, name: str, columns: Mapping[str, Floats]) -> pd.DataFrame:
    """One row per group present: customers in it, and the mean of each column."""
    found, number, size = np.unique(group, return_inverse=True, return_counts=True)
    means = {key: np.bincount(number, weights=values) / size for key, values in columns.items()}
    return pd.DataFrame({name: found, "customers": size, **means})
