"""The calendar factor of the order rate: how much more is ordered in a month than in the year's mean.

Estimated from the cohort's own repeat orders before a cutoff only, and only where two full cycles are seen: orders of
each month over those that the order model expects then, apart from what moves whole years. A month's factor is shrunk
by how well the years agree on it; where they do not agree there is no season.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lifestage.clv.clock import MONTHS, Clock, month_starts
from lifestage.clv.daily import Daily, expected_repeats
from lifestage.ragged import Floats

UNSEEN = "what the calendar brings, such as a Christmas, is not foreseen"
CYCLES = 2
FEWEST = 20.0
"""Orders that a month must have been expected to bring, to say anything about its season."""
LEAST_KEPT = 0.75
"""Less is no season: by chance alone the share kept of a noise that lasts from month to month is often above a half."""
ROUNDS = 3
"""Season and expectation hang on one another; after three rounds nothing moves."""


@dataclass(frozen=True, slots=True)
class Season:
    """factors: of January to December, mean 1 over a year; () where none was found, `why` says so."""

    factors: tuple[float, ...]
    kept: float
    """Share of the seen differences between months that is taken as season: 1 = the years agree on all of them."""
    why: str


def find_season(days: Daily, name: str, params: Any) -> Season:
    """The season of the days before a cutoff, given an order model fitted on them."""
    numbers = np.searchsorted(month_starts(), days.days, side="right") - 1
    if not len(days):
        return Season((), 0.0, "there is no purchase")
    first, last = int(numbers[0]), int(numbers[-1])
    # whole months only, but for the last one, which the cutoff may end
    begun = first if days.first_day == month_starts()[first] else first + 1
    months = np.arange(begun, last + (days.first_day + len(days) >= month_starts()[last + 1]))
    usable = len(months) // MONTHS
    if usable < CYCLES:
        return Season(
            (),
            0.0,
            f"{len(months)} whole months were seen, and a season asks for {CYCLES * MONTHS}; {UNSEEN}",
        )
    months = months[-usable * MONTHS :]
    seen = np.bincount(numbers, weights=days.repeats, minlength=last + 1)[months]
    factors = np.ones(MONTHS)
    kept = 0.0
    for _ in range(ROUNDS):
        expected = expected_repeats(days, name, params, Clock(tuple(factors.tolist())))
        foreseen = np.bincount(numbers, weights=expected, minlength=last + 1)[months]
        # the first cycle of a young shop may hold next to nothing
        while usable > CYCLES and foreseen[-usable * MONTHS :][:MONTHS].min() < FEWEST:
            usable -= 1
        rows = slice(-usable * MONTHS, None)
        if foreseen[rows].min() < FEWEST:
            return Season(
                (), 0.0, f"some months have fewer than {FEWEST:g} repeat orders to tell a season from"
            )
        logs = np.log((seen[rows] + 0.5) / (foreseen[rows] + 0.5)).reshape(usable, MONTHS)
        logs += np.log(factors)[months[rows].reshape(usable, MONTHS) % MONTHS]
        found, kept = _months(logs, 1.0 / foreseen[rows].reshape(usable, MONTHS))
        if kept <= 0.0:
            return Season((), 0.0, "the years do not agree on a season")
        factors = np.empty(MONTHS)
        factors[months[rows][:MONTHS] % MONTHS] = np.exp(found)
        factors /= factors.mean()
    return Season(
        tuple(factors.tolist()), kept, f"the years agree on {100 * kept:.0f} % of the months' differences"
    )


def _months(logs: Floats, variance: Floats) -> tuple[Floats, float]:
    """Shrunk effect of each month of a cycle [years, 12], and the share kept.

    Two-way: a year's mean is its level, and the slope from year to year goes on within each; what the years leave over
    around a month's mean is noise, no less than that of the counts themselves.
    """
    years = len(logs)
    level = logs.mean(axis=1)
    # a trend goes on within a year as it goes from year to year, and would else pass for a season
    slope = float(np.polyfit(np.arange(years), level, 1)[0]) / MONTHS
    apart = logs - level[:, None] - slope * (np.arange(MONTHS) - (MONTHS - 1) / 2)
    month = apart.mean(axis=0)
    left = apart - month
    noise = float(np.sum(left**2)) / ((years - 1) * (MONTHS - 1))
    noise = max(noise, float(variance.mean()))
    spread = float(np.sum(month**2)) / (MONTHS - 1)
    kept = max(0.0, 1.0 - noise / years / spread) if spread > 0 else 0.0
    return kept * month, kept if kept > LEAST_KEPT else 0.0
