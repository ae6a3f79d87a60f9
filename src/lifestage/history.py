"""The history block: whole customers, one row each, and the two views that everything else gets.

`before(cutoff)` is all that features and CLV summaries see, `window(cutoff, horizon)` all that labels see:
a row at or after the cutoff cannot reach a feature because the view does not hold it.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lifestage.block_rows import BlockRows, Known, Purchases, known_rows
from lifestage.ragged import Bools, Floats, Ints, Ragged, from_list_array, keep_rows
from lifestage.refunds import Links, link_refunds, net_amounts
from lifestage.schemas import HISTORY, INSTANT, RAGGED


class Before:
    """What is known of each customer before `cutoff`: rows with t < cutoff, refunds as of then."""

    def __init__(self, history: "History", cutoff: int) -> None:
        self._history = history
        self.cutoff = cutoff
        self.zone = history.zone
        self.profile = history.profile

    def __len__(self) -> int:
        return len(self._history)

    @cached_property
    def purchases(self) -> Purchases:
        return self._history.purchases_known(self.placed, self.cutoff)

    @cached_property
    def placed(self) -> Ragged:
        """Orders placed, the fully refunded ones among them, at their gross amounts."""
        return self._history.purchases.before(self.cutoff)

    @cached_property
    def refunds(self) -> Ragged:
        """Refunds (column `amount` > 0), linked to a purchase or not."""
        return self._history.refunds.before(self.cutoff)

    @cached_property
    def events(self) -> Ragged:
        return self._history.events.before(self.cutoff)

    def rows(self, kind: Literal["events", "feedback"]) -> Known:
        """The rows of a kind as flat arrays that hold no later row."""
        block = self._history.block_rows(kind)
        view = self.events if kind == "events" else block.rows.before(self.cutoff)
        return known_rows(block, view, self.cutoff)

    def alone(self) -> "Before":
        """The same view of a copy that holds nothing else: no row at or after the cutoff, no later instant."""
        return self._history.cut(self.cutoff).before(self.cutoff)

    @cached_property
    def feedback(self) -> Ragged:
        """Answers and tickets; a `resolved_at` at or after the cutoff reads as null."""
        return _known_by(self._history.feedback.before(self.cutoff), "resolved_at", self.cutoff)

    @cached_property
    def subscriptions(self) -> Ragged:
        """Terms that started before the cutoff; an `ended_at` at or after it reads as null: the term runs."""
        return _known_by(self._history.subscriptions.before(self.cutoff), "ended_at", self.cutoff)

    @cached_property
    def signed_up_at(self) -> Floats:
        """Instant of registration, NaN where unknown or not before the cutoff, float64[n]."""
        column = self.profile["signed_up_at"].view(pa.int64())
        values = np.asarray(column.to_numpy(zero_copy_only=False), np.float64)
        return np.where(values < self.cutoff, values, np.nan)


class Window:
    """What happened in [cutoff, cutoff + horizon): purchases net of the refunds seen by the window's end."""

    def __init__(self, history: "History", cutoff: int, end: int) -> None:
        self._history = history
        self.cutoff = cutoff
        self.end = end

    @cached_property
    def purchases(self) -> Purchases:
        return self._history.purchases_known(self._history.purchases.between(self.cutoff, self.end), self.end)

    @cached_property
    def events(self) -> Ragged:
        return self._history.events.between(self.cutoff, self.end)

    @cached_property
    def labels(self) -> Ragged:
        """The shop's own labels that look ahead from an instant of the window."""
        return self._history.labels.between(self.cutoff, self.end)

    @cached_property
    def subscriptions(self) -> Ragged:
        """Terms that started before the window's end, those from before the cutoff too: their end is the label.

        An `ended_at` at or after the window's end reads as null.
        """
        return _known_by(self._history.subscriptions.before(self.end), "ended_at", self.end)


def _known_by(rows: Ragged, column: str, instant: int) -> Ragged:
    """`rows` with every later instant than `instant`, or that one, of a column read as null."""
    given = rows.columns[column].cast(pa.int64())
    known = np.asarray(given.fill_null(instant).to_numpy(zero_copy_only=False)) < instant
    masked = pa.array(np.asarray(given.fill_null(0)), pa.int64(), mask=~known).cast(INSTANT)
    return Ragged(rows.starts, rows.ends, rows.t, {**rows.columns, column: masked})


class History:
    """One row per customer: ids, list columns ordered by time, profile columns (see schemas.HISTORY)."""

    def __init__(self, table: pa.RecordBatch | pa.Table, zone: str) -> None:
        self.zone = zone
        self._table = table
        self._kinds: dict[str, BlockRows] = {}
        columns = dict(zip(table.schema.names, table.columns, strict=True))
        self.customer_id: pa.Array = _single(columns.pop("customer_id"))
        self._lists = {name: columns.pop(name) for name in RAGGED}
        self.profile: Mapping[str, pa.Array] = {name: _single(column) for name, column in columns.items()}

    def __len__(self) -> int:
        return len(self.customer_id)

    @cached_property
    def purchases(self) -> Ragged:
        return from_list_array(self._lists["purchases"])

    @cached_property
    def refunds(self) -> Ragged:
        return from_list_array(self._lists["refunds"])

    @cached_property
    def events(self) -> Ragged:
        return from_list_array(self._lists["events"])

    @cached_property
    def feedback(self) -> Ragged:
        return from_list_array(self._lists["feedback"])

    @cached_property
    def subscriptions(self) -> Ragged:
        return from_list_array(self._lists["subscriptions"])

    @cached_property
    def labels(self) -> Ragged:
        return from_list_array(self._lists["labels"])

    @cached_property
    def _links(self) -> Links:
        return link_refunds(self.purchases, self.refunds)

    @cached_property
    def _gross(self) -> Floats:
        return np.asarray(self.purchases.columns["amount"].to_numpy(zero_copy_only=False), np.float64)

    def block_rows(self, kind: str) -> BlockRows:
        """The block's rows of one kind, with what is worked out once for all cutoffs."""
        if kind not in self._kinds:
            self._kinds[kind] = BlockRows(getattr(self, kind), self.zone)
        return self._kinds[kind]

    def one(self, index: int) -> "History":
        """The block of one of the customers."""
        return History(self._table.slice(index, 1), self.zone)

    def within(self, zone: str) -> "History":
        """The same block by the calendar of another time zone."""
        return self if zone == self.zone else History(self._table, zone)

    def take(self, rows: Ints) -> "History":
        """The block of the customers at the given places."""
        return History(self._table.take(pa.array(rows)), self.zone)

    def cut(self, cutoff: int) -> "History":
        """A copy as if it had been made at `cutoff`: later rows and later instants are not in it."""
        columns: dict[str, pa.Array] = {"customer_id": self.customer_id}
        for kind, struct in RAGGED.items():
            block = self.block_rows(kind)
            rows = block.rows.before(cutoff)
            keep = pa.array(np.flatnonzero((block.owner >= 0) & (rows.t < cutoff)))
            offsets = np.concatenate([[0], np.cumsum(rows.counts)]).astype(np.int32)
            children = {"t": pa.array(rows.t, pa.int64()).cast(INSTANT), **rows.columns}
            taken = [_known(children[f.name].take(keep), cutoff) for f in struct]
            values = pa.StructArray.from_arrays(taken, fields=list(struct))
            columns[kind] = pa.ListArray.from_arrays(pa.array(offsets), values)
        profile = {name: _known(column, cutoff) for name, column in self.profile.items()}
        return History(pa.table({**columns, **profile}), self.zone)

    def known(self, cutoff: int) -> Bools:
        """Customers with any row or their registration before `cutoff`, or with no date at all, bool[n].

        Who has attributes only was always there: a table of them has no history.
        """
        rows = [self.purchases, self.refunds, self.events, self.feedback, self.subscriptions]
        seen = np.any([kind.rows_before(cutoff) > 0 for kind in rows], axis=0)
        dated = np.any([kind.counts > 0 for kind in rows], axis=0)
        dated |= self.profile["signed_up_at"].is_valid().to_numpy(zero_copy_only=False)
        return np.asarray(seen | ~dated | ~np.isnan(self.before(cutoff).signed_up_at), np.bool_)

    def before(self, cutoff: int) -> Before:
        """The view of everything known before the instant `cutoff`."""
        return Before(self, cutoff)

    def window(self, cutoff: int, end: int) -> Window:
        """The view of the label window [cutoff, end)."""
        return Window(self, cutoff, end)

    def purchases_known(self, rows: Ragged, instant: int) -> Purchases:
        """The purchase occasions among `rows` as known at `instant`."""
        net, kept = net_amounts(self._gross, self._links, instant)
        if int(rows.counts.sum()) < len(rows.t):
            kept &= rows.owned()
        if kept.all():
            return Purchases(rows.starts, rows.ends, rows.t, net, self.block_rows("purchases"))
        starts, ends = keep_rows(kept, rows.starts, rows.ends)
        return Purchases(starts, ends, rows.t[kept], net[kept], self.block_rows("purchases"), kept)


def _known(column: pa.Array, cutoff: int) -> pa.Array:
    """A column of instants with those at or after the cutoff as null; any other column as it is."""
    if column.type != INSTANT:
        return column
    limit = pa.scalar(cutoff, pa.int64()).cast(INSTANT)
    return pc.if_else(pc.less(column, limit), column, pa.scalar(None, INSTANT))


def joined(blocks: Sequence[History]) -> History:
    """The customers of several blocks, at least one, as one block, in their order."""
    tables = [block._table for block in blocks]
    whole = [t if isinstance(t, pa.Table) else pa.Table.from_batches([t]) for t in tables]
    return History(pa.concat_tables(whole).combine_chunks(), blocks[0].zone)


def _single(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One contiguous array of a column that may be chunked."""
    if isinstance(column, pa.ChunkedArray):
        if column.num_chunks == 1:
            return column.chunk(0)
        return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    return column


def complete(table: pa.Table) -> pa.Table:
    """`table` with every column of schemas.HISTORY: empty lists and nulls where it had none."""
    n = len(table)
    for field in HISTORY:
        if field.name in table.schema.names:
            continue
        if field.name in RAGGED:
            offsets = pa.array(np.zeros(n + 1, np.int32))
            column: pa.Array = pa.ListArray.from_arrays(offsets, pa.array([], field.type.value_type))
        else:
            column = pa.nulls(n, field.type)
        table = table.append_column(field, column)
    return table
