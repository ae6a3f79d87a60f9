"""A shop's days: how many customers came for the first time, how many repeat orders, and how many a model expects."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lifestage.clv.clock import Clock
from lifestage.clv.families import FAMILIES
from lifestage.ragged import Floats, Ints, Ragged

GRID = 400
"""Ages at which the expected orders of a new customer are worked out; between them they are interpolated."""


@dataclass(frozen=True, slots=True)
class Daily:
    """One entry per local day from `first_day` on (day numbers), ascending, until the day before a cutoff.

    new: customers whose first purchase day it is; repeats: customers who ordered on it after an earlier day.
    """

    first_day: int
    new: Floats
    repeats: Floats

    def __len__(self) -> int:
        return len(self.new)

    @property
    def days(self) -> Ints:
        """Day numbers."""
        return self.first_day + np.arange(len(self.new))


def daily(starts: Ints, ends: Ints, local_day: Ints) -> Daily:
    """Of a block of customers; arguments as in summary.summarise."""
    has = ends > starts
    if not has.any():
        return Daily(0, np.zeros(0), np.zeros(0))
    mine = Ragged(starts, ends, local_day).owned()
    begins = np.ones(len(local_day), np.bool_)
    begins[1:] = local_day[1:] != local_day[:-1]
    begins[starts[has]] = True
    first = np.zeros(len(local_day), np.bool_)
    first[starts[has]] = True
    low = int(local_day[mine].min())
    length = int(local_day[mine].max()) - low + 1
    new = np.bincount(local_day[first] - low, minlength=length)
    repeats = np.bincount(local_day[mine & begins & ~first] - low, minlength=length)
    return Daily(low, new.astype(np.float64), repeats.astype(np.float64))


def join_daily(parts: Sequence[Daily]) -> Daily:
    """The days of several groups of customers as those of one."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return Daily(0, np.zeros(0), np.zeros(0))
    low = min(part.first_day for part in parts)
    high = max(part.first_day + len(part) for part in parts)
    new, repeats = np.zeros(high - low), np.zeros(high - low)
    for part in parts:
        at = slice(part.first_day - low, part.first_day - low + len(part))
        new[at] += part.new
        repeats[at] += part.repeats
    return Daily(low, new, repeats)


def expected_repeats(days: Daily, name: str, params: Any, clock: Clock, until: int | None = None) -> Floats:
    """One per day up to `until` (default: the last seen): repeat orders that a model expects of those who came.

    The unconditional expectation of a new customer, FHL eq. (9), summed over the days on which customers came
    first: what tracking plots show.
    """
    family = FAMILIES[name]
    length = len(days) if until is None else until - days.first_day
    borders = np.arange(length + 1, dtype=np.float64)
    lived = clock.past(days.first_day + length, float(length) - borders)  # before the end
    lived = lived[0] - lived  # since the first day
    ages = np.linspace(0.0, float(lived[-1]), GRID)
    nothing = np.zeros(GRID)
    alive = family.probability_alive(params, np.zeros(1), np.zeros(1), np.zeros(1))
    orders = alive * family.expected_purchases_given_alive(params, ages, nothing, nothing)
    total = np.zeros(length + 1)
    for born in np.flatnonzero(days.new).tolist():
        since = np.maximum(lived - lived[born], 0.0)  # as T counts: from the first day on
        total += days.new[born] * np.interp(since, ages, orders)
    return np.diff(total)
