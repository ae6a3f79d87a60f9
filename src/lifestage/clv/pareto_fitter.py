"""lifetimes' ParetoNBDFitter with our fitting and our numerics (extra `train`)."""

from typing import Any, Self

import lifetimes
import numpy as np
import numpy.typing as npt
from lifetimes.generate_data import pareto_nbd_model

from lifestage.clv import pareto_nbd
from lifestage.clv.fitters import OrderFitter, _floats, check_possible, elementwise
from lifestage.clv.pareto_nbd import ParetoParams
from lifestage.errors import InputError
from lifestage.ragged import Floats


class ParetoNBDFitter(OrderFitter, lifetimes.ParetoNBDFitter):  # type: ignore[misc]
    """A lifetimes.ParetoNBDFitter whose `fit` is ours, with standard errors; `diagnostics_` says how it went."""

    _name = "pareto_nbd"
    _simulate = staticmethod(pareto_nbd_model)

    def fit(  # type: ignore[override]  # noqa: PLR0917  lifetimes' own signature
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
    ) -> Self:
        """Fit one row per customer (or per history, with `weights` customers each); returns itself.

        initial_params: a further start, parameters > 0 with times in units of the largest T, as in lifetimes.
        iterative_fitting, tol, fit_method, maxiter and kwargs steer lifetimes' optimiser, which is not used;
        they are accepted so that callers need no change. Raises InputError (a ValueError) for impossible input
        and for a penalizer.
        """
        start = None if initial_params is None else _floats(initial_params)
        if start is not None and not bool(np.all((start > 0) & np.isfinite(start))):
            raise InputError(f"initial_params is {start.tolist()}, expected four numbers above 0")
        logs = None if start is None else np.log(start)
        self._fit(frequency, recency, T, weights, start=logs, verbose=verbose, index=index)
        self._negative_log_likelihood_ *= len(self.data)  # lifetimes keeps the sum here, elsewhere the mean
        return self

    @staticmethod
    def _conditional_log_likelihood(params: Any, freq: Any, rec: Any, T: Any) -> Any:
        """lifetimes' own cancels to NaN for many orders or alpha near beta; one per customer."""
        return elementwise(
            lambda x, t_x, age: pareto_nbd.log_likelihood(ParetoParams(*params), x, t_x, age), freq, rec, T
        )

    def conditional_probability_alive(
        self, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
    ) -> Any:
        """P(alive at T) given the history."""

        def alive(x: Floats, t_x: Floats, age: Floats) -> Floats:
            check_possible(x, t_x, age)
            return pareto_nbd.probability_alive(self._fitted, x, t_x, age)

        return elementwise(alive, frequency, recency, T)

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
        return elementwise(
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

        if n < 0:
            raise InputError(f"n is {n}, expected a number of purchases of 0 or more")

        def law(x: Floats, t_x: Floats, age: Floats) -> Floats:
            alive = pareto_nbd.probability_alive(self._fitted, x, t_x, age)
            given_alive = pareto_nbd.order_counts_given_alive(self._fitted, t, x, age, int(n))[-1]
            return alive * given_alive + (1.0 - alive if n == 0 else 0.0)

        return elementwise(law, frequency, recency, T)
