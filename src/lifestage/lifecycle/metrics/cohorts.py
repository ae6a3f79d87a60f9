"""Cohort retention: of those who first ordered in a month, how many ordered k months later."""

from datetime import date
from typing import Any

import numpy as np

from lifestage.history import Before
from lifestage.lifecycle.metrics.levels import Groups, first_months
from lifestage.localtime import midnight
from lifestage.ragged import Bools, Ints

WIDTH = 4_096
"""More months than between any two dates that we take."""


class Cohorts:
    """Counts of customers by group, month of the first order, and months since in which they ordered."""

    def __init__(self) -> None:
        self._keys: list[Ints] = []
        self._counts: list[Ints] = []

    def add(self, view: Before, group: Ints, members: Bools) -> None:
        """Add the customers of a view who are members; those without an order have no cohort."""
        bought = view.purchases
        first = first_months(bought.day, bought.starts, bought.present).astype(np.int64)
        owner = bought.owner
        month = bought.day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        key = (group[owner] * WIDTH + first[owner] + WIDTH // 2) * WIDTH + month - first[owner]
        met = np.ones(len(key), np.bool_)
        met[1:] = (owner[1:] != owner[:-1]) | (key[1:] != key[:-1])  # rows lie in order of time
        keys, counts = np.unique(key[met & members[owner]], return_counts=True)
        self._keys.append(keys)
        self._counts.append(counts)

    def rows(self, groups: Groups, newest: int, zone: str, minimum: int) -> list[dict[str, Any]]:
        """One row per group, cohort and month since, up to the month of `newest`.

        `active` and `share` are null for a month that `newest` (an instant) does not hold whole; month 0 is that of
        the first order, in which all are active. `share` is null too for a cohort of less than `minimum`.
        """
        keys = np.concatenate([np.zeros(0, np.int64), *self._keys])
        counts = np.concatenate([np.zeros(0, np.int64), *self._counts])
        code, rest = np.divmod(keys, WIDTH * WIDTH)
        cohort, k = np.divmod(rest, WIDTH)
        cohort -= WIDTH // 2
        whole = _whole_months(int(cohort.min()), newest, zone) if len(keys) else 0
        current = _month_of(newest, zone)
        found = []
        for group, codes in groups:
            mine = np.isin(code, np.asarray(codes, np.int64))
            for first in np.unique(cohort[mine]).tolist():
                here = mine & (cohort == first)
                active = np.bincount(k[here], counts[here], max(current - first, 0) + 1)
                customers = int(active[0])
                for since, number in enumerate(active.tolist()):
                    seen = since == 0 or first + since < whole
                    found.append(
                        {
                            "group": group,
                            "cohort": str(np.datetime64(first, "M")),
                            "month": since,
                            "customers": customers,
                            "active": int(number) if seen else None,
                            "share": number / customers if seen and customers >= minimum else None,
                        }
                    )
        return found


def _month_of(instant: int, zone: str) -> int:
    """Number of the local month that holds the last moment before the instant."""
    from lifestage.localtime import day_of

    day = day_of(instant - 1, zone)
    return (day.year - 1970) * 12 + day.month - 1


def _whole_months(first: int, newest: int, zone: str) -> int:
    """The first month, as a number, that is not over at `newest`."""
    month = max(_month_of(newest, zone), first)
    year, number = divmod(month + 1, 12)
    over = midnight(date(1970 + year, number + 1, 1), zone) <= newest
    return month + 1 if over else month
