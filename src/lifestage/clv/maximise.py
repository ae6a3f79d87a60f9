"""Maximum of a log-likelihood in log-parameters: several starts, Newton's finish, curvature, verdict."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from lifestage.ragged import Floats

Objective = Callable[[Floats], tuple[float, Floats]]
"""Log-parameters -> log-likelihood of all customers and its gradient."""
Curvature = Callable[[Floats], Floats]
"""Log-parameters -> Hessian of the log-likelihood."""

PRIOR_SD = 2.0
"""Standard deviation of the weak prior on a log-parameter: two of them are a factor of 50 either way."""
BOUND_MARGIN = 0.01
SETTLED = 1e-9
"""Gradient of the mean log-likelihood at which steps have arrived."""


@dataclass(frozen=True, slots=True)
class Optimum:
    """The maximum found, for k parameters.

    hessian: of the negative log-likelihood in log-parameters, [k, k]. at_bound: bool[k]. unidentified:
    bool[k], the parameters at a bound, in a direction without curvature, or with a standard error above
    `PRIOR_SD`, of which the data say less than a weak prior would.
    """

    log_params: Floats
    log_likelihood: float
    hessian: Floats
    converged: bool
    at_bound: npt.NDArray[np.bool_]
    unidentified: npt.NDArray[np.bool_]
    hessian_positive_definite: bool
    largest_gradient: float
    starts_agreeing: int
    weight: float = 1.0
    """Customers in the objective."""

    @property
    def covariance(self) -> Floats | None:
        """Of the log-parameters, [k, k]; None where the curvature gives none."""
        return np.asarray(np.linalg.inv(self.hessian), np.float64) if self.hessian_positive_definite else None


def maximise(  # noqa: PLR0917
    objective: Objective,
    starts: Sequence[Floats],
    bounds: Floats,
    weight: float,
    hessian: Curvature | None = None,
    near: Optimum | None = None,
) -> Optimum:
    """The best of several bounded quasi-Newton runs, finished by Newton steps.

    starts: log-parameters float64[k] each. bounds: [k, 2]. weight: customers in the objective, so that
    tolerances mean the same for a hundred customers and for a million. hessian: second derivatives of the
    objective; by central differences of its gradient where there is none. near: the optimum of some of the
    customers, from where steps by its curvature come to that of all, unless they do not.
    """

    def mean(z: Floats) -> tuple[float, Floats]:
        value, gradient = objective(z)
        return -value / weight, -gradient / weight

    def bend(z: Floats) -> Floats:
        return numeric_hessian(mean, z) if hessian is None else -hessian(z) / weight

    found = None if near is None or not near.hessian_positive_definite else _chord(mean, bend, near, bounds)
    if found is not None:
        (z, value, gradient, curvature), agreeing = found, 1
    else:
        runs = []
        for start in starts:
            clipped = np.clip(start, bounds[:, 0] + 0.1, bounds[:, 1] - 0.1)
            # SLSQP and not L-BFGS-B, whose threaded LAPACK calls on tiny matrices took most of a fit on busy cores
            options = {"ftol": 1e-13, "maxiter": 500}
            runs.append(minimize(mean, clipped, jac=True, method="SLSQP", bounds=bounds, options=options))
        best = min(runs, key=lambda run: float(run.fun))
        z, value, gradient, curvature = _newton(
            mean, bend, np.clip(best.x, bounds[:, 0], bounds[:, 1]), bounds
        )
        agreeing = sum(float(run.fun) - value < 1e-6 for run in runs)

    low, high = z <= bounds[:, 0] + BOUND_MARGIN, z >= bounds[:, 1] - BOUND_MARGIN
    # at a bound, a slope that points out of the box is no lack of convergence
    inside = np.where((low & (gradient > 0)) | (high & (gradient < 0)), 0.0, gradient)
    positive, weak = _identified(curvature * weight)
    return Optimum(
        log_params=z,
        log_likelihood=-value * weight,
        hessian=curvature * weight,
        converged=bool(np.abs(inside).max() < 1e-5),
        at_bound=low | high,
        unidentified=low | high | weak,
        hessian_positive_definite=positive,
        largest_gradient=float(np.abs(inside).max()),
        starts_agreeing=agreeing,
        weight=weight,
    )


def _chord(
    mean: Objective, bend: Curvature, near: Optimum, bounds: Floats
) -> tuple[Floats, float, Floats, Floats] | None:
    """Point, value, gradient and Hessian where steps by the curvature nearby end; None where they do not settle."""
    inverse = np.linalg.inv(near.hessian / near.weight)
    z = near.log_params
    for _ in range(20):
        value, gradient = mean(z)
        if np.abs(gradient).max() < SETTLED:
            curvature = bend(z)
            return (z, value, gradient, curvature) if _is_positive_definite(curvature) else None
        z = z - inverse @ gradient
        if np.any(z <= bounds[:, 0]) or np.any(z >= bounds[:, 1]) or not np.isfinite(z).all():
            return None
    return None


def _newton(
    mean: Objective, bend: Curvature, z: Floats, bounds: Floats
) -> tuple[Floats, float, Floats, Floats]:
    """Point, value, gradient and Hessian after at most ten steps, each to a flatter place and no worse value."""
    value, gradient = mean(z)
    curvature = bend(z)
    for _ in range(10):
        if not _is_positive_definite(curvature):
            break
        step = np.linalg.solve(curvature, gradient)
        there = z - step
        if np.any(there < bounds[:, 0]) or np.any(there > bounds[:, 1]) or np.abs(step).max() < 1e-11:
            break
        value_there, gradient_there = mean(there)
        if (
            not value_there <= value + 1e-13 * max(1.0, abs(value))
            or np.abs(gradient_there).max() >= np.abs(gradient).max()
        ):
            break
        z, value, gradient = there, value_there, gradient_there
        curvature = bend(z)
    return z, value, gradient, curvature


def numeric_hessian(objective: Objective, z: Floats, step: float = 1e-4) -> Floats:
    """Central differences of the analytic gradient, symmetrised; [k, k]."""
    rows = [(objective(z + e)[1] - objective(z - e)[1]) / (2 * step) for e in np.eye(len(z)) * step]
    matrix = np.array(rows)
    return np.asarray((matrix + matrix.T) / 2, np.float64)


def _is_positive_definite(matrix: Floats) -> bool:
    if not np.isfinite(matrix).all():
        return False
    values = np.linalg.eigvalsh(matrix)
    return bool(values[0] > 1e-10 * max(float(values[-1]), 1e-300))


def _identified(hessian: Floats) -> tuple[bool, npt.NDArray[np.bool_]]:
    """Whether the Hessian is positive definite, and which parameters it leaves open."""
    if not np.isfinite(hessian).all():
        return False, np.ones(len(hessian), np.bool_)
    if _is_positive_definite(hessian):
        return True, np.sqrt(np.diag(np.linalg.inv(hessian))) > PRIOR_SD
    values, vectors = np.linalg.eigh(hessian)
    flat = vectors[:, values <= 1.0 / PRIOR_SD**2]
    return False, np.abs(flat).max(axis=1, initial=0.0) > 0.1


def dot(weights: Floats, values: Floats) -> float:
    """Sum of weights x values over customers.

    Not `@`: BLAS splits it over threads, which changes the last bits from machine to machine and, where
    several processes share the cores, made fits twenty times slower.
    """
    return float(np.sum(weights * values))


def with_priors(objective: Objective, centre: Floats, sd: float = PRIOR_SD) -> Objective:
    """The objective plus independent normal priors N(centre, sd^2) on the log-parameters (MAP)."""

    def penalised(z: Floats) -> tuple[float, Floats]:
        value, gradient = objective(z)
        away = (z - centre) / sd
        return value - 0.5 * float(away @ away), gradient - away / sd

    return penalised


def with_prior_curvature(hessian: Curvature, sd: float = PRIOR_SD) -> Curvature:
    """The Hessian of `with_priors`."""
    return lambda z: hessian(z) - np.eye(len(z)) / sd**2
