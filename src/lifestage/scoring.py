"""Models + features -> the model columns of a block's scores."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import pyarrow as pa

from lifestage import labels
from lifestage.churn.model import ChurnModel
from lifestage.clv.model import ClvModel
from lifestage.clv.summary import Summary, Trait, summarise
from lifestage.errors import InputError
from lifestage.features import subscriptions
from lifestage.history import Before
from lifestage.labels import Definition
from lifestage.labels.definitions import Name
from lifestage.localtime import DAY, local_days
from lifestage.order_columns import order_columns
from lifestage.ragged import Bools, Floats, at

Columns = dict[str, Floats]


FIRST_ORDER_VALUE = "first_order_value"
"""Covariate of the order model that is no column of the customers table: net value of the first order."""


def clv_summary(view: Before, covariates: Sequence[str] = ()) -> Summary:
    """BTYD summary (frequency, recency, T in local days; monetary value) of a view, one row per customer.

    covariates: `first_order_value` or columns of the customers table. Raises InputError for any other.
    """
    bought = view.purchases
    cutoff_day = int(local_days(np.array([view.cutoff]), view.zone)[0])
    summary = summarise(bought.starts, bought.ends, bought.day, bought.amount, cutoff_day)
    return (
        replace(summary, traits={name: _trait(view, name) for name in covariates}) if covariates else summary
    )


def _trait(view: Before, name: str) -> Trait:
    """A covariate of each customer: texts (object) or numbers (float64)."""
    if name == FIRST_ORDER_VALUE:
        bought = view.purchases
        return at(bought.amount, bought.starts, bought.present)
    known = {
        n: c
        for n, c in view.profile.items()
        if not (pa.types.is_temporal(c.type) or pa.types.is_boolean(c.type))
    }
    column = known.get(name)
    if column is None:
        raise InputError(
            f"clv.covariates: '{name}' is no text or number known of each customer; there are: "
            f"{', '.join([FIRST_ORDER_VALUE, *known])} (a flag or a date: map it to a text)"
        )
    if pa.types.is_string(column.type):
        return np.array(column.to_pylist(), object)
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)


def definition_of(churn: ChurnModel) -> Definition:
    """What churn means to a model."""
    return Definition(
        cast(Name, churn.definition), churn.horizon_days, churn.active_within_days, churn.grace_days
    )


def model_features(view: Before, features: Columns, churn: ChurnModel, summary: Summary) -> Columns:
    """`features` of the model's spec, and what its list names beside them: of the terms, of the order model."""
    if churn.orders is not None:
        features = {**features, **order_columns(churn.orders, summary, churn.horizon_days)}
    if all(name in features for name in churn.features):
        return features
    return {**features, **subscriptions.compute(view)}


INSTANTS = {
    "next_order_days": "next_order_at",
    "next_order_low_days": "next_order_low",
    "next_order_high_days": "next_order_high",
}
"""Days that a CLV model gives, as the instants that a score has."""
FEW = 1_000
"""Up to so many customers starting LightGBM's threads costs more than they save."""


def model_columns(
    view: Before,
    features: Columns,
    churn: ChurnModel,
    clv: ClvModel | None,
    *,
    threads: int = 0,
    only: Collection[str] | None = None,
) -> tuple[Bools, Columns, Columns]:
    """Eligibility, the model columns of schemas.SCORE, one value per customer, NaN where undefined, and the features
    that the churn model read (`model_features`; `features` themselves where nobody is eligible).

    Without a CLV model all of its columns are undefined.

    `next_order_*` are instants (UTC microseconds, as float64 with NaN). `threads` for LightGBM, 0 = all cores;
    no figure depends on it. `only`: of the columns of a CLV model, those of these names, which saves the others' time.
    """
    eligible = labels.eligible(view, definition_of(churn))
    summary = clv_summary(view, () if clv is None else clv.covariate_names)
    probability = np.full(len(view), np.nan)
    if eligible.any():
        features = model_features(view, features, churn, summary)
        some = features if eligible.all() else {name: column[eligible] for name, column in features.items()}
        probability[eligible] = churn.predict(some, num_threads=1 if len(view) <= FEW else threads)
    wanted = [name for name in ClvModel.OUTPUTS if only is None or INSTANTS.get(name, name) in only]
    if clv is None:
        value = {name: np.full(len(view), np.nan) for name in wanted}
    else:
        value = clv.predict(summary, only=wanted)
    columns = {"churn_probability": probability, **value}
    for days, name in INSTANTS.items():
        if days in columns:
            columns[name] = view.cutoff + np.rint(columns.pop(days) * DAY)
    return eligible, columns, features
