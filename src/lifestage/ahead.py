"""What becomes of a customer if nothing happens: the next stage and its date, when at risk, when lost.

The history stays as it is and the clock goes on: at each of a few later instants ("looks") everything is worked out
anew, features, scores and stage. Between two looks numbers go in straight lines, which is exact for ages (days since
the last order) and near enough for scores, and the day of a change is found by bisection. A stage that is entered and
left again between two looks, with the same stage at both, is not seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lifestage.decision import condition_columns
from lifestage.history import History
from lifestage.labels import Definition
from lifestage.labels.definitions import after_days
from lifestage.lifecycle.blocks import RFM
from lifestage.lifecycle.policy import Policy
from lifestage.lifecycle.staging import columns_read, stage_codes
from lifestage.localtime import DAY, day_of, instant, midnight, moment
from lifestage.ragged import Floats, Ints
from lifestage.release import NO_REASONS, Release
from lifestage.schemas import INSTANT, PREVIOUS, SCORE
from lifestage.scoring import definition_of

AHEAD = pa.schema(
    [("next_stage", pa.string()), ("next_stage_at", INSTANT), ("at_risk_at", INSTANT), ("lost_at", INSTANT)]
)
"""One row per customer: the first other stage and from when on; the first day in a stage of role at_risk, and of role
lost. NULL where it is so already or does not come within the time looked ahead."""
CHANGES = 4
"""Changes of one customer that are followed between two looks."""
_LAST_EVENT = {"purchase": "days_since_last_order", "activity": "days_since_last_event"}
_OF_CHURN = ("churn_probability", "churn_percentile")


@dataclass
class _State:
    """Where each customer stands on the way: day of the way, stage as its place in the policy, day it began."""

    day: Ints
    stage: Ints
    since: Floats
    """Days from as_of on, so below 0 for a stage of before."""


@dataclass(frozen=True)
class _Stretch:
    """The way between two looks: their days, and what the policy reads of each customer at each."""

    low: int
    before: dict[str, pa.Array]
    high: int
    behind: dict[str, pa.Array]


class _Found:
    """What was met on the way so far; days from as_of on, NaN = not met."""

    def __init__(self, policy: Policy, first: Ints) -> None:
        roles = [stage.role for stage in policy.stages]
        self.at_risk = np.array([role == "at_risk" for role in roles])
        self.lost = np.array([role == "lost" for role in roles])
        n = len(first)
        self.first = first
        self.next_stage = np.full(n, -1, np.int64)
        self.next_day, self.risk_day, self.lost_day = (np.full(n, np.nan) for _ in range(3))

    def meet(self, rows: Ints, stage: Ints, day: Ints) -> None:
        new = self.next_stage[rows] < 0
        self.next_stage[rows[new]], self.next_day[rows[new]] = stage[new], day[new]
        for role, days in ((self.at_risk, self.risk_day), (self.lost, self.lost_day)):
            here = role[stage] & np.isnan(days[rows]) & ~role[self.first[rows]]
            days[rows[here]] = day[here]


def with_ahead(
    scores: pa.Table,
    history: History,
    as_of: int,
    release: Release,
    looks: Sequence[int],
    *,
    threads: int = 0,
) -> pa.Table:
    """Rows of schemas.SCORE with the columns of AHEAD filled; arguments as of `look_ahead`, nothing for no looks."""
    if not looks:
        return scores
    foreseen = look_ahead(history, as_of, release, scores, looks, threads=threads)
    for name in foreseen.column_names:
        scores = scores.set_column(scores.column_names.index(name), SCORE.field(name), foreseen[name])
    return scores


def look_ahead(
    history: History,
    as_of: int,
    release: Release,
    staged: pa.Table,
    looks: Sequence[int],
    *,
    threads: int = 0,
) -> pa.Table:
    """One row per customer of the block, AHEAD.

    `staged` holds customer_id, stage and stage_since at `as_of`, row by row with the history; `looks` are the days at
    which all is worked out anew, ascending, the last of them is how far ahead is looked. Customers in a stage of role
    lost stay in it: only an order brings them back.
    """
    policy = release.policy
    names = [stage.name for stage in policy.stages]
    stage = np.asarray(pc.index_in(staged["stage"], pa.array(names)).fill_null(-1).to_numpy(), np.int64)
    since = pc.divide(
        pc.subtract(staged["stage_since"].cast(pa.int64()), as_of).cast(pa.float64(), safe=False), DAY
    )
    found = _Found(policy, stage)
    rows = np.flatnonzero((stage >= 0) & ~found.lost[stage])
    if len(rows) and looks:
        known = history.cut(as_of).take(rows)
        way = _Way(known, as_of, replace(release, reasons=NO_REASONS), threads)
        state = _State(np.zeros(len(rows), np.int64), stage[rows], since.to_numpy()[rows])
        low, before = 0, way.columns(0)
        for high in looks:
            behind = way.columns(high)
            way.walk(state, _Stretch(low, before, high, behind), rows, found)
            low, before = high, behind
    return _table(found, names, as_of, history.zone)


def _table(found: _Found, names: Sequence[str], as_of: int, zone: str) -> pa.Table:
    def instants(days: Floats) -> pa.Array:
        missing = np.isnan(days)
        whole = np.where(missing, 0, days).astype(np.int64)
        when = {int(day): after(as_of, int(day), zone) for day in np.unique(whole)}
        return pa.array([when[day] for day in whole.tolist()], pa.int64(), mask=missing).cast(INSTANT)

    places = pa.array(found.next_stage, mask=found.next_stage < 0)
    columns = [instants(days) for days in (found.next_day, found.risk_day, found.lost_day)]
    return pa.table([pa.array(names, pa.string()).take(places), *columns], schema=AHEAD)


def after(as_of: int, days: int, zone: str) -> int:
    """The instant `days` local days later: the local midnight where `as_of` is one, else the same time of the day."""
    if midnight(day_of(as_of, zone), zone) == as_of:
        return after_days(as_of, days, zone)
    return instant(moment(as_of, zone).replace(tzinfo=None) + timedelta(days=days), zone)


class _Way:
    """Customers whose rows all lie before as_of, and what is worked out of them on later days."""

    def __init__(self, history: History, as_of: int, release: Release, threads: int) -> None:
        self._history, self._as_of, self._release, self._threads = history, as_of, release, threads
        definition = definition_of(release.churn)
        self._definition: Definition = definition
        wanted = {*columns_read(release.policy), *RFM, "clv_percentile", "eligible"}
        self._wanted = wanted | {name for name in (_LAST_EVENT.get(definition.name),) if name}

    def columns(self, day: int) -> dict[str, pa.Array]:
        """What the policy reads of each customer, `day` days after as_of without another row."""
        at = after(self._as_of, day, self._history.zone)
        found = condition_columns(self._history, at, self._release, threads=self._threads, only=self._wanted)
        return {name: column for name, column in found.items() if name in self._wanted}

    def walk(self, state: _State, stretch: _Stretch, rows: Ints, found: _Found) -> None:
        """Follow everybody over a stretch; `rows` are their places in `found`."""
        low, high = stretch.low, stretch.high
        going = np.arange(len(rows))
        for _ in range(CHANGES):
            end = np.full(len(going), high)
            then = self._stages(state, stretch, going, end)
            going = going[then != state.stage[going]]
            if not len(going):
                break
            first, last = np.maximum(state.day[going], low), np.full(len(going), high)
            while (open_ := last - first > 1).any():  # changed by `last`, not yet at `first`
                some = going[open_]
                middle = (first[open_] + last[open_]) // 2
                moved = self._stages(state, stretch, some, middle) != state.stage[some]
                last[open_] = np.where(moved, middle, last[open_])
                first[open_] = np.where(moved, first[open_], middle)
            stage = self._stages(state, stretch, going, last)
            state.stage[going], state.since[going], state.day[going] = stage, last.astype(np.float64), last
            found.meet(rows[going], stage, last)
            going = going[last < high]
        state.day[:] = high

    def _stages(self, state: _State, stretch: _Stretch, rows: Ints, days: Ints) -> Ints:
        """The stage of each of `rows` on a day of its own of a stretch, as places in the policy."""
        policy = self._release.policy
        which = pa.array(rows)
        columns = {
            name: _between(
                column.take(which), stretch.behind[name].take(which), days, stretch.low, stretch.high
            )
            for name, column in stretch.before.items()
        }
        last = columns.get(_LAST_EVENT.get(self._definition.name, ""))
        if last is not None:
            soon = pc.less_equal(last, float(self._definition.active_within_days))
            columns["eligible"] = pc.fill_null(pc.and_(stretch.before["eligible"].take(which), soon), False)
        for name in _OF_CHURN:
            if name in columns:
                columns[name] = pc.if_else(columns["eligible"], columns[name], None)
        # Staged as of as_of: a stage that began so many days before the customer's own day began as long before it.
        since = self._as_of + np.rint((state.since[rows] - days) * DAY).astype(np.int64)
        names = pa.array([stage.name for stage in policy.stages])
        ids = self._history.customer_id.take(which)
        was = [ids, names.take(pa.array(state.stage[rows])), pa.array(since).cast(INSTANT)]
        table = pa.table({"customer_id": ids, **columns})
        return stage_codes(policy, table, self._as_of, pa.table(was, schema=PREVIOUS))


def _between(left: pa.Array, right: pa.Array, days: Ints, low: int, high: int) -> pa.Array:
    """A column on each customer's day: on a line between two looks; of what is no number, or missing at one of them,
    the left look's until the right one's day."""
    if (days == high).all():
        return right
    until = pc.if_else(pa.array(days == high), right, left)
    if not pa.types.is_floating(left.type):
        return until
    share = pa.array((days - low) / (high - low))
    line = pc.add(left, pc.multiply(pc.subtract(right, left), share))
    return pc.coalesce(pc.if_else(pa.array(days == high), right, line), until)
