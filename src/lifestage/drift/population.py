"""A sample of the customers at several instants, as the release sees them, and the rows of each day."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lifestage import features as feature_families
from lifestage.decision import RFM, condition_columns, staged_by
from lifestage.drift.bins import Column
from lifestage.gather import where_blocks_lie
from lifestage.history import History, joined
from lifestage.lifecycle.staging import columns_read
from lifestage.localtime import local_days
from lifestage.ragged import Ints
from lifestage.release import NO_REASONS, Release
from lifestage.samples import customers_drawn
from lifestage.scoring import clv_summary, model_features

SCORES = (
    "churn_probability",
    "p_alive",
    "expected_orders",
    "expected_order_value",
    "p_order",
    "clv",
)
STAGE = "stage"
MOST = 5_000
"""Customers drawn: what chance alone makes of so many lies far below every limit, and a million cost no more."""
ORDERS, NEW = "transactions", "new customers"


@dataclass(frozen=True)
class Population:
    """The drawn customers who are known at one instant."""

    features: Mapping[str, Column]
    """What the churn model reads, of those for whom it speaks; categories as texts."""
    scores: Mapping[str, Column]
    """What the models say, of those of whom they say anything."""
    stages: Column
    """The stage of each at first sight, without a previous one: the same rule then and now."""


@dataclass(frozen=True)
class Rows:
    """Rows of one table by local day: counts[i] on day first + i (days since 1970-01-01)."""

    first: int
    counts: Ints


@dataclass(frozen=True)
class Watched:
    """What one pass over the history gives."""

    at: Mapping[int, Population]
    rows: Mapping[str, Rows]


def share_of(customers: int, most: int = MOST) -> float:
    """The share of the customers to draw."""
    return min(1.0, most / customers) if customers else 1.0


def join_watched(parts: Sequence[Watched]) -> Watched:
    """What several groups of customers give, as if they had been one."""
    at = {}
    for instant in parts[0].at:
        some = [part.at[instant] for part in parts]
        at[instant] = Population(
            {n: np.concatenate([p.features[n] for p in some]) for n in some[0].features},
            {n: np.concatenate([p.scores[n] for p in some]) for n in some[0].scores},
            np.concatenate([p.stages for p in some]),
        )
    return Watched(at, {name: add_rows([part.rows[name] for part in parts]) for name in parts[0].rows})


@where_blocks_lie(join_watched)
def watch(
    blocks: Iterable[History],
    instants: Sequence[int],
    until: int | None,
    release: Release,
    *,
    share: float = 1.0,
    progress: Callable[[int], None] | None = None,
) -> Watched:
    """Features, scores and stages of a share of the customers at each instant; all rows before `until` by day
    (None: they are not counted)."""
    drawn, rows = [], []
    for history in blocks:
        drawn.append(customers_drawn(history, share))
        rows.append({} if until is None else rows_by_day(history, until))
        if progress is not None:
            progress(len(history))
    some = joined(drawn)  # staging a few customers costs as much as staging many
    return Watched(
        {instant: _at(some, instant, release) for instant in instants},
        {name: add_rows([part[name] for part in rows]) for name in rows[0]},
    )


def _at(history: History, instant: int, release: Release) -> Population:
    known = history.known(instant)
    # intervals of spend that nobody asks for would cost as much as all the rest
    wanted = {*feature_families.catalogue(release.churn.spec), *columns_read(release.policy), *RFM, *SCORES}
    columns = condition_columns(
        history,
        instant,
        release,
        reasons_for=NO_REASONS,
        only=wanted | {"churn_percentile", "clv_percentile"},
    )
    eligible = known & np.asarray(columns["eligible"].to_numpy(zero_copy_only=False), np.bool_)
    names = release.churn.features
    texts = feature_families.categorical(release.churn.spec)
    read = {name: _values(columns[name]) for name in names if name in columns}
    if len(read) < len(names):
        view = history.before(instant)
        numbers = {name: np.asarray(v, np.float64) for name, v in read.items() if name not in texts}
        more = model_features(view, numbers, release.churn, clv_summary(view))
        read |= {name: more[name] for name in names if name not in read}
    scores = {}
    for name in SCORES:
        values = np.asarray(columns[name].to_numpy(zero_copy_only=False), np.float64)
        scores[name] = values[known & ~np.isnan(values)]
    stages = _values(staged_by(release, pa.table(columns), instant, None).column(STAGE).combine_chunks())
    return Population({name: read[name][eligible] for name in names}, scores, stages[known])


def _values(column: pa.Array) -> Column:
    """Numbers with NaN, or texts with None, where there is nothing."""
    if pa.types.is_string(column.type):
        return np.array(column.to_pylist(), object)
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)


def rows_by_day(history: History, until: int) -> dict[str, Rows]:
    """The rows of each table before an instant, by local day, and the customers by the day of their first order."""
    bought = history.purchases.before(until)
    found = {
        ORDERS: bought,
        "events": history.events.before(until),
        "feedback": history.feedback.before(until),
        "subscriptions": history.subscriptions.before(until),
    }
    instants = {name: rows.t[rows.owned()] for name, rows in found.items()}
    instants[NEW] = bought.t[bought.starts[bought.counts > 0]]
    return {name: _counted(local_days(t, history.zone)) for name, t in instants.items()}


def _counted(days: Ints) -> Rows:
    if not len(days):
        return Rows(0, np.zeros(0, np.int64))
    first = int(days.min())
    return Rows(first, np.bincount(days - first).astype(np.int64))


def add_rows(parts: Sequence[Rows]) -> Rows:
    """The rows of all parts by day."""
    some = [part for part in parts if len(part.counts)]
    if not some:
        return Rows(0, np.zeros(0, np.int64))
    first = min(part.first for part in some)
    counts = np.zeros(max(part.first + len(part.counts) for part in some) - first, np.int64)
    for part in some:
        counts[part.first - first : part.first - first + len(part.counts)] += part.counts
    return Rows(first, counts)
