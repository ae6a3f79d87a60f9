"""Pictures of a CLV model and its holdout, as matplotlib Figures without a window (extra `train`)."""

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
    "pit_histogram",
    "probability_alive_matrix",
    "value_concentration",
]
