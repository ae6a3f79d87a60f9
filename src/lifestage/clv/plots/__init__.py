"""Pictures of a CLV model and its holdout, as matplotlib Figures without a window (extra `train`)."""

from contextlib import suppress

import numpy as np
from matplotlib.figure import Figure

from lifestage.clv.evaluation import Evaluation
from lifestage.clv.model import ClvModel
from lifestage.clv.plots.customer import alive_history
from lifestage.clv.plots.holdout import (
    cohort_table,
    deciles,
    forecasts,
    orders_by_frequency,
    orders_by_silence,
    pit_histogram,
)
from lifestage.clv.plots.matrices import expected_orders_matrix, probability_alive_matrix
from lifestage.clv.plots.population import (
    dropout_heterogeneity,
    expected_repeat_purchases,
    order_rate_heterogeneity,
    period_transactions,
    value_concentration,
)
from lifestage.clv.plots.tracking import cumulative_tracking, incremental_tracking
from lifestage.clv.summary import Summary
from lifestage.errors import InputError

__all__ = [
    "alive_history",
    "cohort_table",
    "cumulative_tracking",
    "deciles",
    "dropout_heterogeneity",
    "expected_orders_matrix",
    "expected_repeat_purchases",
    "forecasts",
    "incremental_tracking",
    "order_rate_heterogeneity",
    "orders_by_frequency",
    "orders_by_silence",
    "period_transactions",
    "pictures",
    "pit_histogram",
    "probability_alive_matrix",
    "value_concentration",
]

MOST = 100_000
"""Customers whose value is worked out for a picture; of a larger shop so many are drawn."""


def pictures(result: Evaluation, shipped: ClvModel, summary: Summary) -> dict[str, Figure]:
    """By name, all pictures of a run but that of one customer; those for which something is missing are left out.

    result: of the holdout; summary: what the shipped model was fitted on.
    """
    found = {
        "orders_by_frequency": orders_by_frequency(result),
        "orders_by_silence": orders_by_silence(result),
        "value_deciles": deciles(result),
        "forecasts": forecasts(result),
        "probability_alive": probability_alive_matrix(shipped),
        "expected_orders": expected_orders_matrix(shipped),
        "expected_repeat_purchases": expected_repeat_purchases(shipped),
        "repeat_orders": period_transactions(shipped, summary),
        "order_rates": order_rate_heterogeneity(shipped),
        "leaving": dropout_heterogeneity(shipped),
    }
    if not result.cohorts.empty:
        found["cohorts"] = cohort_table(result)
    if result.order_pit is not None:
        found["pit_orders"] = pit_histogram(result.order_pit, "orders")
    if result.spend is not None:
        found["pit_spend"] = pit_histogram(result.spend.pit, "spend")
    if result.weekly is not None and not result.weekly.empty:
        found["cumulative_tracking"] = cumulative_tracking(result.weekly)
        found["incremental_tracking"] = incremental_tracking(result.weekly)
    if len(summary) > MOST:
        summary = summary.take(np.sort(np.random.default_rng(0).choice(len(summary), MOST, replace=False)))
    with suppress(InputError):  # nobody is worth anything: there is nothing to share
        found["value_concentration"] = value_concentration(shipped.predict(summary, only=("clv",))["clv"])
    return found
