"""The BTYD summary of a block of customers: what the order and the spend model know about each."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lifestage.errors import InputError
from lifestage.ragged import Bools, Floats, Ints, segment_sum

Trait = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Summary:
    """One entry per customer, all arrays of length n; NaN where the customer has no purchase.

    frequency: distinct purchase days - 1, >= 0. recency: days from the first to the last purchase day, in
    [0, T]. T: days from the first purchase day to the cutoff's day. monetary_value: mean net spend of the
    repeat days (the first left out), currency; 0 where frequency is 0. The names and meanings of Fader,
    Hardie & Lee (2005) and of lifetimes. Any other unit of time will do as long as all agree.
    """

    frequency: Floats
    recency: Floats
    T: Floats
    monetary_value: Floats
    has_purchase: Bools
    cutoff_day: float = math.nan
    """Day number of the cutoff's local day; only a model with a season asks for it."""
    traits: Mapping[str, Trait] = field(default_factory=dict)
    """Covariates by name, one entry per customer: texts (object) or numbers (float64); only a model with covariates
    asks for them."""

    def __len__(self) -> int:
        return len(self.frequency)

    def take(self, rows: Bools | Ints) -> "Summary":
        """The chosen customers, by flags or by index."""
        x, t_x, age, m = self.frequency[rows], self.recency[rows], self.T[rows], self.monetary_value[rows]
        traits = {name: trait[rows] for name, trait in self.traits.items()}
        return Summary(x, t_x, age, m, self.has_purchase[rows], self.cutoff_day, traits)

    @classmethod
    def of(
        cls,
        frequency: npt.ArrayLike,
        recency: npt.ArrayLike,
        T: npt.ArrayLike,
        monetary_value: npt.ArrayLike = 0.0,
    ) -> "Summary":
        """One entry per customer with a purchase, from any array-likes of one length (checked)."""
        x, t_x, age = (
            np.ascontiguousarray(np.asarray(c).astype(np.float64)) for c in (frequency, recency, T)
        )
        m = np.ascontiguousarray(np.broadcast_to(np.asarray(monetary_value, np.float64), x.shape))
        made = cls(x, t_x, age, m, np.ones(x.shape, np.bool_))
        made.check()
        return made

    def check(self) -> None:
        """Raises InputError for the first customer that no purchase history can have produced."""
        known = self.has_purchase
        _refuse_shapes(known, self.frequency, self.recency, self.T, self.monetary_value)
        for name, trait in self.traits.items():
            if trait.shape != known.shape:
                raise InputError(
                    f"trait '{name}' has shape {trait.shape}, expected one value a customer: {known.shape}"
                )
        x, t_x, age, m = (c[known] for c in (self.frequency, self.recency, self.T, self.monetary_value))
        check_recency_frequency(x, t_x, age)
        _refuse(~((m >= 0) & np.isfinite(m)), "monetary_value", m, "a finite number >= 0")


def concatenate(parts: Sequence[Summary]) -> Summary:
    """One entry per customer of all parts, in their order; they share a cutoff."""
    if not parts:
        nobody = np.empty(0)
        return Summary(nobody, nobody, nobody, nobody, np.empty(0, np.bool_))
    names = ("frequency", "recency", "T", "monetary_value")
    x, t_x, age, m = (np.concatenate([getattr(p, name) for p in parts]) for name in names)
    has = np.concatenate([p.has_purchase for p in parts])
    traits = {name: np.concatenate([p.traits[name] for p in parts]) for name in parts[0].traits}
    return Summary(x, t_x, age, m, has, parts[0].cutoff_day, traits)


def check_recency_frequency(frequency: Floats, recency: Floats, T: Floats) -> None:
    """One check per customer; raises InputError that names the column, the value and its range."""
    _refuse_shapes(frequency, recency, T)
    x, t_x = frequency, recency
    whole = (x >= 0) & (x == np.floor(x)) & np.isfinite(x)
    _refuse(~whole, "frequency", x, "a whole number >= 0 (purchase days after the first)")
    _refuse(~((T >= 0) & np.isfinite(T)), "T", T, "a finite time >= 0 since the first purchase")
    _refuse(
        ~((t_x >= 0) & (t_x <= T)), "recency", t_x, "0 <= recency <= T (time from first to last purchase)"
    )
    _refuse(
        (x == 0) & (t_x != 0), "recency", t_x, "0 where frequency is 0: the only purchase is also the last"
    )


def _refuse_shapes(*columns: Floats | Bools) -> None:
    shapes = {column.shape for column in columns}
    if len(shapes) > 1 or len(next(iter(shapes))) != 1:
        found = ", ".join(str(column.shape) for column in columns)
        raise InputError(
            f"frequency, recency, T and their companions have shapes {found}, expected one number a customer in "
            "each; make them equally long"
        )


def _refuse(bad: Bools, column: str, values: Floats, expected: str) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"{column} of customer number {row} is {values[row]:.17g}, expected {expected}; "
            f"{int(bad.sum())} of {len(bad)} customers are so, mend or drop them"
        )


def summarise(starts: Ints, ends: Ints, local_day: Ints, amount: Floats, cutoff_day: int) -> Summary:
    """One entry per customer: the BTYD summary at a cutoff.

    starts, ends: int64[n], the customer's rows are [start, end) of the flat arrays and ordered by time;
    segments may be empty and rows may belong to nobody. local_day: int64[m], day numbers in the shop's
    timezone, all <= cutoff_day. amount: float64[m], net spend >= 0, currency. Purchases of one local day
    are one. Each segment is reduced by itself, so a customer gets the same bits alone and in a block.

    Raises InputError for a purchase day after cutoff_day.
    """
    has_purchase = ends > starts
    first_row, end_row = starts[has_purchase], ends[has_purchase]
    columns = [np.full(len(starts), np.nan) for _ in range(4)]
    if len(first_row):
        first, last = local_day[first_row], local_day[end_row - 1]
        if int(last.max()) > cutoff_day:
            raise InputError(
                f"a purchase falls on day {int(last.max())}, expected none after the cutoff's day "
                f"{cutoff_day}; cut the history at the cutoff first"
            )
        # Integers may be summed across customers: exact, whatever the order.
        day_begins = np.ones(len(local_day), np.bool_)
        day_begins[1:] = local_day[1:] != local_day[:-1]
        days_until = np.cumsum(day_begins)
        frequency: Ints = days_until[end_row - 1] - days_until[first_row]
        spend = np.zeros(len(first_row))
        repeat = np.flatnonzero(frequency > 0)
        if len(repeat):
            second_day = np.flatnonzero(day_begins)[days_until[first_row[repeat]]]
            spend[repeat] = segment_sum(amount, second_day, end_row[repeat]) / frequency[repeat]
        for column, values in zip(columns, (frequency, last - first, cutoff_day - first, spend), strict=True):
            column[has_purchase] = values
    return Summary(columns[0], columns[1], columns[2], columns[3], has_purchase, float(cutoff_day))
