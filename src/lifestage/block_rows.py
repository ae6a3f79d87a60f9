"""A block's rows of one kind, with what is worked out once and shared by every cutoff, and the rows of a view."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from lifestage.localtime import DAY, local_days, to_local
from lifestage.ragged import (
    Bools,
    Coded,
    Floats,
    Ints,
    Ragged,
    Segments,
    encode,
    next_same,
    own_codes,
    owners,
)
from lifestage.schemas import INSTANT


class BlockRows:
    """All rows of one kind: their customers, local calendar, texts as codes."""

    def __init__(self, rows: Ragged, zone: str) -> None:
        self.rows = rows
        self.zone = zone
        self._coded: dict[str, Coded] = {}
        self._own: dict[str, Ints] = {}
        self._next: dict[str, Ints] = {}

    @cached_property
    def local(self) -> Ints:
        """Local wall-clock microseconds of each row."""
        return to_local(self.rows.t, self.zone)

    @cached_property
    def day(self) -> Ints:
        """Number of the local day of each row."""
        return local_days(self.rows.t, self.zone)

    @cached_property
    def owner(self) -> Ints:
        """The customer of each row, -1 for a row of nobody."""
        return owners(self.rows)

    def coded(self, column: str) -> Coded:
        """A text column."""
        if column not in self._coded:
            self._coded[column] = encode(self.rows.columns[column])
        return self._coded[column]

    def numbers(self, column: str) -> Floats:
        """A column of numbers or instants, NaN where it is null. (A double holds instants exactly.)"""
        values = self.rows.columns[column]
        if values.type == INSTANT:
            values = values.view(pa.int64())
        return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)

    def own_codes(self, column: str) -> Ints:
        """A column of ids, of which there may be millions (see ragged.own_codes)."""
        if column not in self._own:
            self._own[column] = own_codes(self.rows.columns[column], self.rows.starts)
        return self._own[column]

    def next_same(self, column: str) -> Ints:
        """The customer's next row with the same text (see ragged.next_same)."""
        if column not in self._next:
            self._next[column] = next_same(self.owner, self.own_codes(column))
        return self._next[column]


@dataclass(frozen=True)
class Purchases:
    """Purchase occasions of n customers as known at one instant, each customer's in order of time.

    Customer i owns rows [starts[i], ends[i]) of `t` (instants), `amount` (currency, net of the refunds known
    then, >= 0) and of the columns below. Fully refunded orders are no occasions and are left out, and so is
    every row outside the view: each row belongs to a customer.
    """

    starts: Ints
    ends: Ints
    t: Ints
    amount: Floats
    _block: BlockRows
    """The block's purchases, of which `kept` are these (None: all)."""
    kept: Bools | None = None

    @cached_property
    def counts(self) -> Ints:
        return self.ends - self.starts

    @cached_property
    def present(self) -> Bools:
        """Who has a purchase, bool[n]."""
        return self.counts > 0

    @cached_property
    def segments(self) -> Segments:
        """Each customer's rows."""
        return Segments(self.starts, self.ends)

    @property
    def zone(self) -> str:
        return self._block.zone

    @cached_property
    def local(self) -> Ints:
        """Local wall-clock microseconds of each row."""
        return self._block.local if self.kept is None else self._block.local[self.kept]

    @cached_property
    def clock(self) -> Ints:
        """Local time of day of each row, microseconds since midnight."""
        return self.local % DAY

    @cached_property
    def day(self) -> Ints:
        """Number of the local day of each row."""
        return self._block.day if self.kept is None else self._block.day[self.kept]

    @cached_property
    def owner(self) -> Ints:
        """The customer of each row."""
        return np.arange(len(self.starts)).repeat(self.counts)

    @cached_property
    def weekdays(self) -> Ints:
        """Purchases of each customer on each local weekday, Monday first, int64[7, n]."""
        n = len(self.starts)
        weekday = (self.day + 3) % 7  # 1970-01-01 was a Thursday
        return np.bincount(weekday * n + self.owner, minlength=7 * n).reshape(7, n)

    @cached_property
    def discount(self) -> Floats:
        """Discount granted on each row, currency; NaN where it is not known."""
        whole = self._block.numbers("discount")
        return whole if self.kept is None else whole[self.kept]

    def coded(self, column: str) -> Coded:
        """`category` or `channel` of each row."""
        whole = self._block.coded(column)
        return whole if self.kept is None else Coded(whole.codes[self.kept], whole.dictionary)


@dataclass(frozen=True)
class Known:
    """Rows of one kind before the cutoff, flat: customers in their order, each customer's rows in order of time."""

    row: Ints | None
    """Place in the block's arrays; None where these are all of them."""
    owner: Ints
    t: Ints
    _block: BlockRows
    _cutoff: int
    _ends: Ints
    """Where each customer's rows of the view end in the block's arrays."""

    def codes(self, column: str) -> Coded:
        """A text column of these rows."""
        whole = self._block.coded(column)
        return whole if self.row is None else Coded(whole.codes[self.row], whole.dictionary)

    def own_codes(self, column: str) -> Ints:
        """A column of ids as numbers that tell a customer's apart, -1 where it is null."""
        whole = self._block.own_codes(column)
        return whole if self.row is None else whole[self.row]

    def numbers(self, column: str) -> Floats:
        """A column of numbers, NaN where it is null."""
        whole = self._block.numbers(column)
        return whole if self.row is None else whole[self.row]

    def instants(self, column: str) -> Floats:
        """A column of instants, NaN where it is null or not before the cutoff."""
        values = self.numbers(column)
        return np.where(values < self._cutoff, values, np.nan)

    @cached_property
    def day(self) -> Ints:
        """Number of the local day of each row."""
        return self._block.day if self.row is None else self._block.day[self.row]

    def last_same(self, column: str) -> Bools:
        """Which of these rows are the customer's last with their text; rows without one are told from all others."""
        following = self._block.next_same(column)
        if self.row is None:
            return following == len(following)
        return following[self.row] >= self._ends[self.owner]

    def until_next_same(self, column: str, of: Ints) -> Ints:
        """Microseconds from the rows at places `of` to the customer's next with the same text, which there must be."""
        row = of if self.row is None else self.row[of]
        return self._block.rows.t[self._block.next_same(column)[row]] - self._block.rows.t[row]


def known_rows(block: BlockRows, view: Ragged, cutoff: int) -> Known:
    """The rows of a block that a view before `cutoff` holds."""
    held = (view.t < cutoff) & (block.owner >= 0)
    if held.all():
        return Known(None, block.owner, view.t, block, cutoff, view.ends)
    row = held.nonzero()[0]
    return Known(row, block.owner[row], view.t[row], block, cutoff, view.ends)
