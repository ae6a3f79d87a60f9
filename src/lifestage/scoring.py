"""Models + features -> the model columns of a block's scores."""

from typing import cast

import numpy as np

from lifestage import labels
from lifestage.churn.model import ChurnModel
from lifestage.clv.model import ClvModel
from lifestage.clv.summary import Summary, summarise
from lifestage.features import subscriptions
from lifestage.history import Before
from lifestage.labels import Definition
from lifestage.labels.definitions import Name
from lifestage.localtime import DAY, local_days
from lifestage.order_columns import order_columns
from lifestage.ragged import Bools, Floats

Columns = dict[str, Floats]


def clv_summary(view: Before) -> Summary:
    """BTYD summary (frequency, recency, T in local days; monetary value) of a view, one row per customer."""
    bought = view.purchases
    cutoff_day = int(local_days(np.array([view.cutoff]), view.zone)[0])
    return summarise(bought.starts, bought.ends, bought.day, bought.amount, cutoff_day)


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


FEW = 1_000
"""Up to so many customers starting LightGBM's threads costs more than they save."""


def model_columns(
    view: Before, features: Columns, churn: ChurnModel, clv: ClvModel | None, *, threads: int = 0
) -> tuple[Bools, Columns, Columns]:
    """Eligibility, the model columns of schemas.SCORE, one value per customer, NaN where undefined, and the features
    that the churn model read (`model_features`; `features` themselves where nobody is eligible).

    Without a CLV model all of its columns are undefined.

    `next_order_*` are instants (UTC microseconds, as float64 with NaN). `threads` for LightGBM, 0 = all cores;
    no figure depends on it.
    """
    eligible = labels.eligible(view, definition_of(churn))
    summary = clv_summary(view)
    probability = np.full(len(view), np.nan)
    if eligible.any():
        features = model_features(view, features, churn, summary)
        some = features if eligible.all() else {name: column[eligible] for name, column in features.items()}
        probability[eligible] = churn.predict(some, num_threads=1 if len(view) <= FEW else threads)
    if clv is None:
        value = {name: np.full(len(view), np.nan) for name in ClvModel.OUTPUTS}
    else:
        value = clv.predict(summary)
    columns = {"churn_probability": probability, **value}
    for point, name in (("", "at"), ("_low", "low"), ("_high", "high")):
        days = columns.pop(f"next_order{point}_days")
        columns[f"next_order_{name}"] = view.cutoff + np.rint(days * DAY)
    return eligible, columns, features
