"""What is at stake with each customer, by the shop's settings: for the graded customers, and for those scored now."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from lifestage.campaign import Profit
from lifestage.clv.model import ClvModel
from lifestage.clv.stake import value_at_stake
from lifestage.clv.summary import Summary, concatenate
from lifestage.errors import InputError
from lifestage.history_file import HistoryFile
from lifestage.labels import Definition
from lifestage.ragged import Floats
from lifestage.samples import buyers
from lifestage.scoring import clv_summary
from lifestage.settings import Shop

Progress = Callable[[int], object]


def silent_days(definition: Definition, clv_horizon_days: float) -> float:
    """Days without an order that leaving means.

    Where churn is not defined on purchases (activity, subscription, given), whoever leaves is taken to order nothing
    within the whole CLV horizon.
    """
    return float(definition.horizon_days) if definition.name == "purchase" else clv_horizon_days


def graded_values(
    shop: Shop,
    file: HistoryFile,
    cutoff: int,
    summary: Summary,
    probability: Floats,
    *,
    definition: Definition,
) -> Floats:
    """One per graded customer, in the order of `summary` and `probability` (of churn, the graded model's); currency.

    The CLV model is fitted on the rows before the cutoff only, like every rule in a grade. A customer who never
    bought has no value of their own: 0, so that a list never holds them.

    Raises InputError without `profit` settings, or where the data before the cutoff allow no CLV model.
    """
    terms = terms_of(shop)
    if terms.value != "clv":
        return np.full(len(probability), float(terms.value))
    model = ClvModel.fit(
        buyers(file, cutoff, cutoff, definition=definition).summary,
        horizon_days=shop.clv.horizon_days,
        yearly_discount_rate=shop.clv.yearly_discount_rate,
        margin=shop.clv.margin,
    )
    return np.nan_to_num(_at_stake(model, summary, definition, 1.0 - probability))


def current_values(
    file: HistoryFile,
    scores: pa.Table,
    as_of: int,
    model: ClvModel,
    *,
    definition: Definition,
    progress: Progress | None = None,
) -> Floats:
    """One per row of a whole run's scores (schemas.SCORE), float64[n], currency; NaN without a purchase, and without a
    churn probability: who has left already has nothing at stake that a contact could keep.

    `model`: the one that scored them. Raises InputError where the history is no longer that of the scores.
    """
    ids, summaries = [], []
    for history in file:
        known = history.known(as_of)
        ids.append(history.customer_id.filter(pa.array(known)))
        summaries.append(clv_summary(history.before(as_of), model.covariate_names).take(known))
        if progress is not None:
            progress(len(history))
    everyone = concatenate(summaries)
    same = pa.chunked_array(ids, pa.string()).equals(scores["customer_id"])
    # The same bits in any block, so that a difference means other rows or another model.
    if not same or not np.array_equal(
        model.predict(everyone, only=("clv",))["clv"], scores["clv"].to_numpy(), equal_nan=True
    ):
        raise InputError(
            f"{file.path}: is no longer the history that the newest scores were made from; run python -m training.score"
        )
    p_stay = 1.0 - scores["churn_probability"].to_numpy()
    return np.where(np.isnan(p_stay), np.nan, _at_stake(model, everyone, definition, p_stay))


def terms_of(shop: Shop) -> Profit:
    """The campaign's costs and success. Raises InputError where the configuration has none."""
    if shop.profit is None:
        raise InputError(
            "profit: is missing in the config, and without it nobody knows what a contact earns; add, with your own "
            f"figures in {shop.currency}: profit: {{contact_cost: 1, offer_cost: 10, success_rate: 0.2}}"
        )
    return shop.profit


def _at_stake(model: ClvModel, summary: Summary, definition: Definition, p_stay: Floats) -> Floats:
    return value_at_stake(model, summary, silent_days(definition, model.horizon_days), p_stay)
