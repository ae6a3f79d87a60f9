"""The CLV model: orders (BG/NBD) and spend (Gamma-Gamma) of a shop, with the horizon they answer for."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from lifestage import bundle
from lifestage.clv import bg_nbd, bg_nbd_fit, gamma_gamma
from lifestage.clv.bg_nbd import BetaGeoParams
from lifestage.clv.compress import compress, distinct
from lifestage.clv.gamma_gamma import GammaGammaParams
from lifestage.clv.summary import Summary
from lifestage.clv.value import discounted_value, future_orders
from lifestage.errors import InputError
from lifestage.ragged import Floats

KIND = "clv"
FILE = "clv.json"
QUANTILES = {"next_order_days": 0.5, "next_order_low_days": 0.1, "next_order_high_days": 0.9}


@dataclass(frozen=True, slots=True)
class ClvModel:
    """A fitted model; times in days, money in the shop's currency.

    horizon_days: every prediction is for (cutoff, cutoff + horizon_days]. yearly_discount_rate: 0.1 = 10 % a
    year of 365.25 days. margin: share of an order's value that counts, in (0, 1]. standard_errors and
    diagnostics: by sub-model ("bg_nbd", "gamma_gamma"), JSON.
    """

    OUTPUTS: ClassVar[tuple[str, ...]] = (
        "p_alive",
        "expected_orders",
        "expected_order_value",
        "clv",
        "p_order",
        "next_order_days",
        "next_order_low_days",
        "next_order_high_days",
    )

    bg_nbd: BetaGeoParams
    gamma_gamma: GammaGammaParams
    horizon_days: float
    yearly_discount_rate: float
    margin: float
    standard_errors: Mapping[str, Mapping[str, float | None]]
    diagnostics: Mapping[str, Mapping[str, Any]]

    @classmethod
    def fit(
        cls, summary: Summary, *, horizon_days: float, yearly_discount_rate: float, margin: float
    ) -> "ClvModel":
        """Fit both sub-models on the customers of a summary (in days) that have a purchase.

        Raises InputError for impossible summaries or settings, and where the data allow no model at all.
        """
        _check_settings(horizon_days, yearly_discount_rate, margin)
        summary.check()
        known = summary.take(summary.has_purchase)
        orders = bg_nbd_fit.fit(compress(known.frequency, known.recency, known.T))
        spend = gamma_gamma.fit(known.frequency, known.monetary_value)
        return cls(
            bg_nbd=orders.params,
            gamma_gamma=spend.params,
            horizon_days=float(horizon_days),
            yearly_discount_rate=float(yearly_discount_rate),
            margin=float(margin),
            standard_errors={"bg_nbd": orders.standard_errors, "gamma_gamma": spend.standard_errors},
            diagnostics={"bg_nbd": orders.diagnostics, "gamma_gamma": spend.diagnostics},
        )

    def notes(self) -> list[str]:
        """What the data did not identify and what was done, one sentence each; empty where all is well."""
        return [str(d["fallback"]) for d in self.diagnostics.values() if d.get("fallback")]

    def parameters(self) -> dict[str, Any]:
        """The whole model as JSON: what `save` writes."""
        rest = {k: v for k, v in asdict(self).items() if k not in ("bg_nbd", "gamma_gamma")}
        return {
            "order_model": "bg_nbd",
            "spend_model": "gamma_gamma",
            "bg_nbd": self.bg_nbd._asdict(),
            "gamma_gamma": self.gamma_gamma._asdict(),
            **rest,
        }

    def predict(self, summary: Summary, horizon_days: float | None = None) -> dict[str, Floats]:
        """One entry per customer in each of `OUTPUTS`, float64[n]; NaN without a purchase.

        p_alive: at the cutoff. expected_orders, clv (currency, discounted, times margin), p_order: within the
        horizon (`horizon_days` in place of the model's where given). expected_order_value: currency.
        next_order_days / low / high: 50, 10 and 90 % points of the next order's time after the cutoff given
        one comes within the horizon. A customer's figures have the same bits alone and in any block.

        Raises InputError for a summary that no purchase history can have produced.
        """
        horizon = self.horizon_days if horizon_days is None else float(horizon_days)
        _check_settings(horizon, self.yearly_discount_rate, self.margin)
        summary.check()
        known = np.flatnonzero(summary.has_purchase)
        some = summary.take(known)
        found = self._predict_known(some, horizon) if len(known) else {}
        columns = {name: np.full(len(summary), np.nan) for name in self.OUTPUTS}
        for name, values in found.items():
            columns[name][known] = values
        return columns

    def _predict_known(self, some: Summary, horizon: float) -> dict[str, Floats]:
        params, x = self.bg_nbd, some.frequency
        p_alive = bg_nbd.probability_alive(params, x, some.recency, some.T)
        value = gamma_gamma.expected_order_value(self.gamma_gamma, x, some.monetary_value)
        # Given alive, the future depends on (x, T) only: the costly part is done once per distinct pair.
        index, number = distinct(x, some.T)
        x_, T_ = x[index], some.T[index]
        orders, discounted = future_orders(
            lambda t: bg_nbd.order_rate_given_alive(params, t, x_, T_),
            params.alpha + T_,
            horizon,
            self.yearly_discount_rate,
        )
        p_order = bg_nbd.probability_of_order_given_alive(params, horizon, x_, T_)
        points = {
            name: bg_nbd.next_order_quantile(params, share, horizon, x_, T_)[number]
            for name, share in QUANTILES.items()
        }
        return {
            "p_alive": p_alive,
            "expected_orders": p_alive * orders[number],
            "expected_order_value": value,
            "clv": discounted_value(p_alive, discounted[number], value, self.margin),
            "p_order": p_alive * p_order[number],
            **points,
        }

    def save(self, folder: Path, meta: Mapping[str, Any], files: Mapping[str, bytes] | None = None) -> Path:
        """Write the model as a bundle: `clv.json`, the further `files`, and `meta` in the manifest."""
        text = json.dumps(self.parameters(), indent=1, ensure_ascii=False, allow_nan=False)
        return bundle.write(folder, KIND, {FILE: text.encode(), **(files or {})}, meta)

    @classmethod
    def load(cls, folder: Path) -> "ClvModel":
        """The model of a bundle, every file compared with its checksum. Raises InputError."""
        bundle.read(folder, KIND)
        document = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if (document.pop("order_model"), document.pop("spend_model")) != ("bg_nbd", "gamma_gamma"):
            raise InputError(f"{folder / FILE}: holds a model this version does not know; train again")
        orders, spend = (
            BetaGeoParams(**document.pop("bg_nbd")),
            GammaGammaParams(**document.pop("gamma_gamma")),
        )
        return cls(bg_nbd=orders, gamma_gamma=spend, **document)


def _check_settings(horizon_days: float, yearly_discount_rate: float, margin: float) -> None:
    for name, value, good, expected in (
        ("horizon_days", horizon_days, 0 < horizon_days < np.inf, "a number of days above 0"),
        (
            "yearly_discount_rate",
            yearly_discount_rate,
            0 <= yearly_discount_rate < np.inf,
            "0 or more (0.1 = 10 %)",
        ),
        ("margin", margin, 0 < margin <= 1, "above 0 and at most 1"),
    ):
        if not good:
            raise InputError(f"{name} is {value}, expected {expected}; correct the configuration")
