"""Operational time: days weighted by how much is ordered on them, in which order rates are constant.

A shop whose customers order twice as fast in December lives two operational days on each of its days. The order
models are right in operational time as they stand (a rate lambda f(t) is a rate lambda in the time that is the
integral of f), so season and level change times only: of the history (T, t_x) and of what lies ahead. One leaves
after orders, and so by the same clock; in a Pareto/NBD, where one may leave at any moment, that is an assumption: a
busy season is then also one in which more leave.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lifestage.ragged import Floats

MONTHS = 12
FIRST_YEAR, LAST_YEAR = 1900, 2201
"""The calendar within which shops live (see record_values)."""


@lru_cache(maxsize=1)
def month_starts() -> Floats:
    """Day number of the first day of each month of that calendar."""
    months = np.arange(f"{FIRST_YEAR}-01", f"{LAST_YEAR}-01", dtype="datetime64[M]")
    return np.asarray(months.astype("datetime64[D]").astype(np.float64))


@lru_cache(maxsize=8)
def _operational_starts(season: tuple[float, ...]) -> Floats:
    starts = month_starts()
    lived = np.diff(starts) * np.resize(np.array(season), len(starts) - 1)
    return np.concatenate([[0.0], np.cumsum(lived)])


@dataclass(frozen=True, slots=True)
class Clock:
    """Days to operational days and back.

    season: order rate of January to December over the year's mean, or () where none was found. level: order rate
    ahead of the cutoff over that of the history.
    """

    season: tuple[float, ...] = ()
    level: float = 1.0

    def _at(self, day: Floats) -> Floats:
        if not self.season:
            return day
        lived = np.interp(day, month_starts(), _operational_starts(self.season))
        return np.asarray(
            lived + np.maximum(day - month_starts()[-1], 0.0), np.float64
        )  # beyond it every day is one

    def past(self, cutoff_day: float, ago: Floats) -> Floats:
        """Operational days between so many days before the cutoff's day and that day; elementwise."""
        if not self.season:
            return ago
        return np.asarray(self._at(np.array(cutoff_day)) - self._at(cutoff_day - ago), np.float64)

    def history(self, cutoff_day: float, recency: Floats, T: Floats) -> tuple[Floats, Floats]:
        """Recency and age in operational days; elementwise, 0 <= recency <= T as before."""
        if not self.season:
            return recency, T
        age = self.past(cutoff_day, T)
        t_x = np.where(recency > 0, age - self.past(cutoff_day, T - recency), 0.0)
        return np.clip(t_x, 0.0, age), age

    def ahead(self, cutoff_day: float, days: Floats | float) -> Floats:
        """Operational days within so many days after the cutoff's day."""
        if not self.season:
            return self.level * np.asarray(days, np.float64)
        begin = self._at(np.array(cutoff_day))
        return np.asarray(self.level * (self._at(cutoff_day + np.asarray(days, np.float64)) - begin))

    def days(self, cutoff_day: float, operational: Floats) -> Floats:
        """Days after the cutoff's day in which so many operational days pass: the inverse of `ahead`."""
        if not self.season:
            return operational / self.level
        starts = _operational_starts(self.season)
        begin = self._at(np.array(cutoff_day))
        lived = begin + operational / self.level
        day = np.interp(lived, starts, month_starts()) + np.maximum(lived - starts[-1], 0.0)
        return np.asarray(day - cutoff_day, np.float64)
