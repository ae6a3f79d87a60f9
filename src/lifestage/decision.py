"""Scores + policy + previous stages -> the full score row of a block of whole customers.

`decide_block` is the one function behind batch, service and Spark: the same block gives the same bits, and a
customer's row does not depend on who else is in the block.
"""

from collections.abc import Collection, Mapping
from functools import lru_cache
from math import isnan

import numpy as np
import pyarrow as pa

from lifestage import features as feature_families
from lifestage.churn.reasons.strongest import reasons
from lifestage.history import History
from lifestage.lifecycle import journey
from lifestage.lifecycle.blocks import one_array
from lifestage.lifecycle.columns import JOURNEY
from lifestage.lifecycle.policy import Policy
from lifestage.lifecycle.staging import assign, columns_read
from lifestage.one_order import ONE_ORDER_READS, of_one_order
from lifestage.ragged import Bools, Floats
from lifestage.release import Release
from lifestage.schemas import INSTANT, PREVIOUS, SCORE
from lifestage.scoring import FEW, model_columns
from lifestage.settings import Reasons

FEW_TEXTS = 64
"""Up to so many customers plain Python tells categories faster than Arrow."""
RFM = {
    "recency_percentile": "days_since_last_order",
    "frequency_percentile": "order_count",
    "monetary_percentile": "spend_total",
}


TYPES: dict[str, pa.DataType] = {field.name: field.type for field in SCORE}
FLOAT = pa.float64()


def _array(values: Floats, type_: pa.DataType) -> pa.Array:
    """Arrow column of `values` with NaN as null."""
    missing = np.isnan(values)
    if type_ == INSTANT:
        whole = np.where(missing, 0, values).astype(np.int64)
        return pa.array(whole, pa.int64(), mask=missing).view(type_)
    return pa.array(values, type_, mask=missing)


def _texts(codes: Floats, levels: tuple[str, ...]) -> pa.Array:
    """The levels that a category's codes stand for, null for NaN: what a policy compares with."""
    if len(codes) <= FEW_TEXTS:
        return pa.array([None if isnan(code) else levels[int(code)] for code in codes.tolist()], pa.string())
    missing = np.isnan(codes)
    places = pa.array(np.where(missing, 0, codes).astype(np.int64), mask=missing)
    return pa.array(levels, pa.string()).take(places)


def _asked_for(rule: Reasons, scores: Mapping[str, Floats]) -> Bools:
    """Who gets reasons. By the release's percentiles, so that it does not depend on who else is in the block."""
    return _highest(scores["churn_percentile"], rule.highest_risk_share) | _highest(
        scores["clv_percentile"], rule.highest_value_share
    )


def _highest(percentile: Floats, share: float) -> Bools:
    above: Bools = (percentile >= 1 - share) & (share > 0)
    return above


def condition_columns(
    history: History,
    as_of: int,
    release: Release,
    *,
    threads: int = 0,
    journeys: bool | None = None,
    reasons_for: Reasons | None = None,
    only: Collection[str] | None = None,
) -> dict[str, pa.Array]:
    """Every column of a block that conditions may read, before staging: null where a float is NaN.

    Columns of tables that the shop lacks are left out, and so are those of columns.JOURNEY where the release's policy
    reads none of them; `journeys` asks for them or forgoes them. Also the reasons of the churn probability, for whom
    `reasons_for` wants them (None: the release's own rule). `only`: of the numbers, those of these names.
    """
    view = history.before(as_of)
    catalogue = feature_families.catalogue(release.churn.spec)
    features = feature_families.compute(view, release.churn.spec)
    needed = None if only is None else {*only, "clv"}  # clv_percentile reads it
    eligible, scores, inputs = model_columns(
        view, features, release.churn, release.clv, threads=threads, only=needed
    )
    scores["churn_percentile"] = release.references.percentile(
        "churn_probability", scores["churn_probability"]
    )
    scores["clv_percentile"] = release.references.percentile("clv", scores["clv"])
    bought = features["order_count"] > 0
    rfm = {
        name: release.references.percentile(column, np.where(bought, features[column], np.nan))
        for name, column in RFM.items()
    }
    floats = {**features, **scores, **rfm}
    columns: dict[str, pa.Array] = {"customer_id": history.customer_id, "eligible": pa.array(eligible)}
    for name, values in floats.items():
        if only is not None and name not in only:
            continue
        columns[name] = _array(values, TYPES.get(name, FLOAT))
    for name in feature_families.categorical(release.churn.spec):
        columns[name] = _texts(features[name], catalogue[name].levels or ())
    columns["acquisition_channel"] = history.profile["acquisition_channel"]
    if reads_journeys(release.policy) if journeys is None else journeys:
        columns |= journey.compute(view, release.policy.core_event, features["days_since_first_contact"])
    rule = release.reasons if reasons_for is None else reasons_for
    if rule.top:
        wanted = eligible & _asked_for(rule, scores)
        columns["churn_reasons"] = reasons(
            release.churn,
            inputs,
            wanted,
            top=rule.top,
            currency=release.currency,
            num_threads=1 if len(view) <= FEW else threads,
        )
    return columns


def reads_journeys(policy: Policy) -> bool:
    """Whether a policy reads a column of columns.JOURNEY."""
    return not JOURNEY.keys().isdisjoint(columns_read(policy))


@lru_cache(maxsize=8)
def _needed(policy: Policy) -> frozenset[str]:
    """What a score row and its staging read."""
    return frozenset((*SCORE.names, *columns_read(policy), *ONE_ORDER_READS))


def decide_block(
    history: History,
    as_of: int,
    release: Release,
    previous: pa.Table | None = None,
    *,
    threads: int = 0,
    reasons_for: Reasons | None = None,
) -> pa.Table:
    """One row per customer of the block, schemas.SCORE.

    `previous` holds rows of schemas.PREVIOUS for any of the customers (absent = first sight). `threads` for
    LightGBM, 0 = all cores; no figure depends on it. `reasons_for`: who gets reasons of the churn probability, in place
    of the release's own rule.
    """
    columns = condition_columns(
        history, as_of, release, threads=threads, reasons_for=reasons_for, only=_needed(release.policy)
    )
    return finish(columns, as_of, release, previous)


def staged_by(release: Release, columns: pa.Table, as_of: int, previous: pa.Table | None) -> pa.Table:
    """One row per row of `columns`: staging.RESULT, with what the release's order model adds to `reasons`."""
    model = release.clv.order_model if release.clv else None
    more = of_one_order(columns.column_names, model, release.policy.language)
    return assign(release.policy, columns, as_of, previous, more)


def finish(
    columns: Mapping[str, pa.Array], as_of: int, release: Release, previous: pa.Table | None
) -> pa.Table:
    """Stage published columns and lay the rows out as schemas.SCORE."""
    ids = columns["customer_id"]
    staged = staged_by(release, pa.table(dict(columns)), as_of, align(previous, ids))
    n = len(ids)
    given = {
        **columns,
        **dict(zip(staged.schema.names, map(one_array, staged.columns), strict=True)),
        "as_of": pa.array([as_of] * n, pa.int64()).view(INSTANT),
        "release": pa.array([release.name] * n, pa.string()),
    }
    out = [
        _typed(given[name], type_) if name in given else pa.nulls(n, type_) for name, type_ in TYPES.items()
    ]
    return pa.table(out, schema=SCORE)


def _typed(column: pa.Array, type_: pa.DataType) -> pa.Array:
    return column if column.type == type_ else column.cast(type_)


def align(previous: pa.Table | None, ids: pa.Array) -> pa.Table | None:
    """The rows of `previous` in the order of `ids`, nulls for customers it does not hold."""
    if previous is None or len(previous) == 0:
        return None
    at = pa.compute.index_in(ids, value_set=previous.column("customer_id").combine_chunks())
    taken = previous.take(at)
    return pa.table([ids, taken.column("stage"), taken.column("stage_since")], schema=PREVIOUS)
