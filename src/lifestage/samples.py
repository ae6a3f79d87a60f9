"""Training material from blocks of whole customers: churn samples, CLV summaries and outcomes at given cutoffs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta

import numpy as np
import pyarrow as pa

from lifestage import features as feature_families
from lifestage.churn.dataset import Sample, concatenate
from lifestage.churn.model import ChurnModel
from lifestage.clv.model import ClvModel
from lifestage.clv.summary import Summary
from lifestage.clv.summary import concatenate as concatenate_summaries
from lifestage.gather import where_blocks_lie
from lifestage.history import History
from lifestage.labels import Outcome, bought_within, outcome
from lifestage.localtime import day_of, midnight
from lifestage.ragged import Floats
from lifestage.references import BUYERS, ELIGIBLE
from lifestage.scoring import clv_summary, model_columns

Progress = Callable[[int], None]


def after_days(cutoff: int, days: int, zone: str) -> int:
    """The local midnight `days` local days after a cutoff: the end of its label window."""
    return midnight(day_of(cutoff, zone) + timedelta(days=days), zone)


def _joined_samples(parts: list[dict[int, Sample]]) -> dict[int, Sample]:
    return {cutoff: concatenate([part[cutoff] for part in parts]) for cutoff in parts[0]}


@where_blocks_lie(_joined_samples, Sample)
def churn_samples(
    blocks: Iterable[History],
    cutoffs: Sequence[int],
    *,
    horizon_days: int,
    active_within_days: int,
    progress: Progress | None = None,
) -> dict[int, Sample]:
    """Features and labels of the eligible customers, one Sample per cutoff, customers in the blocks' order."""
    parts: dict[int, list[Sample]] = {cutoff: [] for cutoff in cutoffs}
    for history in blocks:
        for cutoff in cutoffs:
            view = history.before(cutoff)
            eligible = bought_within(view, active_within_days)
            window = history.window(cutoff, after_days(cutoff, horizon_days, history.zone))
            computed = feature_families.compute(view)
            parts[cutoff].append(
                Sample(
                    features={name: column[eligible] for name, column in computed.items()},
                    churned=outcome(window).churned[eligible],
                    cutoff=np.full(int(eligible.sum()), cutoff, np.int64),
                    customer=np.asarray(history.customer_id.filter(pa.array(eligible))),
                )
            )
        if progress is not None:
            progress(len(history))
    return {cutoff: concatenate(samples) for cutoff, samples in parts.items()}


@dataclass(frozen=True)
class Buyers:
    """The customers with a purchase before `cutoff`: their BTYD summary and what they did until `end`."""

    cutoff: int
    end: int
    summary: Summary
    outcome: Outcome
    eligible: np.ndarray[tuple[int], np.dtype[np.bool_]]
    """Which of them are eligible for the churn model, in the order of its samples."""


def _joined_buyers(parts: list[Buyers]) -> Buyers:
    after = [part.outcome for part in parts]
    return Buyers(
        parts[0].cutoff,
        parts[0].end,
        concatenate_summaries([part.summary for part in parts]),
        Outcome(**{f.name: np.concatenate([getattr(o, f.name) for o in after]) for f in fields(Outcome)}),
        np.concatenate([part.eligible for part in parts]),
    )


@where_blocks_lie(_joined_buyers, Buyers, Summary, Outcome)
def buyers(
    blocks: Iterable[History],
    cutoff: int,
    end: int,
    *,
    active_within_days: int,
    progress: Progress | None = None,
) -> Buyers:
    """One row per customer with a purchase before the cutoff."""
    summaries, orders, days, spend, eligible = [], [], [], [], []
    for history in blocks:
        view = history.before(cutoff)
        summary = clv_summary(view)
        has = summary.has_purchase
        after = outcome(history.window(cutoff, end))
        summaries.append(summary.take(has))
        orders.append(after.orders[has])
        days.append(after.purchase_days[has])
        spend.append(after.spend[has])
        eligible.append(bought_within(view, active_within_days)[has])
        if progress is not None:
            progress(len(history))
    return Buyers(
        cutoff,
        end,
        concatenate_summaries(summaries),
        Outcome(np.concatenate(orders), np.concatenate(days), np.concatenate(spend)),
        np.concatenate(eligible),
    )


def _joined_columns(parts: list[dict[str, Floats]]) -> dict[str, Floats]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@where_blocks_lie(_joined_columns)
def reference_columns(
    blocks: Iterable[History],
    as_of: int,
    churn: ChurnModel,
    clv: ClvModel,
    *,
    progress: Progress | None = None,
) -> dict[str, Floats]:
    """The columns whose distributions a release keeps: eligible customers' churn, buyers' value and RFM."""
    parts: dict[str, list[Floats]] = {name: [] for name in (*ELIGIBLE, *BUYERS)}
    for history in blocks:
        view = history.before(as_of)
        computed = feature_families.compute(view)
        _, scores = model_columns(view, computed, churn, clv)
        bought = computed["order_count"] > 0
        columns = {**computed, **scores}
        for name, part in parts.items():
            part.append(columns[name][bought])
        if progress is not None:
            progress(len(history))
    return {name: np.concatenate(part) for name, part in parts.items()}
