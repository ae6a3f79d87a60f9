"""The CLV model: orders (BG/NBD and its family) and spend (Gamma-Gamma) of a shop, with the horizon they answer for."""

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from lifestage import bundle
from lifestage.clv import gamma_gamma, gamma_gamma_strata, spend_law
from lifestage.clv.clock import Clock
from lifestage.clv.compress import Compressed, compress, once
from lifestage.clv.covariate_fit import CovariateFit, fit_covariates
from lifestage.clv.covariates import Covariate, groups, moved, shifts
from lifestage.clv.families import FAMILIES, Family
from lifestage.clv.gamma_gamma import SpendParams, params_from_json, params_to_json
from lifestage.clv.order_choice import fit_orders
from lifestage.clv.order_laws import next_orders, order_laws
from lifestage.clv.summary import Summary
from lifestage.clv.value import discounted_value, future_orders
from lifestage.errors import InputError
from lifestage.ragged import Floats, Ints

_PLAIN = Clock()
KIND = "clv"
FILE = "clv.json"
EVALUATION = "evaluation.json"
SPEND_POINTS = {"spend_low": 0.1, "spend_high": 0.9}
QUANTILES = {"next_order_days": 0.5, "next_order_low_days": 0.1, "next_order_high_days": 0.9}


@dataclass(frozen=True, slots=True)
class ClvModel:
    """A fitted model; times in days, money in the shop's currency.

    horizon_days: every prediction is for (cutoff, cutoff + horizon_days]. yearly_discount_rate: 0.1 = 10 % a
    year of 365.25 days. margin: share of an order's value that counts, in (0, 1]. standard_errors and
    diagnostics: by sub-model ("orders", "gamma_gamma"), JSON. clock: the calendar of the order rates.
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
        "spend_low",
        "spend_high",
    )

    order_model: str
    orders: Any
    gamma_gamma: SpendParams
    horizon_days: float
    yearly_discount_rate: float
    margin: float
    standard_errors: Mapping[str, Mapping[str, float | None]]
    diagnostics: Mapping[str, Mapping[str, Any]]
    clock: Clock = _PLAIN
    covariates: tuple[Covariate, ...] = ()

    @classmethod
    def fit(
        cls,
        summary: Summary,
        *,
        horizon_days: float,
        yearly_discount_rate: float,
        margin: float,
        order_models: Sequence[str] = tuple(FAMILIES),
        clock: Clock = _PLAIN,
        everyone: Compressed | None = None,
    ) -> "ClvModel":
        """Fit both sub-models on the customers of a summary (in days) that have a purchase.

        order_models: the order models to try, the preferred one first (see order_choice). clock: the calendar by
        which the orders came, and the level ahead. everyone: histories of all customers in days of that calendar,
        where the summary holds some drawn from them: the orders are then fitted on all, spend and covariates on some.
        Raises InputError for impossible summaries or settings, and where the data allow no model at all.
        """
        _check_settings(horizon_days, yearly_discount_rate, margin)
        summary.check()
        known = summary.take(summary.has_purchase)
        orders = fit_orders(lived(known, clock) if everyone is None else everyone, order_models)
        spend = gamma_gamma_strata.fit(known.frequency, known.monetary_value)
        x, (t_x, T) = known.frequency, lived_times(known, clock)
        moved_by = (
            fit_covariates(orders, Compressed(x, t_x, T, np.ones(len(x))), known.traits)
            if known.traits
            else CovariateFit(orders.params, (), {})
        )
        return cls(
            order_model=orders.name,
            orders=moved_by.params,
            gamma_gamma=spend.params,
            horizon_days=float(horizon_days),
            yearly_discount_rate=float(yearly_discount_rate),
            margin=float(margin),
            standard_errors={
                "orders": moved_by.standard_errors or orders.standard_errors,
                "gamma_gamma": spend.standard_errors,
            },
            diagnostics={
                "orders": {**orders.diagnostics, "covariates": moved_by.report},
                "gamma_gamma": spend.diagnostics,
            },
            clock=clock,
            covariates=moved_by.covariates,
        )

    @property
    def covariate_names(self) -> tuple[str, ...]:
        """What the model asks of a summary's traits."""
        return tuple(covariate.name for covariate in self.covariates)

    @property
    def family(self) -> Family:
        """The functions of the order model."""
        return FAMILIES[self.order_model]

    def notes(self) -> list[str]:
        """What the data did not identify and what was done, one sentence each; empty where all is well."""
        said = [str(d["fallback"]) for d in self.diagnostics.values() if d.get("fallback")]
        if why := self.diagnostics["orders"].get("covariates", {}).get("why"):
            said.append(str(why))
        return said

    def parameters(self) -> dict[str, Any]:
        """The whole model as JSON: what `save` writes."""
        rest = {k: v for k, v in asdict(self).items() if k not in ("orders", "gamma_gamma", "order_model")}
        return {
            "order_model": self.order_model,
            "spend_model": "gamma_gamma",
            "orders": self.orders._asdict(),
            "gamma_gamma": params_to_json(self.gamma_gamma),
            **rest,
            "clock": {"season": list(self.clock.season), "level": self.clock.level},
            "covariates": [covariate.to_json() for covariate in self.covariates],
        }

    def predict(
        self, summary: Summary, horizon_days: float | None = None, *, only: Collection[str] | None = None
    ) -> dict[str, Floats]:
        """One entry per customer in each of `OUTPUTS`, float64[n]; NaN without a purchase.

        only: of them, those that are wanted; intervals of spend cost several times what all others do.

        p_alive: at the cutoff. expected_orders, clv (currency, discounted, times margin), p_order: within the
        horizon (`horizon_days` in place of the model's where given). expected_order_value: currency.
        next_order_days / low / high: 50, 10 and 90 % points of the next order's time after the cutoff given
        one comes within the horizon. spend_low / high: 10 and 90 % points of the spend within the horizon,
        currency, neither discounted nor times margin (see spend_law). A customer's figures have the same bits
        alone and in any block.

        Raises InputError for a summary that no purchase history can have produced.
        """
        horizon = self.horizon_days if horizon_days is None else float(horizon_days)
        _check_settings(horizon, self.yearly_discount_rate, self.margin)
        summary.check()
        known = np.flatnonzero(summary.has_purchase)
        some = summary.take(known)
        wanted = [name for name in self.OUTPUTS if only is None or name in only]
        columns = {name: np.full(len(summary), np.nan) for name in wanted}
        for params, rows in self.alike(some) if len(known) else ():
            found = self._predict_alike(params, some if rows is None else some.take(rows), horizon, wanted)
            for name in wanted:
                columns[name][known if rows is None else known[rows]] = found[name]
        return columns

    def alike(self, some: Summary) -> Iterator[tuple[Any, Ints | None]]:
        """Groups of customers with the same covariates: their order parameters and rows (None: all)."""
        if not self.covariates:
            yield self.orders, None
            return
        combinations, number = groups(self.covariates, some.traits, len(some))
        for g, combination in enumerate(combinations):
            rate, leaving = shifts(self.covariates, combination)
            yield moved(self.orders, self.family.MOVED, rate, leaving), np.flatnonzero(number == g)

    def _predict_alike(
        self, params: Any, some: Summary, horizon_days: float, wanted: Collection[str]
    ) -> dict[str, Floats]:
        family, x, clock = self.family, some.frequency, self.clock
        t_x, T = lived_times(some, clock)
        horizon = float(clock.ahead(some.cutoff_day, horizon_days))
        p_alive = family.probability_alive(params, x, t_x, T)
        value = gamma_gamma.expected_order_value(self.gamma_gamma, x, some.monetary_value)
        # Given alive, the future depends on (x, T) only: the costly part is done once per distinct pair.
        index, number = once(x, T)
        x_, T_ = x[index], T[index]
        orders, discounted = future_orders(
            lambda t: family.order_rate_given_alive(params, t, x_, T_),
            family.time_scale(params, T_),
            horizon,
            self.yearly_discount_rate,
            lambda t: clock.days(some.cutoff_day, t),
        )
        p_order = family.probability_of_order_given_alive(params, horizon, x_, T_)
        found = {
            "p_alive": p_alive,
            "expected_orders": p_alive * orders[number],
            "expected_order_value": value,
            "clv": discounted_value(p_alive, discounted[number], value, self.margin),
            "p_order": p_alive * p_order[number],
        }
        if not QUANTILES.keys().isdisjoint(wanted):
            shares = tuple(QUANTILES.values())
            points = next_orders(family, params, (x_, T_, p_order), horizon, shares)
            points = clock.days(some.cutoff_day, points)
            found |= {name: point[number] for name, point in zip(QUANTILES, points, strict=True)}
        if not SPEND_POINTS.keys().isdisjoint(wanted):
            known = {"alive": p_alive, "expected": orders[number]}
            found |= self._spend_points(params, some, (t_x, T), horizon, wanted=wanted, **known)
        return found

    def _spend_points(
        self,
        params: Any,
        some: Summary,
        times: tuple[Floats, Floats],
        horizon: float,
        *,
        wanted: Collection[str] = tuple(SPEND_POINTS),
        **known: Floats,
    ) -> dict[str, Floats]:
        """Quantiles of spend: in spend units they hang on (x, t_x, T) alone, so once per distinct history.

        known: `alive` and `expected` of `order_laws`, where they are.
        """
        t_x, T = times
        index, number = once(some.frequency, t_x, T)
        x = some.frequency[index]
        shape, p = spend_law.unit_shape(self.gamma_gamma, x), self.gamma_gamma.p
        theirs = {name: values[index] for name, values in known.items()}
        laws = order_laws(self.family, params, (x, t_x[index], T[index]), horizon, **theirs)
        asked = {name: share for name, share in SPEND_POINTS.items() if name in wanted}
        shares, found = tuple(asked.values()), np.empty((len(asked), len(index)))
        for rows, counts in spend_law.joined(laws):
            found[:, rows] = spend_law.unit_quantiles(p, shape[rows], counts, shares)
        unit = spend_law.spend_unit(self.gamma_gamma, some.frequency, some.monetary_value)
        return {name: points[number] * unit for name, points in zip(asked, found, strict=True)}

    def to_json(self) -> bytes:
        """`parameters` as a file."""
        return json.dumps(self.parameters(), indent=1, ensure_ascii=False, allow_nan=False).encode()

    def save(
        self,
        folder: Path,
        meta: Mapping[str, Any],
        files: Mapping[str, bytes] | None = None,
        *,
        evaluated: "ClvModel | None" = None,
    ) -> Path:
        """Write the model as a bundle: `clv.json`, the further `files`, and `meta` in the manifest.

        evaluated: the fit that was graded, kept beside it (`evaluation.json`) for later comparisons.
        """
        graded = {} if evaluated is None else {EVALUATION: evaluated.to_json()}
        return bundle.write(folder, KIND, {FILE: self.to_json(), **graded, **(files or {})}, meta)

    @classmethod
    def load(cls, folder: Path, fit: Literal["evaluation", "shipped"] = "shipped") -> "ClvModel":
        """One fit of a bundle, every file compared with its checksum. Raises InputError, also for a missing fit."""
        manifest = bundle.read(folder, KIND)
        file = folder / (FILE if fit == "shipped" else EVALUATION)
        if file.name not in manifest["files"]:
            raise InputError(f"{folder}: keeps no {fit} fit, as models of an earlier version; train again")
        document = json.loads(file.read_text(encoding="utf-8"))
        name, spend = document.pop("order_model"), document.pop("spend_model")
        if name not in FAMILIES or spend != "gamma_gamma" or "orders" not in document:
            raise InputError(f"{file}: holds a model this version does not know; train again")
        clock, covariates = document.pop("clock"), document.pop("covariates")
        return cls(
            order_model=name,
            orders=FAMILIES[name].Params(**document.pop("orders")),
            gamma_gamma=params_from_json(document.pop("gamma_gamma")),
            clock=Clock(tuple(clock["season"]), clock["level"]),
            covariates=tuple(Covariate.from_json(one) for one in covariates),
            **document,
        )


def lived_times(some: Summary, clock: Clock) -> tuple[Floats, Floats]:
    """Recency and age in operational days, one per customer with a purchase. Raises InputError."""
    if clock.season and math.isnan(some.cutoff_day):
        raise InputError(
            "summary.cutoff_day is missing, and the model has a season; give the cutoff's day number"
        )
    return clock.history(some.cutoff_day, some.recency, some.T)


def lived(some: Summary, clock: Clock) -> Compressed:
    """The customers with a purchase, one row per distinct history, in operational days."""
    t_x, T = lived_times(some, clock)
    return compress(some.frequency, t_x, T)


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
