"""Values of plain records: text, times and numbers as a request or a notebook holds them.

They read as intake reads a file's: naive times are local, blanks around text do not count, nothing is guessed.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

import numpy as np
import pyarrow as pa

from lifestage.errors import InputError
from lifestage.localtime import DAY, Instants, midnight, to_local
from lifestage.ragged import Bools, Floats, Ints
from lifestage.schemas import FIRST_YEAR, INSTANT, LAST_YEAR

Fault = Callable[[int, str], InputError]
"""(row, what is wrong) -> the error to raise."""

FEW = 32
"""Up to so many times Python reads them faster than Arrow; the result is the same."""
EXPECTED = "expected ISO-8601 such as 2025-03-31T14:05:00+02:00 or 2025-03-31"
EARLIEST, LATEST = (midnight(date(year, 1, 1), "UTC") for year in (FIRST_YEAR, LAST_YEAR + 1))
"""Sentinel dates such as 1900-01-01 and 9999-12-31 are no times; the local calendar reaches as far."""

Records = Sequence[Mapping[str, Any]]
Path = tuple[str | int, ...]


class RecordError(InputError):
    """A record at fault: `path` leads to the value, from the list of records on, `fault` is what is wrong with it."""

    def __init__(self, customer: Any, path: Path, fault: str) -> None:
        self.path = path
        self.fault = fault
        super().__init__(f"customer '{customer}': {_shown(path[1:])} {fault}")


def _shown(path: Path) -> str:
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")


def parse_instant(value: Any, zone: str) -> int:
    """UTC microseconds of ISO-8601 text, a datetime or a date; what is naive is local in `zone`.

    Raises InputError.
    """
    moment = _moment(value)
    if moment is None:
        raise InputError(f"{_quoted(value)} is no time; {EXPECTED}")
    t = int(_utc([moment], zone)[0])
    if not EARLIEST <= t < LATEST:
        raise InputError(
            f"{_quoted(value)} is out of range; expected a time from {FIRST_YEAR} to {LAST_YEAR}"
        )
    return t


BLANKS = " \t\n\f\r\u00a0\u3000\ufeff"
"""What intake takes off the ends of a text."""
_OFFSET = re.compile(r"(Z|[+-][0-9:]+)\s*$", re.IGNORECASE)
_WHOLE = re.compile(r"(-?[0-9]+)\.0+")


def text(value: Any) -> str | None:
    """Text without blanks around it; None for an empty one or a NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return str(value).strip(BLANKS) or None


def identifier(value: Any) -> str | None:
    """An id as text, read as intake reads it: 17850.0, which is how tools export ids with gaps, is '17850'."""
    found = text(value)
    whole = _WHOLE.fullmatch(found) if found and ".0" in found else None
    return whole[1] if whole else found


def texts(values: list[Any], read: Callable[[Any], str | None]) -> list[str | None]:
    """`text` or `identifier` of each value; a text that comes again and again is read once."""
    kinds = set(map(type, values))
    if not kinds <= _PLAIN_TEXT:
        return [read(value) for value in values]
    if _clean(values if None not in values else [value for value in values if value is not None]):
        return values
    distinct = set(values)
    known = {value: read(value) for value in distinct}
    return [known[value] for value in values]


def _clean(values: list[str]) -> bool:
    """Whether reading changes none of many texts: no blank anywhere, none empty, no number with a fraction of 0.

    As nearly always. They are looked through as one long text, at the speed of a search.
    """
    whole = "\n".join(values)
    blank = any(blank in whole for blank in BLANKS.replace("\n", ""))
    return not blank and whole.count("\n") == len(values) - 1 and all(values) and ".0" not in whole


_PLAIN_TEXT = {str, type(None)}
_PLAIN_NUMBER = {float, type(None)}


def _moment(value: Any) -> datetime | None:
    """A datetime as it was written, naive or not; None for what is no time."""
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if isinstance(value, datetime):
        return value
    return datetime.combine(value, time()) if isinstance(value, date) else None


def _moments(values: list[Any]) -> list[datetime | None]:
    """`_moment` of each value."""
    try:
        return list(map(datetime.fromisoformat, values))  # the common case: every value is ISO-8601 text
    except (TypeError, ValueError):
        return [_moment(value) for value in values]


def read_instants(values: list[Any], zone: str, fault: Fault, *, required: bool) -> tuple[Ints, Bools]:
    """Instants (0 where absent) and which values are given, int64[n] and bool[n]."""
    given = _given(values)
    if required and not given.all():
        raise fault(int(np.flatnonzero(~given)[0]), "is missing; give a time")
    if not given.any():
        return np.zeros(len(values), np.int64), given
    if len(values) > FEW and (many := _many_instants(values, zone, given)) is not None:
        return many, given
    moments = _moments(values)
    for i in np.flatnonzero(given).tolist() if None in moments else ():
        if moments[i] is None:
            raise fault(i, f"is {_quoted(values[i])}, no time; {EXPECTED}")
    t = _utc(moments, zone)
    if len(odd := np.flatnonzero(given & ((t < EARLIEST) | (t >= LATEST)))):
        raise fault(
            int(odd[0]), f"is {_quoted(values[odd[0]])}; expected a time from {FIRST_YEAR} to {LAST_YEAR}"
        )
    return t, given


def _given(values: list[Any]) -> Bools:
    if type(None) not in set(map(type, values)):
        return np.ones(len(values), np.bool_)
    return np.array([value is not None for value in values], np.bool_)


def _many_instants(values: list[Any], zone: str, given: Bools) -> Ints | None:
    """Instants of many texts by Arrow's parser; None where it or the range does not take each as Python's does."""
    try:
        written = pa.array(values, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return None
    kinds = (INSTANT, pa.timestamp("us"))  # all with an offset, or all without one
    if not _OFFSET.search(str(next((value for value in values if value is not None), ""))):
        kinds = kinds[::-1]
    for kind in kinds:
        try:
            t = _whole(written.cast(kind))
        except pa.ArrowInvalid:
            continue
        if kind != INSTANT:
            t[given] = _from_local(t[given], zone)
        return t if ((t[given] >= EARLIEST) & (t[given] < LATEST)).all() else None
    return None


def _whole(stored: pa.Array) -> Ints:
    """The microseconds of an Arrow column of times, 0 where it is null."""
    micros = stored.view(pa.int64())
    if micros.null_count:
        micros = micros.fill_null(0)
    return np.array(micros.to_numpy(zero_copy_only=False), np.int64)


def _utc(moments: list[datetime | None], zone: str) -> Ints:
    """UTC microseconds of each moment, 0 for None."""
    t = _whole(pa.array(moments, INSTANT))  # Arrow takes naive ones for UTC
    naive = np.array([m is not None and m.tzinfo is None for m in moments], np.bool_)
    if naive.any():
        t[naive] = _from_local(t[naive], zone)
    return t


def _from_local(local: Instants, zone: str) -> Instants:
    """Instants of local wall-clock microseconds; of two, or of none, the later (localtime's rule)."""
    # The offset of a local time is that of a day before or a day after it, whatever changes in between.
    before = local - (to_local(local - DAY, zone) - (local - DAY))
    after = local - (to_local(local + DAY, zone) - (local + DAY))
    fits_before, fits_after = to_local(before, zone) == local, to_local(after, zone) == local
    later = np.maximum(before, after)
    return np.where(fits_before == fits_after, later, np.where(fits_before, before, after))


def read_numbers(values: list[Any], fault: Fault, *, required: bool) -> tuple[Floats, Bools]:
    """Numbers (0 where absent) and which values are given, float64[n] and bool[n]."""
    given = _given(values)
    if required and not given.all():
        raise fault(int(np.flatnonzero(~given)[0]), "is missing; give a number")
    if not given.any():
        return np.zeros(len(values)), given
    plain = set(map(type, values)) <= _PLAIN_NUMBER
    for i, value in enumerate(() if plain else values):
        if (
            type(value) is not float
            and value is not None
            and (isinstance(value, bool | str) or not _is_number(value))
        ):
            raise fault(i, f"is {_quoted(value)}; expected a number")
    if not given.all():
        values = [0.0 if value is None else value for value in values]
    numbers = np.array(values, np.float64)
    if not (finite := np.isfinite(numbers)).all():
        odd = np.flatnonzero(~finite)
        raise fault(int(odd[0]), f"is {numbers[odd[0]]}; expected a finite number")
    return numbers, given


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _quoted(value: Any) -> str:
    """The value for an error message, cut to a readable length."""
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
