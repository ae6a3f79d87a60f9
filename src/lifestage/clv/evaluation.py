"""Holdout evaluation: orders and spend foreseen at a cutoff against what came, beside other forecasts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from lifestage.clv import groups
from lifestage.clv.baselines import Forecast, past_rate
from lifestage.clv.pit import Pit, SpendIntervals, spend_intervals
from lifestage.clv.summary import Summary
from lifestage.errors import InputError
from lifestage.ragged import Floats, Ints

LABELS = {
    "model": "model",
    "naive": "own past rate",
    "last_year": "same days last year",
    "lifetimes": "plain lifetimes",
}
"""Forecasts that are compared, by name."""
NAIVE = ("naive", "last_year")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of one holdout.

    errors: metric by "<forecast>_<orders|spend>", forecasts of LABELS. by_frequency, by_silence, deciles: means per
    customer (groups.py); cohorts: totals by time of the first purchase. notes: by forecast, how it was made or why it
    was left out. order_pit, spend: how sure the forecasts were; weekly: repeat orders from the shop's first day on
    (weekly.py); None where the caller did not ask for them.
    """

    errors: Mapping[str, Mapping[str, float]]
    by_frequency: pd.DataFrame
    by_silence: pd.DataFrame
    deciles: pd.DataFrame
    cohorts: pd.DataFrame
    horizon_days: float
    notes: Mapping[str, str] = field(default_factory=dict)
    order_pit: Pit | None = None
    spend: SpendIntervals | None = None
    weekly: pd.DataFrame | None = None

    def metrics(self) -> dict[str, float]:
        """One finite number per "<forecast>_<orders|spend>_<metric>"; an undefined one is left out."""
        found = {
            f"{name}_{metric}": value for name, row in self.errors.items() for metric, value in row.items()
        }
        if self.order_pit is not None:
            found["model_orders_pit_central_80"] = self.order_pit.central
        if self.spend is not None:
            found["model_spend_pit_central_80"] = self.spend.pit.central
            found["model_spend_coverage_80"] = self.spend.coverage
            found["model_spend_coverage_80_expected"] = self.spend.expected_coverage
        return found

    def comparison(self) -> pd.DataFrame:
        """One row per forecast and target (orders, spend): its errors, and the note; NaN where it was left out."""
        rows = [
            {"forecast": name, "of": of, **self.errors.get(f"{name}_{of}", {}), "note": self.notes.get(name)}
            for of in ("orders", "spend")
            for name in LABELS
            if f"{name}_{of}" in self.errors or name in self.notes
        ]
        return pd.DataFrame(rows)

    def _beside(self) -> str:
        plain = self.errors.get("lifetimes_orders")
        return "" if plain is None else f"; plain lifetimes: {_total(plain)}, {plain['mae']:.3f}"

    def best_naive(self) -> str:
        """The naive forecast with the least mean absolute error a customer in orders."""
        return min((n for n in NAIVE if f"{n}_orders" in self.errors), key=self._mae)

    def _mae(self, name: str) -> float:
        return self.errors[f"{name}_orders"]["mae"]

    def sentence(self) -> str:
        """The holdout in one sentence, beside the best naive forecast and plain lifetimes."""
        model, best = self.errors["model_orders"], self.best_naive()
        naive, label = self.errors[f"{best}_orders"], LABELS[best]
        return (
            f"over the {self.horizon_days:g} days after the cutoff: {_total(model)} orders expected for "
            f"{model['total_actual']:.0f} that came ({label}: {_total(naive)}); mean absolute error a "
            f"customer {model['mae']:.3f} orders ({label}: {naive['mae']:.3f}{self._beside()})"
        )


def evaluate(
    predictions: Mapping[str, Floats],
    summary: Summary,
    actual_orders: Floats,
    actual_spend: Floats,
    *,
    horizon_days: float,
    others: Mapping[str, Forecast] | None = None,
    order_pit: Pit | None = None,
    spend_pit: Pit | None = None,
    weekly: pd.DataFrame | None = None,
    drawn: Ints | None = None,
) -> Evaluation:
    """Predictions of a model for [cutoff, cutoff + horizon) against what came.

    predictions: of `ClvModel.predict` for that horizon. summary: at the cutoff, customers with a purchase
    only. actual_orders: distinct purchase days in the window; actual_spend: currency. Predicted spend is
    undiscounted and before margin. others: further forecasts beside the own past rate, by name of LABELS.
    order_pit, spend_pit, weekly: of pit.py and weekly.py, as they stand. drawn: rows of the customers to whom
    spend_low and spend_high of the predictions belong, where those are not everybody.

    Raises InputError where a column is not finite or not one number a customer.
    """
    expected = predictions["expected_orders"]
    columns = {
        "predicted_orders": expected,
        "actual_orders": actual_orders.astype(np.float64),
        "predicted_spend": expected * predictions["expected_order_value"],
        "actual_spend": actual_spend.astype(np.float64),
    }
    given = {"naive": past_rate(summary, horizon_days), **(others or {})}
    pairs = {name: (columns[f"predicted_{name}"], columns[f"actual_{name}"]) for name in ("orders", "spend")}
    found = {f"model_{name}": pair for name, pair in pairs.items()}
    for name, forecast in given.items():
        for of, values in (("orders", forecast.orders), ("spend", forecast.spend)):
            if values is not None:
                found[f"{name}_{of}"] = (values, pairs[of][1])
                columns[f"{name}_{of}"] = values
    for name, column in columns.items():
        if column.shape != (len(summary),) or not np.isfinite(column).all() or not len(column):
            raise InputError(
                f"{name} must be {len(summary)} finite numbers (one at least), one for each customer "
                "with a purchase before the cutoff; leave out the others"
            )
    spend = None
    if spend_pit is not None:
        low, high, p_order = (predictions[name] for name in ("spend_low", "spend_high", "p_order"))
        came = columns["actual_spend"]
        if drawn is not None:
            p_order, came = p_order[drawn], came[drawn]
        spend = spend_intervals(low, high, p_order, came, spend_pit)
    return Evaluation(
        {name: errors(*pair) for name, pair in found.items()},
        groups.by_frequency(summary, columns),
        groups.by_silence(summary, columns),
        groups.deciles(columns["predicted_spend"], columns),
        groups.cohorts(summary, columns),
        horizon_days,
        {name: forecast.note for name, forecast in given.items() if forecast.note},
        order_pit,
        spend,
        weekly,
    )


def errors(predicted: Floats, actual: Floats) -> dict[str, float]:
    """total_predicted, total_actual; mae and rmse per customer; total_error_percent of the actual total, left
    out where that is 0; spearman, the rank correlation, left out where one side does not vary.
    """
    off = predicted - actual
    found = {
        "total_predicted": float(predicted.sum()),
        "total_actual": float(actual.sum()),
        "mae": float(np.abs(off).mean()),
        "rmse": float(np.sqrt((off**2).mean())),
    }
    if found["total_actual"]:
        found["total_error_percent"] = 100 * (found["total_predicted"] / found["total_actual"] - 1)
    one, two = (rankdata(v) - (len(v) + 1) / 2 for v in (predicted, actual))
    spread = float(np.sqrt((one**2).sum() * (two**2).sum()))
    if spread > 0:
        found["spearman"] = float((one * two).sum()) / spread
    return found


def _total(row: Mapping[str, float]) -> str:
    share = f" ({row['total_error_percent']:+.1f} %)" if "total_error_percent" in row else ""
    return f"{row['total_predicted']:.0f}{share}"
