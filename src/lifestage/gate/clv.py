"""Two CLV models on the same holdout: what they expected of each customer and of all, against what came."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lifestage.churn.intervals import REPETITIONS, bootstrap
from lifestage.clv.evaluation import errors
from lifestage.clv.model import ClvModel
from lifestage.errors import InputError
from lifestage.fitting import Progress, definition_of, holdout_cutoff, silent
from lifestage.fitting.clv_holdout import held_out
from lifestage.gate.material import share_of
from lifestage.history_file import HistoryFile
from lifestage.ragged import Floats
from lifestage.settings import Shop

LEAST = 1e-9
"""Orders that a forecast of none counts as: the deviance of an order that nobody held possible is not infinite."""
Interval = tuple[float, float, float]
"""Value, and its 95 % interval of the bootstrap over customers."""


@dataclass(frozen=True)
class ClvComparison:
    """Challenger and champion on the buyers of one cutoff, over the churn horizon after it."""

    cutoff: int
    customers: int
    horizon_days: int
    challenger: Mapping[str, float]
    """`orders_<metric>`, `spend_<metric>` of clv.evaluation.errors, and `orders_deviance` a customer."""
    champion: Mapping[str, float] | None
    gain: Interval | None = None
    """Champion's deviance of orders minus the challenger's, as a share of the champion's."""
    further_orders: Interval | None = None
    """By how much further than the champion's the challenger's total is from what came, as a share of that."""
    further_spend: Interval | None = None
    missing: str = ""
    """Why the champion cannot be compared."""

    def to_json(self) -> dict[str, Any]:
        flat: dict[str, Any] = {"customers": self.customers, "horizon_days": self.horizon_days}
        for who, figures in (("challenger", self.challenger), ("champion", self.champion or {})):
            flat |= {f"{who}_{name}": value for name, value in figures.items()}
        for name in ("gain", "further_orders", "further_spend"):
            interval = getattr(self, name)
            if interval is not None:
                flat |= dict(zip((name, f"{name}_low", f"{name}_high"), interval, strict=True))
        return flat


def compare_clv(
    shop: Shop,
    file: HistoryFile,
    challenger: ClvModel,
    champion: ClvModel | None,
    *,
    missing: str = "",
    progress: Progress = silent,
) -> ClvComparison:
    """Both on the holdout that training grades on. `missing`: why there is no champion to compare with."""
    cutoff, horizon = holdout_cutoff(shop, file), shop.churn.horizon_days
    definition, share = definition_of(shop), share_of(shop, file)
    wanted = [*challenger.covariate_names]
    with progress("gate: orders and spend after the newest complete cutoff", 2 * file.customers) as step:
        known = held_out(
            file, cutoff, horizon, definition=definition, covariates=wanted, share=share, progress=step
        )
        own = foreseen(challenger, known.summary, horizon)
        other: dict[str, Floats] | None = None
        if champion is not None:
            try:
                summary = known.summary
                if set(champion.covariate_names) - set(wanted):
                    theirs = champion.covariate_names
                    summary = held_out(
                        file, cutoff, horizon, definition=definition, covariates=theirs, share=share
                    ).summary
                other = foreseen(champion, summary, horizon)
            except InputError as error:
                missing = str(error)
    came = {"orders": known.outcome.purchase_days.astype(np.float64), "spend": known.outcome.spend}
    return compared(cutoff, horizon, own, other, came, seed=shop.churn.seed, missing=missing)


def foreseen(model: ClvModel, summary: Any, horizon_days: int) -> dict[str, Floats]:
    """Expected orders and spend (undiscounted, before margin) of each customer within the horizon."""
    predicted = model.predict(summary, horizon_days)
    orders = predicted["expected_orders"]
    return {"orders": orders, "spend": orders * predicted["expected_order_value"]}


def compared(
    cutoff: int,
    horizon_days: int,
    own: Mapping[str, Floats],
    other: Mapping[str, Floats] | None,
    came: Mapping[str, Floats],
    *,
    seed: int,
    missing: str = "",
    repetitions: int = REPETITIONS,
) -> ClvComparison:
    """Forecasts `orders` and `spend` of both models and what came, one number a customer each."""
    n = len(came["orders"])
    if other is None:
        return ClvComparison(cutoff, n, horizon_days, _figures(own, came), None, missing=missing)
    columns = np.vstack(
        [
            deviance(own["orders"], came["orders"]),
            deviance(other["orders"], came["orders"]),
            *(forecast[of] for of in ("orders", "spend") for forecast in (own, other, came)),
        ]
    )
    bag, draws = bootstrap(n, np.random.default_rng(seed), repetitions)
    value, centre = _measures(columns.sum(axis=1)), _measures(columns[:, bag].sum(axis=1))
    spread = np.array([_measures(columns[:, bag] @ weight) for weight in draws]) - centre
    low, high = value + np.nanquantile(spread, [0.025, 0.975], axis=0)
    gain, orders, spend = ((float(v), float(a), float(b)) for v, a, b in zip(value, low, high, strict=True))
    return ClvComparison(
        cutoff, n, horizon_days, _figures(own, came), _figures(other, came), gain, orders, spend
    )


def deviance(expected: Floats, came: Floats) -> Floats:
    """Poisson deviance of each customer's orders: 2 (y log(y / mu) - (y - mu)), y log y = 0 at 0.

    In its mean no forecast beats the true expectation (it is a Bregman divergence: Banerjee, Guo & Wang 2005), while
    the mean absolute error is least for the median: of rare orders, for a forecast of none for everybody.
    """
    mu = np.maximum(expected, LEAST)
    log = np.log(np.where(came > 0, came, 1.0) / mu)
    result: Floats = 2 * (came * log - (came - mu))
    return result


def _measures(sums: Floats) -> Floats:
    """Gain in deviance; how much further off the totals of orders and spend are. NaN where nothing came."""
    own, other, *totals = sums
    found = [1 - own / other if other > 0 else np.nan]
    for mine, theirs, came in (totals[:3], totals[3:]):
        found.append((abs(mine - came) - abs(theirs - came)) / came if came > 0 else np.nan)
    return np.array(found)


def _figures(forecast: Mapping[str, Floats], came: Mapping[str, Floats]) -> dict[str, float]:
    flat = {
        f"{of}_{name}": value
        for of in ("orders", "spend")
        for name, value in errors(forecast[of], came[of]).items()
    }
    return {"orders_deviance": float(deviance(forecast["orders"], came["orders"]).mean()), **flat}
