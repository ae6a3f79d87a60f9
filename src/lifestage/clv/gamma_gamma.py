"""The Gamma-Gamma model of spend: likelihood, expected order value, fit.

A customer's orders are Gamma(p, nu), and nu ~ Gamma(q, v) across customers, independent of how often one
orders; where it is not, v differs by stratum of frequency (`StratifiedParams`, fitted in `gamma_gamma_strata`).

Refunds and spends that are not positive: intake takes refunds off the order they name, so that m is the mean net
spend of the repeat days and is never below 0. A customer whose repeat days net to 0 tells nothing of a Gamma law,
is left out of the fit, and counted in the diagnostics (`left_out_without_positive_spend`); the customer is still
predicted, as somebody who spent 0 on x days.

Fader & Hardie (2013), note 025, "The Gamma-Gamma Model of Monetary Value" (below: FH); Fader, Hardie & Lee (2005),
"RFM and CLV", Journal of Marketing Research 42, 415-430. Symbols of the note inside formulas:
x = frequency, m = monetary_value, the mean of x orders.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy.special import gammaln, psi

from lifestage.clv.maximise import Objective, Optimum, dot, maximise, numeric_hessian, with_priors
from lifestage.errors import InputError
from lifestage.ragged import Floats


class GammaGammaParams(NamedTuple):
    """p: shape of a customer's orders; q, v (currency): shape and rate of customers' own scale."""

    p: float
    q: float
    v: float


@dataclass(frozen=True, slots=True)
class StratifiedParams:
    """A Gamma-Gamma with nu ~ Gamma(q, v factor) in each stratum of frequency; p, q, v (currency): as above.

    strata: the least frequency of each stratum, ascending, the first 1 (who has no repeat purchase belongs to it
    too). factors: one per stratum, > 0, the first 1: how much larger order values are than in the lowest.
    """

    p: float
    q: float
    v: float
    strata: tuple[int, ...]
    factors: tuple[float, ...]


SpendParams: TypeAlias = GammaGammaParams | StratifiedParams
NAMES = GammaGammaParams._fields
# of (log p, log q, log v), amounts in units of their mean
BOUNDS = np.log(np.array([[1e-3, 1e5], [1e-3, 1e5], [1e-6, 1e6]]))
STARTS = np.log(np.array([[3.0, 3.0, 1.0], [1.0, 2.0, 1.0], [20.0, 3.0, 0.1]]))
IMPLAUSIBLE_MEAN = 3.0
"""A population mean so many times the mean of the repeat buyers is an artefact of a heavy tail (q near 1)."""


def params_to_json(params: SpendParams) -> dict[str, Any]:
    """The parameters as JSON; what `params_from_json` reads."""
    if isinstance(params, GammaGammaParams):
        return params._asdict()
    return {**asdict(params), "strata": list(params.strata), "factors": list(params.factors)}


def params_from_json(document: Mapping[str, Any]) -> SpendParams:
    """The parameters that `params_to_json` wrote. Raises InputError for other keys."""
    if set(document) == set(NAMES):
        return GammaGammaParams(**document)
    if set(document) != {*NAMES, "strata", "factors"} or len(document["strata"]) != len(document["factors"]):
        raise InputError(
            f"parameters of the Gamma-Gamma have the keys {sorted(document)}, expected p, q, v, and strata with as "
            "many factors where it is stratified; train again"
        )
    lists = {"strata": tuple(document["strata"]), "factors": tuple(document["factors"])}
    return StratifiedParams(**{**document, **lists})


def scale_of(params: SpendParams, x: Floats) -> Floats:
    """One per customer, currency: v of the customer's stratum of frequency; the lowest one's where x is 0."""
    if isinstance(params, GammaGammaParams):
        return np.full(x.shape, params.v)
    stratum = np.searchsorted(np.array(params.strata[1:], np.float64), x, side="right")
    return np.asarray(params.v * np.array(params.factors)[stratum], np.float64)


def log_likelihood(params: SpendParams, x: Floats, m: Floats) -> Floats:
    """One per customer with x > 0 and m > 0: log density of the mean spend m of x orders, FH eq. (1a)."""
    p, q, v = params.p, params.q, scale_of(params, x)
    px = p * x
    value = gammaln(px + q) - gammaln(px) - gammaln(q) - np.log(m)
    return np.asarray(value + q * np.log(v / (v + x * m)) + px * np.log(x * m / (v + x * m)), np.float64)


def population_mean(params: SpendParams) -> float:
    """Expected order value of a customer with no repeat purchase: p v / (q - 1); infinite for q <= 1."""
    return params.p * params.v / (params.q - 1) if params.q > 1 else float("inf")


def expected_order_value(params: SpendParams, x: Floats, m: Floats) -> Floats:
    """One per customer, currency: expected order value given the mean m of x repeat days, FH eq. (5).

    Where x is 0 the population mean: of all repeat buyers in the plain model, of the lowest stratum in the
    stratified one. Its people are those whom a customer with one purchase joins by ordering again, and most who
    do so order no more than that; the mean of all repeat buyers is lifted by regulars, whom few of the one-time
    buyers become. A step further down than the lowest stratum is nowhere seen in repeat days, so none is taken.
    """
    p, q, v = params.p, params.q, scale_of(params, x)
    return np.asarray(p * (v + x * m) / (p * x + q - 1.0), np.float64)


@dataclass(frozen=True, slots=True)
class GammaGammaFit:
    """A fitted Gamma-Gamma; `v` in the currency of the data.

    covariance: of the log-parameters (p, q, v), None where the curvature gives none. diagnostics: JSON;
    `fallback` is None or the sentence that says what the data do not identify and what was done.
    """

    params: GammaGammaParams
    log_likelihood: float
    standard_errors: dict[str, float | None]
    covariance: Floats | None
    hessian: Floats
    diagnostics: dict[str, Any] = field(default_factory=dict)


def fit(
    frequency: Floats,
    monetary_value: Floats,
    weights: Floats | None = None,
    extra_start: Floats | None = None,
) -> GammaGammaFit:
    """The Gamma-Gamma of the customers with frequency > 0 and monetary_value > 0; the others are left out.

    weights: customers each row stands for. Where parameters run to a bound or are not identified, or the
    population mean is infinite or implausible (q <= 1 or near it), the population mean is held at the repeat
    buyers' mean order value, and p and q are fitted under N(0, 2^2) priors on log p and log(q - 1).

    Raises InputError where nobody has a repeat purchase with positive spend.
    """
    used = (frequency > 0) & (monetary_value > 0)
    if not used.any():
        raise InputError(
            "no customer has a repeat purchase with positive spend (frequency > 0 and monetary_value > 0), "
            "so neither repeat orders nor their value can be learnt; give a longer history; a shop whose customers "
            "order once only needs another churn.definition and no CLV"
        )
    x, m = frequency[used], monetary_value[used]
    w = np.ones(len(x)) if weights is None else weights[used].astype(np.float64)
    customers = float(w.sum())
    mean_order = dot(w, x * m) / dot(w, x)
    mean_customer = dot(w, m) / customers
    objective = likelihood(x, m / mean_customer, w)
    starts = [*STARTS] if extra_start is None else [*STARTS, extra_start]
    plain = maximise(objective, starts, BOUNDS, customers)
    best, fallback = plain, None
    params = _params(plain, mean_customer)
    if why := _reason(plain, population_mean(params) / mean_order):
        best = _with_mean_held(objective, customers, mean_order / mean_customer)
        params = _params(best, mean_customer)
        fallback = (
            f"The data do not identify the spread of order values: {why}; the population mean was held at "
            f"the repeat buyers' mean order value ({mean_order:.6g}), p and q fitted under weak priors."
        )
        if not np.isfinite(expected_order_value(params, x, m)).all():
            raise InputError(f"{fallback} Even so some order values are not finite; check monetary_value")
    log_likelihood_ = objective(best.log_params)[0] - customers * float(np.log(mean_customer))
    covariance = best.covariance
    errors = [None] * 3 if covariance is None else np.sqrt(np.diag(covariance)) * np.array(params)
    return GammaGammaFit(
        params=params,
        log_likelihood=log_likelihood_,
        standard_errors={n: None if e is None else float(e) for n, e in zip(NAMES, errors, strict=True)},
        covariance=covariance,
        hessian=best.hessian,
        diagnostics={
            "customers": customers,
            "left_out_without_positive_spend": int(((frequency > 0) & ~used).sum()),
            "log_likelihood": log_likelihood_,
            "converged": best.converged,
            "starts_agreeing": best.starts_agreeing,
            "largest_gradient": best.largest_gradient,
            "at_bound": _named(best.at_bound),
            "hessian_positive_definite": best.hessian_positive_definite,
            "population_mean": population_mean(params),
            "observed_mean": mean_customer,
            "correlation_frequency_spend": _correlation(x, m, w),
            "correlation_frequency_log_spend": _correlation(np.log(x), np.log(m), w),
            "fallback": fallback,
            "plain": None if fallback is None else {**_params(plain, mean_customer)._asdict()},
        },
    )


def likelihood(x: Floats, m: Floats, w: Floats) -> Objective:
    """(log p, log q, log v) -> log-likelihood of the customers, weighted, and its gradient."""
    ux, of_x = np.unique(x, return_inverse=True)
    w_x, total = np.bincount(of_x, weights=w).astype(np.float64), float(w.sum())
    spend, log_m = x * m, dot(w, np.log(m))

    def value_and_gradient(z: Floats) -> tuple[float, Floats]:
        p, q, v = np.exp(z)
        own, others = -np.log1p(v / spend), -np.log1p(spend / v)  # log shares of xm and of v in their sum
        value = dot(w_x, gammaln(p * ux + q) - gammaln(p * ux)) - total * gammaln(q) - log_m
        value += q * dot(w, others) + p * dot(w, x * own)
        d_p = dot(w_x, ux * (psi(p * ux + q) - psi(p * ux))) + dot(w, x * own)
        d_q = dot(w_x, psi(p * ux + q)) - total * psi(q) + dot(w, others)
        d_v = total * q / v - dot(w, (p * x + q) / (spend + v))
        return float(value), np.array([d_p * p, d_q * q, d_v * v])

    return value_and_gradient


def _reason(plain: Optimum, mean_ratio: float) -> str | None:
    if plain.at_bound.any():
        return f"{', '.join(_named(plain.at_bound))} ran to a bound of the search"
    if not plain.converged or plain.unidentified.any():
        return "the likelihood is flat" if plain.converged else "the search did not converge"
    if not mean_ratio <= IMPLAUSIBLE_MEAN:
        q = float(np.exp(plain.log_params[1]))
        return f"the tail of order values is so heavy (q = {q:.3g}) that no mean follows"
    return None


def _with_mean_held(objective: Objective, customers: float, mean: float) -> Optimum:
    """Maximum over (log p, log(q - 1)) with v = mean (q - 1) / p, reported in (log p, log q, log v)."""

    def expand(y: Floats) -> Floats:
        return np.array([y[0], np.logaddexp(0.0, y[1]), np.log(mean) + y[1] - y[0]])

    def held(y: Floats) -> tuple[float, Floats]:
        value, (d_p, d_q, d_v) = objective(expand(y))
        share = float(np.exp(y[1] - np.logaddexp(0.0, y[1])))  # d log q / d log(q - 1)
        return value, np.array([d_p - d_v, d_q * share + d_v])

    bounds = np.log(np.array([[1e-3, 1e5], [1e-3, 1e5]]))
    starts = [np.log(s) for s in ([3.0, 2.0], [1.0, 1.0], [20.0, 2.0])]
    found = maximise(with_priors(held, np.zeros(2)), starts, bounds, customers)
    z = expand(found.log_params)
    bound = np.array([found.at_bound[0], found.at_bound[1], False])
    return Optimum(
        log_params=z,
        log_likelihood=found.log_likelihood,
        hessian=-numeric_hessian(objective, z),
        converged=found.converged,
        at_bound=bound,
        unidentified=bound,
        hessian_positive_definite=False,  # one direction is held and not estimated: no standard errors
        largest_gradient=found.largest_gradient,
        starts_agreeing=found.starts_agreeing,
    )


def _params(optimum: Optimum, unit: float) -> GammaGammaParams:
    p, q, v = (float(value) for value in np.exp(optimum.log_params))
    return GammaGammaParams(p, q, v * unit)


def _named(chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> list[str]:
    return [name for name, flag in zip(NAMES, chosen, strict=True) if flag]


def _correlation(first: Floats, second: Floats, w: Floats) -> float | None:
    """Weighted Pearson correlation; None where one of the two does not vary."""
    one, two = first - dot(w, first) / w.sum(), second - dot(w, second) / w.sum()
    spread = float(np.sqrt(dot(w, one**2) * dot(w, two**2)))
    return dot(w, one * two) / spread if spread > 0 else None
