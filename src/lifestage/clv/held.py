"""A holdout of orders, compressed: who had which history at a cutoff, and how many orders followed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lifestage.clv.clock import Clock
from lifestage.clv.compress import Compressed, compress, distinct, once
from lifestage.clv.families import FAMILIES
from lifestage.clv.summary import Summary
from lifestage.ragged import Floats

ROWS = 20_000
"""Histories whose order-count laws are worked out at a time."""


@dataclass(frozen=True, slots=True)
class Held:
    """One row per distinct (orders after the cutoff, history before it), of customers with a purchase before it.

    before: histories in days, which may stand in several rows; orders: distinct purchase days in the `horizon` days
    after the cutoff, float64[rows]; cutoff_day: the cutoff's day number.
    """

    before: Compressed
    orders: Floats
    horizon: float
    cutoff_day: float

    @classmethod
    def of(cls, summary: Summary, orders: Floats, horizon: float) -> "Held":
        """From one row per customer; those without a purchase before the cutoff are left out."""
        known = summary.has_purchase
        everyone = Compressed(
            summary.frequency[known], summary.recency[known], summary.T[known], np.ones(int(known.sum()))
        )
        return _distinct(everyone, orders[known].astype(np.float64), float(horizon), summary.cutoff_day)

    @property
    def customers(self) -> Compressed:
        """One row per distinct history."""
        before = self.before
        return compress(before.frequency, before.recency, before.T, before.count)

    @property
    def came(self) -> float:
        """Orders of all customers."""
        return float(np.sum(self.before.count * self.orders))

    def lived(self, clock: Clock) -> "Held":
        """The same in operational days, the horizon too."""
        if clock == Clock():
            return self
        before = self.before
        t_x, T = clock.history(self.cutoff_day, before.recency, before.T)
        histories = Compressed(before.frequency, t_x, T, before.count)
        return Held(
            histories, self.orders, float(clock.ahead(self.cutoff_day, self.horizon)), self.cutoff_day
        )

    def expected(self, name: str, params: Any) -> Floats:
        """One per row: orders that a model of FAMILIES expects of such a customer."""
        family, before = FAMILIES[name], self.before
        alive = family.probability_alive(params, before.frequency, before.recency, before.T)
        # given alive the future hangs on (x, T) alone
        index, number = once(before.frequency, before.T)
        x, T = before.frequency[index], before.T[index]
        return alive * family.expected_purchases_given_alive(params, self.horizon, x, T)[number]

    def log_probability(self, name: str, params: Any) -> Floats:
        """One per row: log P(as many orders as came | history)."""
        family, before = FAMILIES[name], self.before
        parts = [np.empty(0)]
        for low in range(0, len(self.orders), ROWS):
            rows = slice(low, low + ROWS)
            x, t_x, T = before.frequency[rows], before.recency[rows], before.T[rows]
            came = self.orders[rows].astype(np.int64)
            alive = family.probability_alive(params, x, t_x, T)
            index, number = once(x, T)
            law = family.order_counts_given_alive(params, self.horizon, x[index], T[index], int(came.max()))
            chance = alive * law[came, number] + np.where(came == 0, 1.0 - alive, 0.0)
            parts.append(np.log(np.maximum(chance, 1e-300)))
        return np.concatenate(parts)


def join_held(parts: Sequence[Held]) -> Held:
    """The customers of several groups as one; they share cutoff and horizon."""
    x, t_x, T, count = (
        np.concatenate([getattr(part.before, name) for part in parts])
        for name in ("frequency", "recency", "T", "count")
    )
    orders = np.concatenate([part.orders for part in parts])
    return _distinct(Compressed(x, t_x, T, count), orders, parts[0].horizon, parts[0].cutoff_day)


def _distinct(rows: Compressed, orders: Floats, horizon: float, cutoff_day: float) -> Held:
    x, t_x, T = rows.frequency, rows.recency, rows.T
    # by number of orders first: rows of a block then need as many terms
    index, number = distinct(orders, x, t_x, T)
    count = np.bincount(number, weights=rows.count, minlength=len(index)).astype(np.float64)
    return Held(Compressed(x[index], t_x[index], T[index], count), orders[index], horizon, cutoff_day)
