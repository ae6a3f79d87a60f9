"""lifetimes' fitters with our fitting: its predictions, plots and summaries work on them (extra `train`)."""

from collections.abc import Callable, Mapping
from typing import Any, Self

import lifetimes
import numpy as np
import numpy.typing as npt
import pandas as pd
from lifetimes.generate_data import beta_geometric_nbd_model, modified_beta_geometric_nbd_model

from lifestage.clv import gamma_gamma
from lifestage.clv.compress import compress, distinct
from lifestage.clv.families import FAMILIES
from lifestage.clv.gamma_gamma import GammaGammaParams, StratifiedParams
from lifestage.clv.model import ClvModel
from lifestage.clv.order_choice import fit_orders
from lifestage.errors import InputError
from lifestage.ragged import Floats

MONTH = {"W": 4.345, "M": 1.0, "D": 30.0, "H": 720.0}
"""A month of lifetimes in each of its units of time."""


def _floats(values: npt.ArrayLike) -> Floats:
    return np.ascontiguousarray(values, np.float64)


def _refuse_penalty(penalizer_coef: float) -> None:
    if penalizer_coef:
        raise InputError(
            f"penalizer_coef is {penalizer_coef}, expected 0: where the data leave parameters open our "
            "fitting uses stated weak priors by itself; for a penalised fit use lifetimes' own fitter"
        )


def _describe(fitter: Any, names: tuple[str, ...], params: Any, covariance: Floats | None) -> None:
    """The attributes that lifetimes' base class reads: parameters and their uncertainty.

    variance_matrix_ is symmetric; lifetimes' own multiplies rows by the squared parameter, so that only its
    diagonal is right.
    """
    fitter.params_ = pd.Series(np.array(params), index=list(names))
    spread = np.full((len(names), len(names)), np.nan) if covariance is None else covariance
    fitter.variance_matrix_ = pd.DataFrame(
        np.outer(np.array(params), np.array(params)) * spread, index=list(names), columns=list(names)
    )
    fitter.standard_errors_ = fitter._compute_standard_errors()
    fitter.confidence_intervals_ = fitter._compute_confidence_intervals()


def _uncertainty(fitter: Any, errors: Mapping[str, float | None]) -> None:
    fitter.standard_errors_ = pd.Series(dict(errors), dtype=float)
    fitter.confidence_intervals_ = fitter._compute_confidence_intervals()


class OrderFitter:
    """What our fitters of order models share; `diagnostics_` says how the fit went."""

    _name: str
    _simulate: Callable[..., pd.DataFrame]
    data: pd.DataFrame
    penalizer_coef: float

    def fit(  # noqa: PLR0917  lifetimes' own signature
        self,
        frequency: npt.ArrayLike,
        recency: npt.ArrayLike,
        T: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
        initial_params: npt.ArrayLike | None = None,
        verbose: bool = False,
        tol: float = 1e-7,  # noqa: ARG002
        index: Any = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> Self:
        """Fit one row per customer (or per history, with `weights` customers each); returns itself.

        initial_params: a further start, log-parameters with times in units of the largest T, as in lifetimes.
        tol and kwargs steer lifetimes' optimiser, which is not used; they are accepted so that callers need
        no change. Raises InputError (a ValueError) for impossible input and for a penalizer.
        """
        start = None if initial_params is None else _floats(initial_params)
        return self._fit(frequency, recency, T, weights, start=start, verbose=verbose, index=index)

    def _fit(
        self,
        frequency: npt.ArrayLike,
        recency: npt.ArrayLike,
        T: npt.ArrayLike,
        weights: npt.ArrayLike | None,
        *,
        start: Floats | None,
        verbose: bool,
        index: Any,
    ) -> Self:
        _refuse_penalty(self.penalizer_coef)
        x, t_x, age = _floats(frequency), _floats(recency), _floats(T)
        w = np.ones_like(x) if weights is None else _floats(weights)
        customers = compress(x, t_x, age, w)
        fitted = fit_orders(customers, (self._name,), start)
        self.diagnostics_ = fitted.diagnostics
        if verbose:
            print(fitted.diagnostics)
        self._scale = 1.0 / float(age.max())
        self._hessian_ = fitted.hessian / customers.customers
        units = float(np.sum(w * x)) * np.log(self._scale)
        self._negative_log_likelihood_ = -(fitted.log_likelihood - units) / customers.customers
        self.data = pd.DataFrame(
            {"frequency": x.astype(np.int64), "recency": t_x, "T": age, "weights": w}, index=index
        )
        self._take(fitted.params, fitted.covariance)
        return self

    def _take(self, params: Any, covariance: Floats | None) -> None:
        _describe(self, FAMILIES[self._name].NAMES, params, covariance)
        self.predict = self.conditional_expected_number_of_purchases_up_to_time
        self.generate_new_data = lambda size=1: type(self)._simulate(self.data["T"], *params, size=size)

    @property
    def _fitted(self) -> Any:
        family = FAMILIES[self._name]
        return family.Params(*self._unload_params(*family.NAMES))  # type: ignore[attr-defined]

    def conditional_expected_number_of_purchases_up_to_time(
        self, t: npt.ArrayLike, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
    ) -> Any:
        """Expected purchases in (T, T + t] given the history, as in lifetimes, for any frequency and parameters.

        Arrays broadcast; a pandas Series gives a Series with its index; numbers give a number.
        """
        family, params = FAMILIES[self._name], self._fitted

        def orders(x: Floats, t_x: Floats, age: Floats, ahead: Floats) -> Floats:
            check_possible(x, t_x, age, ahead)
            alive = family.probability_alive(params, x, t_x, age)
            return alive * family.expected_purchases_given_alive(params, ahead, x, age)

        return elementwise(orders, frequency, recency, T, t)

    @classmethod
    def from_model(cls, model: ClvModel) -> Self:
        """The order model of a saved ClvModel, in days; without `data`, which a model does not keep.

        Raises InputError for a model of another kind.
        """
        if model.order_model != cls._name:
            raise InputError(
                f"the model's orders are {model.order_model}, expected {cls._name}; use its own fitter"
            )
        fitter = cls()
        fitter.diagnostics_ = dict(model.diagnostics["orders"])
        fitter._take(model.orders, None)
        _uncertainty(fitter, model.standard_errors["orders"])
        return fitter


def check_possible(x: Floats, t_x: Floats, age: Floats, ahead: Floats | None = None) -> None:
    """Raises InputError for a history that cannot be, by the first column at fault; matrices of lifetimes can."""
    for name, column, good, expected in (
        ("frequency", x, x >= 0, "0 or more"),
        ("T", age, age >= 0, "0 or more"),
        ("recency", t_x, (t_x >= 0) & (t_x <= age), "from 0 to T"),
        *((("t", ahead, ahead >= 0, "0 or more"),) if ahead is not None else ()),
    ):
        if len(bad := np.flatnonzero(~(good & np.isfinite(column)))):
            raise InputError(
                f"{name} is {column[bad[0]]:g} in row {bad[0]}, expected {expected}; mend or drop such rows"
            )


def elementwise(function: Callable[..., Floats], *columns: Any) -> Any:
    """The function of flat arrays, on whatever broadcasts; a Series among the columns gives its index."""
    arrays = np.broadcast_arrays(*(np.asarray(c, np.float64) for c in columns))
    result = function(*(np.ascontiguousarray(c).ravel() for c in arrays)).reshape(arrays[0].shape)
    series = next((c for c in columns if isinstance(c, pd.Series)), None)
    if series is not None and result.ndim == 1:
        return pd.Series(result, index=series.index)
    return result if result.ndim else float(result)


class BetaGeoFitter(OrderFitter, lifetimes.BetaGeoFitter):  # type: ignore[misc]
    """A lifetimes.BetaGeoFitter whose `fit` is ours."""

    _name = "bg_nbd"
    _simulate = staticmethod(beta_geometric_nbd_model)


class ModifiedBetaGeoFitter(OrderFitter, lifetimes.ModifiedBetaGeoFitter):  # type: ignore[misc]
    """A lifetimes.ModifiedBetaGeoFitter whose `fit` is ours."""

    _name = "mbg_nbd"
    _simulate = staticmethod(modified_beta_geometric_nbd_model)


class GammaGammaFitter(lifetimes.GammaGammaFitter):  # type: ignore[misc]
    """A lifetimes.GammaGammaFitter whose `fit` is ours; `diagnostics_` says how it went."""

    def fit(  # noqa: PLR0917  lifetimes' own signature
        self,
        frequency: npt.ArrayLike,
        monetary_value: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
        initial_params: npt.ArrayLike | None = None,
        verbose: bool = False,
        tol: float = 1e-7,  # noqa: ARG002
        index: Any = None,
        q_constraint: bool = False,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> "GammaGammaFitter":
        """Fit one row per customer with frequency > 0 and monetary_value > 0; returns itself.

        initial_params: a further start, log-parameters with amounts in units of their mean. q_constraint is
        always kept: a population mean that would be infinite is held at the observed one. Raises InputError.
        """
        _refuse_penalty(self.penalizer_coef)
        x, m = _floats(frequency), _floats(monetary_value)
        if x.shape != m.shape or not bool(np.all((x > 0) & np.isfinite(x) & (m > 0) & np.isfinite(m))):
            raise InputError(
                "frequency and monetary_value must be finite and above 0 in every row; leave one-time buyers out"
            )
        w = np.ones_like(x) if weights is None else _floats(weights)
        if w.shape != x.shape or not bool(np.all((w >= 0) & np.isfinite(w))) or not float(w.sum()) > 0:
            raise InputError(
                "weights must be one finite number >= 0 a row, and not all 0: the customers it stands for"
            )
        fitted = gamma_gamma.fit(x, m, w, None if initial_params is None else _floats(initial_params))
        self.diagnostics_ = fitted.diagnostics
        if verbose:
            print(fitted.diagnostics)
        self._hessian_ = fitted.hessian / float(w.sum())
        self._negative_log_likelihood_ = -fitted.log_likelihood / float(w.sum())
        self.data = pd.DataFrame({"monetary_value": m, "frequency": x, "weights": w}, index=index)
        _describe(self, gamma_gamma.NAMES, fitted.params, fitted.covariance)
        return self

    def customer_lifetime_value(  # noqa: PLR0917  lifetimes' own signature
        self,
        transaction_prediction_model: Any,
        frequency: npt.ArrayLike,
        recency: npt.ArrayLike,
        T: npt.ArrayLike,
        monetary_value: npt.ArrayLike,
        time: int = 12,
        discount_rate: float = 0.01,
        freq: str = "D",
    ) -> Any:
        """Value of each customer over `time` months as lifetimes has it: steps of 30 days, discounted at their ends.

        With one of our order fitters the expectations of a step are worked out once per distinct (frequency, T).
        For true time and months of the calendar see ClvModel and outlook.value_path.
        """
        model = transaction_prediction_model
        if not isinstance(model, OrderFitter):
            return super().customer_lifetime_value(
                model, frequency, recency, T, monetary_value, time, discount_rate, freq
            )
        family, params = FAMILIES[model._name], model._fitted
        step = MONTH[freq]

        def value(x: Floats, t_x: Floats, age: Floats, spend: Floats) -> Floats:
            index, number = distinct(x, age)
            x_, age_ = x[index], age[index]
            total = np.zeros(len(index))
            before = np.zeros(len(index))
            for month in range(1, int(time) + 1):
                until = family.expected_purchases_given_alive(params, month * step, x_, age_)
                total += (until - before) / (1 + discount_rate) ** month
                before = until
            return family.probability_alive(params, x, t_x, age) * total[number] * spend

        average = self.conditional_expected_average_profit(
            np.asarray(frequency, np.float64), np.asarray(monetary_value, np.float64)
        )
        found = elementwise(value, frequency, recency, T, average)
        return found.rename("clv") if isinstance(found, pd.Series) else found

    @classmethod
    def from_model(cls, model: ClvModel) -> "GammaGammaFitter":
        """The spend model of a saved ClvModel; without `data`, which a model does not keep.

        Of a model by strata of frequency, which lifetimes does not know, the plain Gamma-Gamma beside it.
        """
        fitter = cls()
        fitter.diagnostics_ = dict(model.diagnostics["gamma_gamma"])
        plain = model.gamma_gamma
        if isinstance(plain, StratifiedParams):
            plain = GammaGammaParams(**model.diagnostics["gamma_gamma"]["plain"])
        _describe(fitter, gamma_gamma.NAMES, plain, None)
        errors = model.standard_errors["gamma_gamma"] if plain is model.gamma_gamma else {}
        _uncertainty(fitter, {name: errors.get(name) for name in gamma_gamma.NAMES})
        return fitter
