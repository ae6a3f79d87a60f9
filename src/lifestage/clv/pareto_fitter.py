"""lifetimes' ParetoNBDFitter with our fitting and our numerics (extra `train`)."""

from collections.abc import Callable
from typing import Any

import lifetimes
import numpy as np
import numpy.typing as npt
import pandas as pd
from lifetimes.generate_data import pareto_nbd_model

from lifestage.clv import pareto_nbd
from lifestage.clv.compress import Compressed, compress
from lifestage.clv.fitters import _describe, _floats, _refuse_penalty
from lifestage.clv.maximise import Optimum, dot, maximise
from lifestage.clv.pareto_nbd import BOUNDS, NAMES, STARTS, TIME, ParetoParams
from lifestage.errors import InputError
from lifestage.ragged import Floats


def fit_pareto(
    customers: Compressed, extra_start: Floats | None = None
) -> tuple[ParetoParams, float, Optimum]:
    """Parameters, log-likelihood in the data's unit of time, and how the maximum was found.

    extra_start: log-parameters, times in units of the largest T. Raises InputError where every T is 0.
    """
    unit = float(customers.T.max())
    if unit <= 0:
        raise InputError("T is 0 for every customer: all came on the cutoff's own day; choose a later cutoff")
    scaled = Compressed(customers.frequency, customers.recency / unit, customers.T / unit, customers.count)
    starts = [*STARTS] if extra_start is None else [*STARTS, extra_start]
    best = maximise(pareto_nbd.likelihood(scaled), starts, BOUNDS, customers.customers)
    params = np.exp(best.log_params)
    params[list(TIME)] *= unit
    # the density of x orders at given times changes by unit^-x with the unit of time
    units = dot(customers.count, customers.frequency) * float(np.log(unit))
    return ParetoParams(*params.tolist()), best.log_likelihood - units, best


class ParetoNBDFitter(lifetimes.ParetoNBDFitter):  # type: ignore[misc]
    """A lifetimes.ParetoNBDFitter whose `fit` is ours, with standard errors; `diagnostics_` says how it went."""

    def fit(  # noqa: PLR0917  lifetimes' own signature
        self,
        frequency: npt.ArrayLike,
        recency: npt.ArrayLike,
        T: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
        iterative_fitting: int = 1,  # noqa: ARG002
        initial_params: npt.ArrayLike | None = None,
        verbose: bool = False,
        tol: float = 1e-4,  # noqa: ARG002
        index: Any = None,
        fit_method: str = "",  # noqa: ARG002
        maxiter: int = 2000,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> "ParetoNBDFitter":
        """Fit one row per customer (or per history, with `weights` customers each); returns itself.

        initial_params: a further start, parameters > 0 with times in units of the largest T, as in lifetimes.
        iterative_fitting, tol, fit_method, maxiter and kwargs steer lifetimes' optimiser, which is not used;
        they are accepted so that callers need no change. Raises InputError (a ValueError) for impossible input
        and for a penalizer.
        """
        _refuse_penalty(self.penalizer_coef)
        x, t_x, age = _floats(frequency), _floats(recency), _floats(T)
        w = np.ones_like(x) if weights is None else _floats(weights)
        start = None if initial_params is None else _floats(initial_params)
        if start is not None and not bool(np.all((start > 0) & np.isfinite(start))):
            raise InputError(f"initial_params is {start.tolist()}, expected four numbers above 0")
        customers = compress(x, t_x, age, w)
        params, log_likelihood, best = fit_pareto(customers, None if start is None else np.log(start))
        self.diagnostics_ = {
            "customers": customers.customers,
            "distinct_histories": len(customers),
            "log_likelihood": log_likelihood,
            "converged": best.converged,
            "starts_agreeing": best.starts_agreeing,
            "largest_gradient": best.largest_gradient,
            "at_bound": [n for n, at in zip(NAMES, best.at_bound, strict=True) if at],
            "unidentified": [n for n, at in zip(NAMES, best.unidentified, strict=True) if at],
            "hessian_positive_definite": best.hessian_positive_definite,
        }
        if verbose:
            print(self.diagnostics_)
        self._scale = 1.0 / float(age.max())
        self._hessian_ = best.hessian / customers.customers
        self._negative_log_likelihood_ = -best.log_likelihood / float(w.mean())
        self.data = pd.DataFrame(
            {"frequency": x.astype(np.int64), "recency": t_x, "T": age, "weights": w}, index=index
        )
        _describe(self, NAMES, params, best.covariance)
        self.predict = self.conditional_expected_number_of_purchases_up_to_time
        self.generate_new_data = lambda size=1: pareto_nbd_model(age, *params, size=size)
        return self

    @property
    def _fitted(self) -> ParetoParams:
        return ParetoParams(*self._unload_params(*NAMES))

    @staticmethod
    def _conditional_log_likelihood(params: Any, freq: Any, rec: Any, T: Any) -> Any:
        """lifetimes' own cancels to NaN for many orders or alpha near beta; one per customer."""
        return _elementwise(
            lambda x, t_x, age: pareto_nbd.log_likelihood(ParetoParams(*params), x, t_x, age), freq, rec, T
        )

    def conditional_expected_number_of_purchases_up_to_time(
        self, t: npt.ArrayLike, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
    ) -> Any:
        """Expected purchases in (T, T + t] given the history, for any frequency and any s.

        As in all methods here arrays broadcast; a pandas Series gives a Series with its index; numbers a number.
        """
        return _elementwise(
            lambda x, t_x, age, ahead: pareto_nbd.expected_purchases(self._fitted, ahead, x, t_x, age),
            frequency,
            recency,
            T,
            t,
        )

    def conditional_probability_alive(
        self, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
    ) -> Any:
        """P(alive at T) given the history."""
        return _elementwise(
            lambda x, t_x, age: pareto_nbd.probability_alive(self._fitted, x, t_x, age), frequency, recency, T
        )

    def conditional_probability_alive_matrix(
        self, max_frequency: int | None = None, max_recency: int | None = None
    ) -> Floats:
        """P(alive) of a customer aged max_recency, [recency, frequency]."""
        orders = np.arange((max_frequency or int(self.data["frequency"].max())) + 1.0)
        age = max_recency or int(self.data["T"].max())
        recency = np.arange(age + 1.0)[:, None]
        return np.asarray(self.conditional_probability_alive(orders, recency, float(age)), np.float64)

    def expected_number_of_purchases_up_to_time(self, t: npt.ArrayLike) -> Any:
        """Expected purchases of a new customer in (0, t], also for s = 1."""
        return _elementwise(
            lambda ahead: pareto_nbd.expected_purchases_given_alive(
                self._fitted, ahead, np.zeros_like(ahead), np.zeros_like(ahead)
            ),
            t,
        )

    def conditional_probability_of_n_purchases_up_to_time(
        self,
        n: int,
        t: float,
        frequency: npt.ArrayLike,
        recency: npt.ArrayLike,
        T: npt.ArrayLike,
    ) -> Any:
        """P(exactly n purchases in (T, T + t]) given the history."""

        def law(x: Floats, t_x: Floats, age: Floats) -> Floats:
            alive = pareto_nbd.probability_alive(self._fitted, x, t_x, age)
            given_alive = pareto_nbd.order_counts_given_alive(self._fitted, t, x, age, int(n))[-1]
            return alive * given_alive + (1.0 - alive if n == 0 else 0.0)

        return _elementwise(law, frequency, recency, T)


def _elementwise(function: Callable[..., Floats], *columns: Any) -> Any:
    """The function of flat arrays, on whatever broadcasts; a Series among the columns gives its index."""
    arrays = np.broadcast_arrays(*(np.asarray(c, np.float64) for c in columns))
    result = function(*(np.ascontiguousarray(c).ravel() for c in arrays)).reshape(arrays[0].shape)
    series = next((c for c in columns if isinstance(c, pd.Series)), None)
    if series is not None and result.ndim == 1:
        return pd.Series(result, index=series.index)
    return result if result.ndim else float(result)
