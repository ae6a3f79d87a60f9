"""Rows of the last four weeks beside what the shop's own past lets expect, and how old the newest row is."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lifestage.drift.population import Rows
from lifestage.ragged import Floats, Ints

WINDOW = 28
"""Days: four whole weeks, each weekday alike often."""
YEAR = 364
"""Days: 52 whole weeks."""
RECENT = 6
"""Windows before the last one that tell what is usual."""
LEAST = 3
"""So many of them are needed."""
SPREADS = 3.0
"""How many robust standard deviations off is unusual."""
TO_SIGMA = 1.4826
"""Of a median absolute deviation of a normal law."""
PAST_DAYS = 182
"""The gaps between rows of so many days tell how silent a table may be."""


@dataclass(frozen=True)
class Volume:
    """One table's rows in the last four weeks."""

    name: str
    rows: int
    expected: float | None
    """None where the past is too short to tell."""
    low: float
    high: float
    """What the shop's own past makes usual; as far as `expected` is known."""
    by_year: bool
    """Against the same weeks a year before; else against the months before."""

    @property
    def change(self) -> float | None:
        """Relative change against what was expected."""
        return None if not self.expected else self.rows / self.expected - 1

    @property
    def unusual(self) -> bool:
        return self.expected is not None and not self.low <= self.rows <= self.high


def windows(rows: Rows, end: int, days: int = WINDOW) -> Ints:
    """Rows of each whole window before day `end`, the newest last; windows from the first row's day on.

    A window that the first row's day cuts is left out.
    """
    many = max(end - rows.first, 0) // days if len(rows.counts) else 0
    daily = np.zeros(many * days, np.int64)
    start = end - len(daily)
    held = rows.counts[max(start - rows.first, 0) : max(end - rows.first, 0)]
    daily[: len(held)] = held
    weekly: Ints = daily.reshape(many, days).sum(axis=1)
    return weekly


def volume(name: str, rows: Rows, end: int) -> Volume:
    """The last four weeks before day `end` (days since 1970-01-01) of one table.

    With two years of rows: the same weeks a year before, times the growth of the year since, and as far off as such
    forecasts of the months before were; else the median of the months before, and their spread.
    """
    found = windows(rows, end).astype(np.float64)
    last = int(found[-1]) if len(found) else 0
    per_year = YEAR // WINDOW
    by_year = len(found) >= 2 * per_year + LEAST
    if by_year:
        reach = min(len(found) - 2 * per_year, per_year)
        forecasts = np.array([_year_ago(found, i, per_year) for i in range(len(found) - reach, len(found))])
        expected, past, then = forecasts[-1], found[-reach:-1], forecasts[:-1]
    else:
        past = found[:-1][-RECENT:]
        if len(past) < LEAST:
            return Volume(name, last, None, 0.0, np.inf, False)
        expected = float(np.median(past))
        then = np.full(len(past), expected)
    low, high = _usual(expected, past, then)
    return Volume(name, last, float(expected), low, high, by_year)


def _year_ago(found: Floats, i: int, per_year: int) -> float:
    """What the year before lets expect of window i: its rows then, times the growth of the windows before it."""
    before = found[max(i - per_year, 0) : i]
    earlier = found[max(i - 2 * per_year, 0) : i - per_year]
    few = min(len(before), len(earlier))
    growth = (before[-few:].sum() + 1) / (earlier[-few:].sum() + 1) if few else 1.0
    return float(found[i - per_year] * growth)


def _usual(expected: float, past: Floats, forecasts: Floats) -> tuple[float, float]:
    """Bounds of what is usual: as far off, in ratio, as the past was, and no less than counting by chance makes it."""
    off = np.log((past + 1) / (forecasts + 1))
    spread = float(TO_SIGMA * np.median(np.abs(off - np.median(off)))) if len(off) else 0.0
    spread = float(np.hypot(spread, 1 / np.sqrt(expected + 1)))
    return float(expected * np.exp(-SPREADS * spread)), float(expected * np.exp(SPREADS * spread))


@dataclass(frozen=True)
class Freshness:
    """How long a table has been silent, in whole days before as_of."""

    name: str
    newest: int
    """Day of its newest row, days since 1970-01-01."""
    silent: int
    usual: int
    """The longest gap between two days with rows in the half year before."""


def freshness(name: str, rows: Rows, end: int) -> Freshness | None:
    """Of one table before day `end`; None for a table without a row."""
    days = rows.first + np.flatnonzero(rows.counts)
    if not len(days):
        return None
    newest = int(days[-1])
    recent = days[days >= newest - PAST_DAYS]
    gaps = np.diff(recent)
    return Freshness(name, newest, end - newest - 1, int(gaps.max()) - 1 if len(gaps) else 0)


def rejects_since(
    then: Mapping[str, int] | None, now: Mapping[str, int], least: int = 50
) -> tuple[int, float] | None:
    """Rows that came since then, and the share of rejects among them; None where too few came to tell."""
    kept = now["kept"] - (then or {}).get("kept", 0)
    rejected = now["rejected"] - (then or {}).get("rejected", 0)
    total = kept + rejected
    if total < least or kept < 0 or rejected < 0:
        return None
    return total, rejected / total
