"""Training material from blocks of whole customers: churn samples, CLV summaries and outcomes at given cutoffs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lifestage import features as feature_families
from lifestage.churn.dataset import Sample, concatenate, sample_at
from lifestage.churn.model import ChurnModel
from lifestage.clv.model import ClvModel
from lifestage.clv.summary import Summary
from lifestage.clv.summary import concatenate as concatenate_summaries
from lifestage.features import FeatureSpec, subscriptions
from lifestage.gather import concatenated, where_blocks_lie
from lifestage.history import Before, History
from lifestage.labels import Definition, Outcome, eligible, labelled, outcome
from lifestage.ragged import Floats
from lifestage.references import BUYERS, ELIGIBLE
from lifestage.scoring import clv_summary, model_columns

Progress = Callable[[int], None]
FURTHER: dict[str, Callable[[Before], dict[str, Floats]]] = {
    "subscriptions": subscriptions.compute,
}


@where_blocks_lie(concatenated)
def churn_samples(
    blocks: Iterable[History],
    cutoffs: Sequence[int],
    *,
    definition: Definition,
    families: Sequence[str] = (),
    spec: FeatureSpec = feature_families.PLAIN,
    progress: Progress | None = None,
) -> dict[int, Sample]:
    """Features and labels of the eligible customers, one Sample per cutoff, customers in the blocks' order.

    `families`: further ones beside those of `spec`, of FURTHER.
    """
    categorical = feature_families.categorical(spec)
    parts: dict[int, list[Sample]] = {cutoff: [] for cutoff in cutoffs}
    for history in blocks:
        for cutoff in cutoffs:
            view = history.before(cutoff)
            label = labelled(history, cutoff, definition)
            computed = feature_families.compute(view, spec)
            for family in families:
                computed |= FURTHER[family](view)
            parts[cutoff].append(
                sample_at(cutoff, computed, label.eligible, label.churned, categorical=categorical)
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


@where_blocks_lie(concatenated)
def buyers(
    blocks: Iterable[History],
    cutoff: int,
    end: int,
    *,
    definition: Definition,
    progress: Progress | None = None,
) -> Buyers:
    """One row per customer with a purchase before the cutoff."""
    summaries, orders, days, spend, able = [], [], [], [], []
    for history in blocks:
        view = history.before(cutoff)
        summary = clv_summary(view)
        has = summary.has_purchase
        after = outcome(history.window(cutoff, end))
        summaries.append(summary.take(has))
        orders.append(after.orders[has])
        days.append(after.purchase_days[has])
        spend.append(after.spend[has])
        able.append(eligible(view, definition)[has])
        if progress is not None:
            progress(len(history))
    return Buyers(
        cutoff,
        end,
        concatenate_summaries(summaries),
        Outcome(np.concatenate(orders), np.concatenate(days), np.concatenate(spend)),
        np.concatenate(able),
    )


@where_blocks_lie(concatenated)
def reference_columns(
    blocks: Iterable[History],
    as_of: int,
    churn: ChurnModel,
    clv: ClvModel | None,
    *,
    progress: Progress | None = None,
) -> dict[str, Floats]:
    """The columns whose distributions a release keeps: eligible customers' churn, buyers' value and RFM."""
    parts: dict[str, list[Floats]] = {name: [] for name in (*ELIGIBLE, *BUYERS)}
    for history in blocks:
        view = history.before(as_of)
        computed = feature_families.compute(view, churn.spec)
        _, scores = model_columns(view, computed, churn, clv)
        bought = computed["order_count"] > 0
        columns = {**computed, **scores}
        for name, part in parts.items():
            part.append(columns[name] if name in ELIGIBLE else columns[name][bought])
        if progress is not None:
            progress(len(history))
    return {name: np.concatenate(part) for name, part in parts.items()}
