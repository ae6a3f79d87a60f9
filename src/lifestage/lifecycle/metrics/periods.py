"""Which scoring runs make periods long enough to tell rates, and alike."""

from collections.abc import Iterable

from lifestage.localtime import DAY

PERIOD_DAYS = 28
"""The shortest month: month beginnings are all kept, and of nightly or weekly runs one in four weeks."""
SLACK = DAY // 2
"""A local month loses an hour where the clock goes forward."""


def spaced(instants: Iterable[int], days: float = PERIOD_DAYS) -> list[int]:
    """The instants, ascending, that lie at least `days` apart, counted back from the newest, which always stays.

    With month beginnings and a newest run two days after the last of them, that one is left out: rates of two days
    tell nothing beside rates of months.
    """
    found: list[int] = []
    for instant in sorted(set(instants), reverse=True):
        if not found or found[-1] - instant >= days * DAY - SLACK:
            found.append(instant)
    return found[::-1]
