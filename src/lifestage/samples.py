"""Training material from blocks of whole customers: churn samples, CLV summaries and outcomes at given cutoffs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pandas.util import hash_array

from lifestage import features as feature_families
from lifestage.churn.dataset import Sample, concatenate, sample_at
from lifestage.churn.model import ChurnModel
from lifestage.clv.compress import Compressed, compress, join_compressed
from lifestage.clv.daily import Daily, daily, join_daily
from lifestage.clv.held import Held, join_held
from lifestage.clv.model import ClvModel
from lifestage.clv.summary import Summary
from lifestage.clv.summary import concatenate as concatenate_summaries
from lifestage.features import FeatureSpec, subscriptions
from lifestage.gather import concatenated, where_blocks_lie
from lifestage.history import Before, History
from lifestage.labels import Definition, Outcome, eligible, labelled, outcome
from lifestage.ragged import Bools, Floats, at
from lifestage.references import BUYERS, ELIGIBLE
from lifestage.scoring import clv_summary, model_columns

Progress = Callable[[int], None]
FURTHER: dict[str, Callable[[Before], dict[str, Floats]]] = {
    "subscriptions": subscriptions.compute,
}


@dataclass(frozen=True)
class Drawn:
    """One cutoff's eligible customers, as drawn, and what the order model of that cutoff is fitted on."""

    sample: Sample
    summary: Summary
    """Of the sample's customers, in its order."""
    buyers: Compressed | None
    """Of the drawn customers with a purchase before the cutoff, eligible or not; None where there is nobody."""


def join_drawn(parts: Sequence[Mapping[int, Drawn]]) -> dict[int, Drawn]:
    """What several groups of customers give, as if they had been one; in the order of the parts."""
    joined = {}
    for cutoff in parts[0]:
        some = [part[cutoff] for part in parts]
        joined[cutoff] = Drawn(
            concatenate([drawn.sample for drawn in some]),
            concatenate_summaries([drawn.summary for drawn in some]),
            join_compressed([drawn.buyers for drawn in some]),
        )
    return joined


@where_blocks_lie(join_drawn)
def churn_samples(
    blocks: Iterable[History],
    cutoffs: Sequence[int],
    *,
    definition: Definition,
    families: Sequence[str] = (),
    spec: FeatureSpec = feature_families.PLAIN,
    share: Mapping[int, float] | None = None,
    progress: Progress | None = None,
) -> dict[int, Drawn]:
    """Features and labels of the eligible customers, one entry per cutoff, customers in the blocks' order.

    `families`: further ones beside those of `spec`, of FURTHER. `share`: cutoff -> share of the customers to
    draw, by a hash of their id: the same ones at every cutoff, wherever and in whatever blocks they lie.
    """
    categorical = feature_families.categorical(spec)
    shares = {cutoff: (share or {}).get(cutoff, 1.0) for cutoff in cutoffs}
    parts: list[dict[int, Drawn]] = []
    for history in blocks:
        hashes = _hashes(history)
        groups = {wanted: _draw(history, hashes, wanted) for wanted in set(shares.values())}
        at: dict[int, Drawn] = {}
        for cutoff in cutoffs:
            some, keys = groups[shares[cutoff]]
            view = some.before(cutoff)
            label = labelled(some, cutoff, definition)
            summary = clv_summary(view)
            computed = feature_families.compute(view, spec)
            for family in families:
                computed |= FURTHER[family](view)
            at[cutoff] = Drawn(
                sample_at(cutoff, computed, label.eligible, label.churned, keys, categorical=categorical),
                summary.take(label.eligible),
                _compressed(summary),
            )
        parts.append(at)
        if progress is not None:
            progress(len(history))
    return join_drawn(parts)


Hashes = npt.NDArray[np.uint64]


def _hashes(history: History) -> Hashes:
    """Of each customer's id."""
    ids = history.customer_id.to_numpy(zero_copy_only=False).astype(object)
    found: Hashes = hash_array(ids, categorize=False)
    return found


def _draw(history: History, keys: Hashes, share: float) -> tuple[History, Hashes]:
    """The customers whose hash falls below `share` of all hashes, and their hashes."""
    if share >= 1:
        return history, keys
    rows = np.flatnonzero(keys < np.uint64(share * 2.0**64)).astype(np.int64)
    return history.take(rows), keys[rows]


def customers_drawn(history: History, share: float) -> History:
    """The customers that a share of all comes to."""
    return _draw(history, _hashes(history), share)[0] if share < 1 else history


@where_blocks_lie(join_compressed)
def drawn_buyers(blocks: Iterable[History], cutoff: int, share: float) -> Compressed | None:
    """The BTYD summaries of a share of the customers with a purchase before `cutoff`; None where there is nobody."""
    drawn = (customers_drawn(history, share) for history in blocks)
    return join_compressed([_compressed(clv_summary(some.before(cutoff))) for some in drawn])


def join_holdouts(parts: Sequence[Mapping[int, Held]]) -> dict[int, Held]:
    """What several groups of customers give, as if they had been one."""
    return {cutoff: join_held([part[cutoff] for part in parts]) for cutoff in parts[0]}


@where_blocks_lie(join_holdouts)
def holdouts(
    blocks: Iterable[History],
    windows: Mapping[int, int],
    horizon_days: int,
    share: float = 1.0,
    *,
    progress: Progress | None = None,
) -> dict[int, Held]:
    """Orders before each cutoff and within [cutoff, end), compressed, one entry per (cutoff -> end) of `windows`.

    `share`: of the customers to draw, by a hash of their id.
    """
    parts: list[dict[int, Held]] = []
    for history in blocks:
        some = customers_drawn(history, share)
        at = {}
        for cutoff, end in windows.items():
            came = outcome(some.window(cutoff, end)).purchase_days
            at[cutoff] = Held.of(clv_summary(some.before(cutoff)), came, horizon_days)
        parts.append(at)
        if progress is not None:
            progress(len(history))
    return join_holdouts(parts)


@where_blocks_lie(join_daily)
def shop_days(
    blocks: Iterable[History],
    cutoff: int,
    *,
    came_before: int | None = None,
    share: float = 1.0,
    progress: Progress | None = None,
) -> Daily:
    """First and repeat purchases of each local day before the cutoff; of those who first came before an instant.

    `share`: of the customers to draw, by a hash of their id.
    """
    parts = []
    for history in blocks:
        bought = customers_drawn(history, share).before(cutoff).purchases
        known = bought.counts > 0
        if came_before is not None:
            known &= at(bought.t, bought.starts, known) < came_before
        parts.append(daily(bought.starts, np.where(known, bought.ends, bought.starts), bought.day))
        if progress is not None:
            progress(len(history))
    return join_daily(parts)


def _compressed(summary: Summary) -> Compressed | None:
    known = summary.take(summary.has_purchase)
    return compress(known.frequency, known.recency, known.T) if len(known) else None


@dataclass(frozen=True)
class Buyers:
    """The customers with a purchase before `cutoff`: their BTYD summary and what they did until `end`."""

    cutoff: int
    end: int
    summary: Summary
    outcome: Outcome
    eligible: np.ndarray[tuple[int], np.dtype[np.bool_]]
    """Which of them are eligible for the churn model, in the order of its samples."""
    earlier: Outcome | None = None
    """What they did in some days before the cutoff."""
    share: float = 1.0
    """Of the customers that were drawn."""


@where_blocks_lie(concatenated)
def buyers(
    blocks: Iterable[History],
    cutoff: int,
    end: int,
    *,
    definition: Definition,
    covariates: Sequence[str] = (),
    earlier: tuple[int, int] | None = None,
    share: float = 1.0,
    progress: Progress | None = None,
) -> Buyers:
    """One row per customer with a purchase before the cutoff.

    covariates: of the order model, in their summary. earlier: [start, end) before the cutoff, of `Buyers.earlier`.
    share: of the customers to draw, by a hash of their id.
    """
    if earlier is not None and earlier[1] > cutoff:
        raise ValueError("days before a cutoff must end by it: what is after it is not known yet")
    summaries, able = [], []
    after: list[Outcome] = []
    past: list[Outcome] = []
    for history in blocks:
        some = customers_drawn(history, share)
        view = some.before(cutoff)
        summary = clv_summary(view, covariates)
        has = summary.has_purchase
        summaries.append(summary.take(has))
        after.append(_of(outcome(some.window(cutoff, end)), has))
        if earlier is not None:
            past.append(_of(outcome(some.window(*earlier)), has))
        able.append(eligible(view, definition)[has])
        if progress is not None:
            progress(len(history))
    return Buyers(
        cutoff,
        end,
        concatenate_summaries(summaries),
        concatenated(after),
        np.concatenate(able),
        concatenated(past) if past else None,
        share,
    )


def _of(came: Outcome, rows: Bools) -> Outcome:
    """The chosen customers."""
    return Outcome(came.orders[rows], came.purchase_days[rows], came.spend[rows])


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
        _, scores, _ = model_columns(view, computed, churn, clv, only=BUYERS)
        bought = computed["order_count"] > 0
        columns = {**computed, **scores}
        for name, part in parts.items():
            part.append(columns[name] if name in ELIGIBLE else columns[name][bought])
        if progress is not None:
            progress(len(history))
    return {name: np.concatenate(part) for name, part in parts.items()}
