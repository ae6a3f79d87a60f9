"""Instants (UTC microseconds, int64) and the shop's local calendar.

One rule for local times that the clock change repeats or skips: the later instant. It is what DuckDB's
cast to TIMESTAMPTZ does, so that batch and request agree.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_DAY = (date(1950, 1, 1) - EPOCH.date()).days
LAST_DAY = (date(2101, 1, 1) - EPOCH.date()).days
"""Clock changes are known between these days; before and after them the nearest offset holds."""

Instants = npt.NDArray[np.int64]


def instant(moment: datetime, zone: str) -> int:
    """UTC microseconds of a moment; a naive one is local time in `zone`."""
    if moment.tzinfo is None:
        both = [moment.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1)]
        moment = min(both, key=lambda m: m.utcoffset() or timedelta()).astimezone(UTC)
    return (moment - EPOCH) // timedelta(microseconds=1)


def midnight(day: date, zone: str) -> int:
    """UTC microseconds of the local midnight that begins `day`."""
    return instant(datetime.combine(day, time()), zone)


def moment(t: int, zone: str = "UTC") -> datetime:
    """The datetime of UTC microseconds, in `zone`."""
    return (EPOCH + timedelta(microseconds=int(t))).astimezone(ZoneInfo(zone))


@lru_cache(maxsize=4096)
def instant_text(t: int) -> str:
    """ISO-8601 text in UTC of an instant."""
    return (EPOCH + timedelta(microseconds=t)).isoformat().replace("+00:00", "Z")


def day_of(t: int, zone: str) -> date:
    """The local day of an instant."""
    return moment(t, zone).date()


@lru_cache(maxsize=32)
def _offsets(zone: str) -> tuple[Instants, Instants]:
    """Instants at which the zone's offset changes, and the offset (microseconds) from each on."""
    tz = ZoneInfo(zone)

    def offset(second: int) -> int:
        delta = (EPOCH + timedelta(seconds=second)).astimezone(tz).utcoffset()
        return int((delta or timedelta()).total_seconds())

    starts, offsets = [-(2**62)], [offset(FIRST_DAY * 86_400)]
    for day in range(FIRST_DAY, LAST_DAY):  # no zone changes twice within a day
        low, high = day * 86_400, (day + 1) * 86_400
        if (after := offset(high)) != offsets[-1]:
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if offset(middle) == after else (middle, high)
            starts.append(high * SECOND)
            offsets.append(after)
    return np.array(starts, np.int64), np.array(offsets, np.int64) * SECOND


def to_local(t: Instants, zone: str) -> Instants:
    """Local wall-clock microseconds since 1970-01-01 00:00 of each instant."""
    return _shift(t, *_offsets(zone))


def local_days(t: Instants, zone: str) -> Instants:
    """Number of each instant's local day (days since 1970-01-01), never less for a later instant."""
    return _shift(t, *_day_offsets(zone)) // DAY


@lru_cache(maxsize=32)
def _day_offsets(zone: str) -> tuple[Instants, Instants]:
    """`_offsets`, with a change that would fall back behind midnight put off until the new clock reaches it.

    Newfoundland's autumn clock went from 00:01 to 23:01 until 2011: a day that has begun stays begun, else
    gaps between purchase days would be negative.
    """
    starts, offsets = (column.copy() for column in _offsets(zone))
    for i in range(1, len(starts)):
        began = (starts[i] - 1 + offsets[i - 1]) // DAY
        starts[i] = max(starts[i], began * DAY - offsets[i])
    return starts, offsets


def _shift(t: Instants, starts: Instants, offsets: Instants) -> Instants:
    local: Instants = t + offsets[np.searchsorted(starts, t, side="right") - 1]
    return local
