"""Forecasts that a CLV model must beat: the own past rate, and the same days one year before."""

from dataclasses import dataclass

import numpy as np

from lifestage.clv.summary import Summary
from lifestage.ragged import Floats

YEAR_DAYS = 365


@dataclass(frozen=True, slots=True)
class Forecast:
    """Orders and spend (currency) of each customer in the horizon, float64[n]; None where there is no forecast."""

    orders: Floats | None = None
    spend: Floats | None = None
    note: str = ""
    """Why there is none, or how it was made."""


def naive_orders(summary: Summary, horizon_days: float) -> Floats:
    """One per customer: own past rate of repeat days x horizon (0 on the first day), the baseline to beat."""
    return summary.frequency / np.maximum(summary.T, 1.0) * horizon_days


def past_rate(summary: Summary, horizon_days: float) -> Forecast:
    """Naive orders, and those orders at the customer's own mean repeat day."""
    orders = naive_orders(summary, horizon_days)
    return Forecast(orders, orders * summary.monetary_value)


def last_year(summary: Summary, horizon_days: float, orders: Floats | None, spend: Floats | None) -> Forecast:
    """What each customer ordered and spent in [cutoff - 365 days, cutoff - 365 days + horizon).

    orders, spend: of those days, known before the cutoff. A forecast only where those days lie between the shop's
    first purchase and the cutoff.
    """
    if horizon_days > YEAR_DAYS:
        return Forecast(
            note=f"same days last year: left out, a horizon of {horizon_days:g} days reaches past the year"
        )
    seen = float(summary.T.max()) if len(summary) else 0.0
    if seen < YEAR_DAYS or orders is None or spend is None:
        return Forecast(
            note=f"same days last year: left out, only {seen:.0f} days before the cutoff were seen"
        )
    return Forecast(orders.astype(np.float64), spend.astype(np.float64))
