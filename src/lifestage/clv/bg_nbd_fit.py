"""Fit of the BG/NBD model: maximum likelihood, and under weak priors where the data leave it open."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lifestage.clv.bg_nbd import BetaGeoParams, expected_purchases, likelihood
from lifestage.clv.compress import Compressed
from lifestage.clv.maximise import PRIOR_SD, Optimum, dot, maximise, with_priors
from lifestage.errors import InputError
from lifestage.ragged import Floats

NAMES = BetaGeoParams._fields
MEANING = {
    "r": "how much customers' order rates differ",
    "alpha": "the level of order rates",
    "a": "how likely customers are to leave after an order",
    "b": "how likely customers are to stay after an order",
}
# of (log r, log alpha, log a, log b), times in units of the largest T
BOUNDS = np.log(np.array([[1e-5, 1e3], [1e-4, 1e4], [1e-4, 1e4], [1e-4, 1e4]]))
STARTS = np.log(np.array([[0.3, 0.1, 0.8, 2.5], [1.0, 1.0, 1.0, 1.0], [0.5, 0.3, 0.05, 2.0]]))


@dataclass(frozen=True, slots=True)
class BetaGeoFit:
    """A fitted BG/NBD; `alpha` in the time unit of the data.

    covariance: of the log-parameters (r, alpha, a, b), None where the curvature gives none. standard_errors:
    of the parameters (delta method). diagnostics: JSON; `fallback` is None or the sentence that says what the
    data do not identify and what was done.
    """

    params: BetaGeoParams
    log_likelihood: float
    standard_errors: dict[str, float | None]
    covariance: Floats | None
    hessian: Floats
    diagnostics: dict[str, Any] = field(default_factory=dict)


def fit(customers: Compressed, extra_start: Floats | None = None) -> BetaGeoFit:
    """The BG/NBD of a group of customers.

    extra_start: log-parameters to start from besides the usual ones, times in units of the largest T. Where
    parameters run to a bound, are not identified, the Hessian is not positive definite or a prediction is not
    finite, the same model is fitted under N(0, 2^2) priors on log r, log(alpha / median T), log a and log b.

    Raises InputError where all customers came on the cutoff's day, or even the priors give no finite answer.
    """
    unit = float(customers.T.max())
    if unit <= 0:
        raise InputError("T is 0 for every customer: all came on the cutoff's own day; choose a later cutoff")
    scaled = Compressed(customers.frequency, customers.recency / unit, customers.T / unit, customers.count)
    objective = likelihood(scaled)
    starts = [*STARTS] if extra_start is None else [*STARTS, extra_start]
    plain = maximise(objective, starts, BOUNDS, customers.customers)
    best, fallback = plain, None
    if _fails(plain, scaled):
        centre = np.array([0.0, np.log(_median_age(scaled)), 0.0, 0.0])
        best = maximise(with_priors(objective, centre), starts, BOUNDS, customers.customers)
        fallback = _sentence(plain)
        if not _finite(best, scaled):
            raise InputError(
                f"{fallback} Even so some predictions are not finite; check frequency, recency and T"
            )
    params = _params(best, unit)
    log_likelihood = objective(best.log_params)[0]
    covariance = best.covariance
    errors = [None] * 4 if covariance is None else np.sqrt(np.diag(covariance)) * np.array(params)
    return BetaGeoFit(
        params=params,
        log_likelihood=log_likelihood - _jacobian(customers, unit),
        standard_errors={n: None if e is None else float(e) for n, e in zip(NAMES, errors, strict=True)},
        covariance=covariance,
        hessian=best.hessian,
        diagnostics={
            "customers": customers.customers,
            "distinct_histories": len(customers),
            "repeat_buyers": float(customers.count[customers.frequency > 0].sum()),
            "log_likelihood": log_likelihood - _jacobian(customers, unit),
            "converged": best.converged,
            "starts_agreeing": best.starts_agreeing,
            "largest_gradient": best.largest_gradient,
            "at_bound": _named(best.at_bound),
            "hessian_positive_definite": best.hessian_positive_definite,
            "fallback": fallback,
            "plain": None if fallback is None else _plain(plain, unit, customers),
        },
    )


def _params(optimum: Optimum, unit: float) -> BetaGeoParams:
    r, alpha, a, b = (float(v) for v in np.exp(optimum.log_params))
    return BetaGeoParams(r, alpha * unit, a, b)


def _jacobian(customers: Compressed, unit: float) -> float:
    """The density of x orders at given times changes by unit^-x with the unit of time."""
    return dot(customers.count, customers.frequency) * float(np.log(unit))


def _finite(optimum: Optimum, scaled: Compressed) -> bool:
    future = expected_purchases(_params(optimum, 1.0), 1.0, scaled.frequency, scaled.recency, scaled.T)
    return bool(np.isfinite(future).all() and (future >= 0).all() and np.isfinite(optimum.log_likelihood))


def _fails(plain: Optimum, scaled: Compressed) -> bool:
    return bool(
        not plain.converged
        or plain.unidentified.any()
        or not plain.hessian_positive_definite
        or not _finite(plain, scaled)
    )


def _named(chosen: Floats | np.ndarray[Any, np.dtype[np.bool_]]) -> list[str]:
    return [name for name, flag in zip(NAMES, chosen, strict=True) if flag]


def _sentence(plain: Optimum) -> str:
    bound, open_ = _named(plain.at_bound), _named(plain.unidentified)
    what = " and ".join(f"{n} ({MEANING[n]})" for n in open_) or "all parameters together"
    why = (
        f"{', '.join(bound)} ran to a bound of the search"
        if bound
        else "the likelihood is flat there"
        if plain.converged
        else "the search did not converge"
    )
    return (
        f"The data do not identify {what}: {why}; fitted under weak priors instead (normal on the "
        f"logarithms, standard deviation {PRIOR_SD:g}, around 1 for r, a, b and the median T for alpha)."
    )


def _plain(plain: Optimum, unit: float, customers: Compressed) -> dict[str, Any]:
    return {
        **_params(plain, unit)._asdict(),
        "log_likelihood": plain.log_likelihood - _jacobian(customers, unit),
        "converged": plain.converged,
        "at_bound": _named(plain.at_bound),
        "hessian_positive_definite": plain.hessian_positive_definite,
    }


def _median_age(customers: Compressed) -> float:
    order = np.argsort(customers.T)
    reached = np.cumsum(customers.count[order])
    age = float(customers.T[order][np.searchsorted(reached, reached[-1] / 2)])
    return age if age > 0 else float(customers.T.max())
