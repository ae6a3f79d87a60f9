"""A run's rows beside what became of the customers: one row per customer of the run whom the history still knows."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lifestage.clv.baselines import past_rate
from lifestage.clv.value import DAYS_A_YEAR
from lifestage.gather import concatenated, where_blocks_lie
from lifestage.history import History
from lifestage.labels import Definition, Labelled, labelled, outcome
from lifestage.labels.definitions import after_days
from lifestage.localtime import DAY
from lifestage.matured.rows import RunRows
from lifestage.ragged import Bools, Floats, Ints, at, segment_sum
from lifestage.scoring import clv_summary

SCORES = (
    "expected_orders", "expected_order_value", "clv", "spend_low", "spend_high", "p_order", "next_order_low",
    "next_order_high",
)  # fmt: skip
AHEAD = ("next_stage", "next_stage_at")
PLACES = ("customer_id", "eligible", "churn_probability", "stage")


@dataclass(frozen=True, slots=True)
class Later:
    """The next run of the same policy, to see whether foreseen changes of stage came."""

    folder: str
    as_of: int


@dataclass(frozen=True, slots=True)
class Matched:
    """One entry per customer in all but `strangers`; NaN where a score is null, or an outcome is not over."""

    eligible: Bools
    """By the run and, after it, by the history as it is now."""
    then_eligible: Bools
    """By the run."""
    churn_probability: Floats
    churned: Bools
    """Means something only where `eligible`."""
    days_silent: Floats
    """Since the last order before as_of, or event where churn is of events: the plain rule for who leaves."""
    rate_orders: Floats
    """In the CLV horizon by the own past rate: the plain rule for orders."""
    rate_spend: Floats
    ordered: Floats
    """1 where an order came in the churn horizon."""
    expected_orders: Floats
    expected_order_value: Floats
    clv: Floats
    spend_low: Floats
    spend_high: Floats
    p_order: Floats
    next_order_low: Floats
    """Instants, as float64."""
    next_order_high: Floats
    orders: Floats
    """Distinct local days with an order in the CLV horizon: what order models count."""
    spend: Floats
    """In the CLV horizon, net of the refunds seen by its end."""
    spend_now: Floats
    """The same net of the refunds seen by now."""
    value: Floats
    """The same as `spend`, discounted to the run's as_of, times margin: what `clv` foretells."""
    first_order: Floats
    """Instant of the first order of the CLV horizon."""
    stage: Ints
    """Place in the policy, -1 where none."""
    next_stage: Ints
    next_stage_at: Floats
    later_stage: Ints
    """Of the later run, -1 where there is none."""
    quiet: Bools
    """Neither order, refund nor event between the two runs."""
    strangers: Ints
    """One entry a block: customers of the history known before the run's as_of whom the run lacks."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a run."""

    as_of: int
    zone: str
    """In whose local days the horizons run."""
    definition: Definition
    churn_over: bool
    """Whether the churn horizon has passed."""
    clv_days: int | None
    """The CLV horizon; None where it has not passed, or there is none."""
    yearly_discount_rate: float
    margin: float
    stages: tuple[str, ...]
    """Of the policy, in its order."""
    now: int
    """Up to which `spend_now` knows refunds."""
    later: Later | None = None


@where_blocks_lie(concatenated)
def matched(
    blocks: Iterable[History],
    run: str,
    asked: Question,
    *,
    progress: Callable[[int], object] | None = None,
) -> Matched:
    """Scores of the run in folder `run` and what came in [as_of, as_of + horizon).

    A row at or after the end of the horizons changes nothing but `spend_now`. Raises InputError for a run whose rows
    are out of order.
    """
    later = asked.later
    first = RunRows(Path(run), (*PLACES, *SCORES, *AHEAD))
    second = None if later is None else RunRows(Path(later.folder), ("customer_id", "stage"))
    parts: list[Matched] = []
    for block in blocks:
        history = block.within(asked.zone)
        ids = history.customer_id
        low, high = ids[0].as_py(), ids[-1].as_py()
        rows = first.between(low, high)
        place = pc.index_in(rows["customer_id"], value_set=ids)
        rows = rows.filter(place.is_valid())
        where = np.asarray(place.drop_null().to_numpy(), np.int64)
        some = history if len(where) == len(ids) else history.take(where)
        known = int(history.known(asked.as_of)[np.setdiff1d(np.arange(len(ids)), where)].sum())
        label = _label(some, asked)
        then = np.asarray(rows["eligible"].to_numpy(), np.bool_)
        parts.append(
            Matched(
                eligible=then & label.eligible,
                then_eligible=then,
                churned=label.churned,
                churn_probability=_numbers(rows, "churn_probability"),
                **{name: _numbers(rows, name) for name in SCORES},
                **_rules(some, asked),
                **_came(some, asked),
                stage=_codes(rows, "stage", asked.stages),
                next_stage=_codes(rows, "next_stage", asked.stages),
                next_stage_at=_numbers(rows, "next_stage_at"),
                later_stage=_later(second, (low, high), rows["customer_id"], asked.stages),
                quiet=_quiet(some, asked.as_of, asked.as_of if later is None else later.as_of),
                strangers=np.array([known], np.int64),
            )
        )
        if progress is not None:
            progress(len(history))
    return concatenated(parts)


def _label(some: History, asked: Question) -> Labelled:
    if asked.churn_over:
        return labelled(some, asked.as_of, asked.definition)
    nobody = np.zeros(len(some), np.bool_)
    return Labelled(nobody, nobody)


def _rules(some: History, asked: Question) -> dict[str, Floats]:
    """What a person would have said then without a model."""
    view = some.before(asked.as_of)
    rows = view.events if asked.definition.name == "activity" else view.purchases
    silent = (asked.as_of - at(rows.t, rows.ends - 1, rows.counts > 0)) / DAY
    plain = past_rate(clv_summary(view), float(asked.clv_days or 0))
    assert plain.orders is not None and plain.spend is not None
    return {"days_silent": silent, "rate_orders": plain.orders, "rate_spend": plain.spend}


def _came(some: History, asked: Question) -> dict[str, Floats]:
    """What happened, by name of Matched."""
    as_of, zone = asked.as_of, asked.zone
    unknown = np.full(len(some), np.nan)
    found = {"ordered": unknown}
    if asked.churn_over:
        end = after_days(as_of, asked.definition.horizon_days, zone)
        found["ordered"] = (outcome(some.window(as_of, end)).orders > 0).astype(np.float64)
    names = ("orders", "spend", "spend_now", "value", "first_order")
    if asked.clv_days is None:
        return found | dict.fromkeys(names, unknown)
    end = after_days(as_of, asked.clv_days, zone)
    window = some.window(as_of, end)
    bought, total = window.purchases, outcome(window)
    kept = some.purchases_known(some.purchases.between(as_of, end), asked.now)
    years = (bought.t - as_of) / (DAY * DAYS_A_YEAR)
    discounted = bought.amount * (1.0 + asked.yearly_discount_rate) ** -years
    values = (
        total.purchase_days,
        total.spend,
        segment_sum(kept.amount, kept.starts, kept.ends),
        asked.margin * segment_sum(discounted, bought.starts, bought.ends),
        at(bought.t, bought.starts, bought.counts > 0),
    )
    return found | dict(zip(names, values, strict=True))


def _quiet(some: History, start: int, end: int) -> Bools:
    kinds = (some.purchases, some.refunds, some.events)
    return np.asarray(np.all([kind.between(start, end).counts == 0 for kind in kinds], axis=0), np.bool_)


def _later(
    second: RunRows | None, ends: tuple[str, str], ids: pa.ChunkedArray, stages: Sequence[str]
) -> Ints:
    if second is None:
        return np.full(len(ids), -1, np.int64)
    rows = second.between(*ends)
    place = pc.index_in(ids, value_set=rows["customer_id"])
    codes = np.append(_codes(rows, "stage", stages), -1)
    return codes[np.asarray(place.fill_null(len(rows)).to_numpy(), np.int64)]


def _numbers(rows: pa.Table, name: str) -> Floats:
    """A column of numbers or instants, NaN where it is null or the run has none of that name."""
    if name not in rows.column_names:
        return np.full(len(rows), np.nan)
    column = rows[name]
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), np.float64)


def _codes(rows: pa.Table, name: str, stages: Sequence[str]) -> Ints:
    if name not in rows.column_names:
        return np.full(len(rows), -1, np.int64)
    return np.asarray(
        pc.index_in(rows[name], value_set=pa.array(stages, pa.string())).fill_null(-1).to_numpy(), np.int64
    )
