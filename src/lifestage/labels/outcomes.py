"""Churn definitions and future orders: pure functions of the two views at one cutoff."""

from dataclasses import dataclass

import numpy as np

from lifestage.history import Before, Window
from lifestage.localtime import DAY
from lifestage.ragged import Bools, Floats, at, segment_sum


def bought_within(view: Before, days: int) -> Bools:
    """Eligible for purchase churn: an order in [cutoff - days, cutoff), bool[n]."""
    bought = view.purchases
    last = at(bought.t, bought.ends - 1, bought.counts > 0)
    return np.asarray(last >= view.cutoff - days * DAY, np.bool_)  # NaN, no order yet, compares false


@dataclass(frozen=True)
class Outcome:
    """One value per customer of what happened in the label window."""

    orders: Floats
    purchase_days: Floats
    """Distinct local days with an order: what BTYD models count."""
    spend: Floats
    """Currency, net of the refunds seen by the window's end."""

    @property
    def churned(self) -> Bools:
        """Purchase churn: no order in the window."""
        return self.orders == 0


def outcome(window: Window) -> Outcome:
    """Orders and spend of [cutoff, end) per customer; an order fully refunded by its end is none."""
    bought = window.purchases
    new_day = np.ones(len(bought.t), np.int64)
    new_day[1:] = bought.day[1:] != bought.day[:-1]
    new_day[bought.starts[bought.counts > 0]] = 1
    return Outcome(
        bought.counts.astype(np.float64),
        segment_sum(new_day, bought.starts, bought.ends),
        segment_sum(bought.amount, bought.starts, bought.ends),
    )
