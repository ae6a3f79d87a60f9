"""The four churn definitions, each with its eligibility, behind `eligible` and `labelled`.

Horizon and grace are counted in local days, as cutoffs are. Ties belong to the future: what happens at the
cutoff is after it, what happens at the end of the horizon is beyond it.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np
import pyarrow as pa

from lifestage.history import Before, History
from lifestage.labels.outcomes import bought_within, outcome
from lifestage.localtime import DAY, day_of, midnight, to_local
from lifestage.ragged import Bools, Floats, Ints, Ragged, at

Name = Literal["purchase", "activity", "subscription", "given"]
NEVER = np.inf


@dataclass(frozen=True, slots=True)
class Definition:
    """What leaving means. `active_within_days` is of purchase and activity, `grace_days` of subscription."""

    name: Name = "purchase"
    horizon_days: int = 90
    active_within_days: int = 365
    grace_days: int = 0

    @property
    def label_days(self) -> int:
        """Local days after a cutoff that must be observed before its labels are complete."""
        return self.horizon_days + (self.grace_days if self.name == "subscription" else 0)

    def sentence(self) -> str:
        """The definition in words, for reports."""
        h, a = self.horizon_days, self.active_within_days
        return {
            "purchase": f"no order within {h} days, among customers who ordered in the last {a} days",
            "activity": f"no event within {h} days, among customers with an event in the last {a} days",
            "subscription": f"the term ends within {h} days and is not renewed within {self.grace_days} days, "
            "among customers with an open term",
            "given": "as the shop's own label table says, among the customers it labels",
        }[self.name]

    def short(self) -> str:
        """The definition in a few words."""
        h = self.horizon_days
        return {
            "purchase": f"no order in {h} days",
            "activity": f"no event in {h} days",
            "subscription": f"subscription ends in {h} days",
            "given": "as labelled",
        }[self.name]


@dataclass(frozen=True, slots=True)
class Labelled:
    """One value per customer of a block at one cutoff; `churned` means something only where `eligible`."""

    eligible: Bools
    churned: Bools


def after_days(cutoff: int, days: int, zone: str) -> int:
    """The local midnight `days` local days after a cutoff: the end of its label window."""
    return midnight(day_of(cutoff, zone) + timedelta(days=days), zone)


def eligible(view: Before, definition: Definition) -> Bools:
    """Whose churn can be predicted at the view's cutoff, bool[n].

    purchase, activity: an order (event) in [cutoff - active_within_days, cutoff); subscription: a term open at
    the cutoff; given: everybody, since only the shop knows who may leave.
    """
    if definition.name == "purchase":
        return bought_within(view, definition.active_within_days)
    if definition.name == "activity":
        rows = view.events
        last = at(rows.t, rows.ends - 1, rows.counts > 0)
        return np.asarray(last >= view.cutoff - definition.active_within_days * DAY, np.bool_)
    if definition.name == "subscription":
        return _open_until(view.subscriptions, view.cutoff) > -NEVER
    return np.ones(len(view), np.bool_)


def labelled(history: History, cutoff: int, definition: Definition) -> Labelled:
    """Eligibility and churn of every customer of a block at one cutoff.

    purchase: no order in [cutoff, cutoff + horizon); activity: no event in it; subscription: see `lapsed`;
    given: the latest label whose as_of lies on the cutoff's local day, and only customers who have one are
    eligible.
    """
    view, zone = history.before(cutoff), history.zone
    end = after_days(cutoff, definition.horizon_days, zone)
    if definition.name == "purchase":
        return Labelled(eligible(view, definition), outcome(history.window(cutoff, end)).churned)
    if definition.name == "activity":
        return Labelled(eligible(view, definition), history.window(cutoff, end).events.counts == 0)
    if definition.name == "subscription":
        seen = history.window(cutoff, after_days(cutoff, definition.label_days, zone)).subscriptions
        return Labelled(eligible(view, definition), lapsed(seen, cutoff, end, definition.grace_days, zone))
    labels = history.window(cutoff, after_days(cutoff, 1, zone)).labels
    found = labels.counts > 0
    said = labels.columns["churned"].cast(pa.int8()).to_numpy(zero_copy_only=False)
    return Labelled(found, at(np.asarray(said, np.int64), labels.ends - 1, found) == 1)


def lapsed(terms: Ragged, cutoff: int, end: int, grace_days: int, zone: str) -> Bools:
    """Whose cover by subscription terms breaks off before `end`, bool[n].

    Cover begins with the terms open at the cutoff and lasts to the latest of their ends. A term that starts at
    or before that end, or up to `grace_days` local days after it, carries the cover on to its own end, if that
    is later. `terms` are known up to the end of the label window (end + grace): a null `ended_at` runs on.
    """
    cover = _local(_open_until(terms, cutoff), zone)
    starts = to_local(terms.t, zone).astype(np.float64)
    ends = _local(_ends(terms), zone)
    row = terms.starts + terms.rows_before(cutoff)
    while (left := row < terms.ends).any():  # each customer's next term in order of its start
        who = np.flatnonzero(left)
        renews = starts[row[who]] <= cover[who] + grace_days * DAY
        cover[who] = np.where(renews, np.maximum(cover[who], ends[row[who]]), cover[who])
        row = row + left
    return np.asarray(cover < to_local(np.array([end]), zone)[0], np.bool_)


def _ends(terms: Ragged) -> Floats:
    """Instant at which each flat row's term ends, infinite while it runs."""
    given = terms.columns["ended_at"].cast(pa.int64())
    known = given.is_valid().to_numpy(zero_copy_only=False)
    return np.where(known, np.asarray(given.fill_null(0).to_numpy(zero_copy_only=False), np.float64), NEVER)


def _open_until(terms: Ragged, cutoff: int) -> Floats:
    """The latest end of each customer's terms open at the cutoff (started before, ending at or after it).

    Infinite where one runs on, minus infinite where none is open, float64[n].
    """
    before = terms.before(cutoff)
    ends = _ends(terms)
    reach = np.where(ends >= cutoff, ends, -NEVER)
    out = np.full(len(before.starts), -NEVER)
    filled = np.flatnonzero(before.counts > 0)
    owner = np.repeat(filled, before.counts[filled])
    rows = _rows(before.starts[filled], before.counts[filled])
    np.maximum.at(out, owner, reach[rows])
    return out


def _rows(starts: Ints, counts: Ints) -> Ints:
    """The flat rows starts[i], starts[i] + 1, ... of each segment, one after the other."""
    first = np.cumsum(counts) - counts
    rows: Ints = np.arange(int(counts.sum())) - np.repeat(first, counts) + np.repeat(starts, counts)
    return rows


def _local(t: Floats, zone: str) -> Floats:
    """Local wall-clock microseconds of instants, infinities as they are."""
    finite = np.isfinite(t)
    out = t.copy()
    out[finite] = to_local(t[finite].astype(np.int64), zone)
    return out
