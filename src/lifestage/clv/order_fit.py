"""Fit of one order model: maximum likelihood, its standard errors, and what speaks against passing it on."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from scipy.special import gammaln, psi
from scipy.stats import chi2

from lifestage.clv.compress import Compressed
from lifestage.clv.families import FAMILIES
from lifestage.clv.maximise import (
    PRIOR_SD,
    Objective,
    Optimum,
    dot,
    maximise,
    with_prior_curvature,
    with_priors,
)
from lifestage.errors import InputError
from lifestage.ragged import Floats

PILOT = 5_000
"""Distinct histories on which the starts are tried where there are many more."""
TRIED = 5_000
"""Those on which predictions are tried."""
WIDER = np.array([-7.0, 7.0])
"""By how much the search under priors reaches further, in logarithms: the priors themselves keep it within."""
FAR = 1.0
"""Predictions are tried as far ahead as the oldest customer is old."""


@dataclass(frozen=True, slots=True)
class OrderFit:
    """A fitted order model; its times in the time unit of the data.

    fault: why it must not be passed on as it is, a sentence without a full stop; None where nothing speaks against
    it. covariance: of the log-parameters, None where the curvature gives none. standard_errors: of the parameters
    (delta method). diagnostics: JSON.
    """

    name: str
    params: Any
    log_likelihood: float
    fault: str | None
    standard_errors: dict[str, float | None]
    covariance: Floats | None
    hessian: Floats
    diagnostics: dict[str, Any] = field(default_factory=dict)


def fit(
    name: str, customers: Compressed, extra_start: Floats | None = None, *, priors: bool = False
) -> OrderFit:
    """One model of FAMILIES for a group of customers.

    extra_start: log-parameters to start from besides the usual ones, times in units of the largest T. priors: add
    N(0, 2^2) on the logarithm of each parameter, of a time over the median T (maximum a posteriori).
    Raises InputError where all customers came on the cutoff's day.
    """
    family = FAMILIES[name]
    unit = float(customers.T.max())
    if unit <= 0:
        raise InputError("T is 0 for every customer: all came on the cutoff's own day; choose a later cutoff")
    scaled = Compressed(customers.frequency, customers.recency / unit, customers.T / unit, customers.count)
    likelihood = family.likelihood(scaled)
    curvature = getattr(likelihood, "hessian", None)
    objective: Objective = likelihood
    if priors:
        centre = np.zeros(len(family.NAMES))
        centre[list(family.TIME)] = np.log(_median_age(scaled))
        objective = with_priors(likelihood, centre)
        curvature = curvature and with_prior_curvature(curvature)
    starts = [*family.STARTS] if extra_start is None else [*family.STARTS, extra_start]
    bounds = family.BOUNDS + (WIDER if priors else 0.0)
    pilot: Optimum | None = None
    if len(scaled) > 2 * PILOT:  # all starts on some of the rows, and from where they end on all of them
        some = _every(scaled, len(scaled) // PILOT)
        of_some: Objective = family.likelihood(some)
        if priors:  # which weigh on some as they do on all
            share = some.customers / customers.customers
            of_some = with_priors(of_some, centre, PRIOR_SD / float(np.sqrt(share)))
        pilot = maximise(of_some, starts, bounds, some.customers)
        starts = [pilot.log_params]
    best = maximise(objective, starts, bounds, customers.customers, curvature, pilot)
    log_likelihood = likelihood(best.log_params)[0]
    stays = _nobody_leaves(scaled)
    fault = _fault(name, best, scaled, log_likelihood - stays, priors=priors)
    params = _params(name, best, unit)
    jacobian = dot(customers.count, customers.frequency) * float(np.log(unit))
    covariance = best.covariance
    spread = [None] * len(params) if covariance is None else np.sqrt(np.diag(covariance)) * np.array(params)
    named = partial(_named, family.NAMES)
    return OrderFit(
        name=name,
        params=params,
        log_likelihood=log_likelihood - jacobian,
        fault=fault,
        standard_errors={
            k: None if e is None else float(e) for k, e in zip(family.NAMES, spread, strict=True)
        },
        covariance=covariance,
        hessian=best.hessian,
        diagnostics={
            "model": name,
            "customers": customers.customers,
            "distinct_histories": len(customers),
            "repeat_buyers": float(customers.count[customers.frequency > 0].sum()),
            "log_likelihood": log_likelihood - jacobian,
            "log_likelihood_if_nobody_left": stays - jacobian,
            **_ratio_test(log_likelihood - stays, len(family.NAMES) - 2),
            "converged": best.converged,
            "starts_agreeing": best.starts_agreeing if pilot is None else pilot.starts_agreeing,
            "largest_gradient": best.largest_gradient,
            "at_bound": named(best.at_bound),
            "hessian_positive_definite": best.hessian_positive_definite,
            "priors": priors,
            "fault": fault,
        },
    )


def _params(name: str, optimum: Optimum, unit: float) -> Any:
    family = FAMILIES[name]
    values = np.exp(optimum.log_params)
    values[list(family.TIME)] *= unit
    return family.Params(*(float(v) for v in values))


def _fault(name: str, best: Optimum, scaled: Compressed, lead: float, *, priors: bool) -> str | None:
    family = FAMILIES[name]
    finite = np.isfinite(best.log_likelihood) and _finite(name, best, scaled)
    if priors:  # they identify what the data leave open
        if finite and best.converged:
            return BOUND if best.at_bound.any() else None
        return _NOT_FINITE if not finite else "the search did not converge"
    open_ = _named(family.NAMES, best.unidentified)
    what = " and ".join(f"{n} ({family.MEANING[n]})" for n in open_) or "all parameters together"
    bound = ", ".join(_named(family.NAMES, best.at_bound))
    for wrong, how in (
        (bool(bound), f"{bound} ran to a bound of the search"),
        (not best.converged, "the search did not converge"),
        (best.unidentified.any() or not best.hessian_positive_definite, "the likelihood is flat there"),
    ):
        if wrong:
            return f"the data do not identify {what}: {how}"
    if not finite:
        return _NOT_FINITE
    if lead < -1e-6 * scaled.customers:
        return f"a simpler model, in which nobody leaves, is more likely by {-lead:.1f} in the log-likelihood"
    return None


_NOT_FINITE = "some predictions are not finite"
BOUND = "parameters ran to a bound of the search"
"""Against a fit under priors; it is still of use where there is no better one, as among identical customers."""


def _finite(name: str, best: Optimum, scaled: Compressed) -> bool:
    family, params = FAMILIES[name], _params(name, best, 1.0)
    scaled = _every(scaled, max(len(scaled) // TRIED, 1))
    with np.errstate(all="ignore"):  # what goes wrong here is the finding
        alive = family.probability_alive(params, scaled.frequency, scaled.recency, scaled.T)
        future = alive * family.expected_purchases_given_alive(params, FAR, scaled.frequency, scaled.T)
    return bool(np.isfinite(future).all() and (future >= 0).all())


def _every(rows: Compressed, step: int) -> Compressed:
    """Every `step`-th distinct history, with those of most orders and longest age: they come ordered by frequency."""
    kept = np.unique(np.append(np.arange(0, len(rows), step), [len(rows) - 1, int(rows.T.argmax())]))
    return Compressed(rows.frequency[kept], rows.recency[kept], rows.T[kept], rows.count[kept])


def _named(names: tuple[str, ...], chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> list[str]:
    return [name for name, flag in zip(names, chosen, strict=True) if flag]


def _nobody_leaves(scaled: Compressed) -> float:
    """The greatest log-likelihood of orders at rates Gamma(r, alpha) by customers of whom none leaves."""
    x, w = scaled.frequency, scaled.count
    ux, of_x = np.unique(x, return_inverse=True)
    w_x = np.bincount(of_x, weights=w).astype(np.float64)
    T, of_T = np.unique(scaled.T, return_inverse=True)
    w_T, wx_T = (np.bincount(of_T, weights=v).astype(np.float64) for v in (w, w * x))
    total = float(w.sum())

    def objective(z: Floats) -> tuple[float, Floats]:
        r, alpha = np.exp(z)
        log_T, held = np.log(alpha + T), r * w_T + wx_T
        value = dot(w_x, gammaln(r + ux) - gammaln(r)) + total * r * np.log(alpha) - dot(held, log_T)
        d_r = dot(w_x, psi(r + ux) - psi(r)) + total * np.log(alpha) - dot(w_T, log_T)
        d_alpha = total * r / alpha - dot(held, 1 / (alpha + T))
        return float(value), np.array([d_r * r, d_alpha * alpha])

    bounds = np.log(np.array([[1e-5, 1e3], [1e-4, 1e4]]))
    starts = np.log(np.array([[0.3, 0.1], [1.0, 1.0]]))
    return maximise(objective, [*starts], bounds, total).log_likelihood


def _ratio_test(lead: float, degrees: int) -> dict[str, float]:
    """That anybody leaves, by the likelihood ratio; at the border of the parameters p is an upper limit."""
    statistic = max(2 * lead, 0.0)
    return {
        "leaving_likelihood_ratio": statistic,
        "leaving_p_value": float(chi2.sf(statistic, degrees)),
    }


def _median_age(customers: Compressed) -> float:
    order = np.argsort(customers.T)
    reached = np.cumsum(customers.count[order])
    age = float(customers.T[order][np.searchsorted(reached, reached[-1] / 2)])
    return age if age > 0 else float(customers.T.max())


WEAK = f"normal on the logarithms, standard deviation {PRIOR_SD:g}, around 1, for times around the median T"
"""The priors in words."""
