"""What one pass over a history measures: rows in time, repeats, missing attributes, gaps, outcomes at cutoffs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pandas.util import hash_array

from lifestage.gather import where_blocks_lie
from lifestage.history import History
from lifestage.labels import Definition, labelled
from lifestage.localtime import DAY, HOUR, SECOND, local_days, to_local
from lifestage.ragged import Bools, Ints, Ragged

LONGEST_GAP = 3_650
TIMED = ("purchases", "events")
"""Kinds of rows that happen at an instant of their own; terms and labels lie on round dates."""


@dataclass
class Scan:
    """Counts over all customers, added up block by block."""

    customers: int = 0
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TIMED, 0))
    repeats: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TIMED, 0))
    """Rows equal to the one before in every column."""
    midnight: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TIMED, 0))
    hours: Ints = field(default_factory=lambda: np.zeros(24, np.int64))
    """Rows by local hour, those at exactly midnight left out."""
    days: set[int] = field(default_factory=set)
    """Local days with a row."""
    gaps: dict[str, Ints] = field(
        default_factory=lambda: {kind: np.zeros(LONGEST_GAP + 1, np.int64) for kind in TIMED}
    )
    """How many gaps of so many local days between one customer's days with a row."""
    missing: dict[str, int] = field(default_factory=dict)
    """Customers without a value, each attribute column."""
    seconds: list[npt.NDArray[np.int32]] = field(default_factory=list)
    """Of every row that is not at midnight: the one thing here that grows with the rows, so kept small."""
    spellings: list[npt.NDArray[np.uint64]] = field(default_factory=list)
    """A hash of every id without its case and outer blanks."""
    eligible: dict[int, int] = field(default_factory=dict)
    churned: dict[int, int] = field(default_factory=dict)

    @property
    def respelt(self) -> int:
        """Ids that another id equals but for case and outer blanks."""
        if not self.spellings:
            return 0
        return self.customers - len(np.unique(np.concatenate(self.spellings)))

    @property
    def burst(self) -> int:
        """Most rows that carry one second, those at exactly midnight left out."""
        if not self.seconds or not sum(map(len, self.seconds)):
            return 0
        return int(np.unique(np.concatenate(self.seconds), return_counts=True)[1].max())


def _added(parts: Sequence[Scan]) -> Scan:
    def total(counts: Sequence[Any]) -> Any:
        return {key: sum(count[key] for count in counts) for key in counts[0]}

    return Scan(
        customers=sum(part.customers for part in parts),
        days=set().union(*(part.days for part in parts)),
        seconds=[t for part in parts for t in part.seconds],
        spellings=[h for part in parts for h in part.spellings],
        hours=np.sum([part.hours for part in parts], axis=0),
        **{
            name: total([getattr(part, name) for part in parts])
            for name in ("rows", "repeats", "midnight", "gaps", "missing", "eligible", "churned")
        },
    )


@where_blocks_lie(_added)
def scan(
    blocks: Iterable[History],
    cutoffs: Sequence[int],
    definition: Definition,
    progress: Callable[[int], object] | None = None,
) -> Scan:
    """Measure a history, and the outcomes at `cutoffs`."""
    found = Scan(eligible=dict.fromkeys(cutoffs, 0), churned=dict.fromkeys(cutoffs, 0))
    for history in blocks:
        found.customers += len(history)
        plain = pc.utf8_lower(pc.utf8_trim_whitespace(history.customer_id))
        found.spellings.append(hash_array(plain.to_numpy(zero_copy_only=False), categorize=False))
        for kind in TIMED:
            _add_rows(found, kind, getattr(history, kind), history.zone)
        for name, column in history.profile.items():
            found.missing[name] = found.missing.get(name, 0) + column.null_count
        for cutoff in cutoffs:
            label = labelled(history, cutoff, definition)
            found.eligible[cutoff] += int(label.eligible.sum())
            found.churned[cutoff] += int((label.eligible & label.churned).sum())
        if progress is not None:
            progress(len(history))
    return found


def _add_rows(found: Scan, kind: str, rows: Ragged, zone: str) -> None:
    owned = rows.owned()
    t = rows.t[owned]
    found.rows[kind] += len(t)
    if not len(t):
        return
    follows = np.ones(len(rows.t), np.bool_)  # has an earlier row of the same customer
    follows[rows.starts[rows.counts > 0]] = False
    follows = follows[owned]
    found.repeats[kind] += int((follows[1:] & _same_as_before(rows, owned)).sum())
    local = to_local(t, zone)
    midnight = local % DAY == 0
    found.midnight[kind] += int(midnight.sum())
    found.hours += np.bincount(local[~midnight] % DAY // HOUR, minlength=24)
    found.seconds.append(
        (t[~midnight] // SECOND).astype(np.int32)
    )  # 1901 to 2038; others wrap, which is no harm
    day = local_days(t, zone)
    found.days.update(np.unique(day).tolist())
    gaps = np.diff(day)[follows[1:]]
    found.gaps[kind] += np.bincount(np.clip(gaps[gaps > 0], 0, LONGEST_GAP), minlength=LONGEST_GAP + 1)


def _same_as_before(rows: Ragged, owned: Bools) -> Bools:
    """Of each owned row but the first: equal to the one before it in instant and every column, bool[n - 1]."""
    keep = pa.array(owned)
    t = rows.t[owned]
    same = np.asarray(t[1:] == t[:-1], np.bool_)
    for column in rows.columns.values():
        if not same.any():
            break
        values = column.filter(keep)
        equal = pc.equal(values[1:], values[:-1]).fill_null(False)
        both = pc.and_(values[1:].is_null(), values[:-1].is_null())
        same &= pc.or_(equal, both).to_numpy(zero_copy_only=False)
    return same
