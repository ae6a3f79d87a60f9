"""Logistic regression by Newton's method: small, and the same bits whatever the number of threads."""

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit

from lifestage.ragged import Floats


def logistic(
    columns: Floats,
    target: Floats,
    offset: npt.NDArray[np.float64] | float = 0.0,
    ridge: npt.NDArray[np.float64] | float = 0.0,
) -> Floats:
    """Weights (k,) of largest penalised likelihood for soft targets (n,) in [0, 1]; columns (n, k).

    Minimises the log loss of expit(columns @ weights + offset), summed over rows, plus sum(ridge x weights^2) / 2.
    Newton with halving steps. A tiny ridge is always added, so that a column without spread beside the intercept
    leaves the Hessian regular. No BLAS: its sums change in the last bit with the number of threads.
    """
    scale = np.maximum(np.abs(columns).max(axis=0), 1e-300)
    x = [column / s for column, s in zip(columns.T, scale, strict=True)]
    penalty = 1e-9 * len(target) + np.asarray(ridge, np.float64) / scale**2
    weights = np.zeros(len(x))

    def linear(w: Floats) -> Floats:
        z = np.full(len(target), 0.0) + offset
        for weight, column in zip(w, x, strict=True):
            z += weight * column
        return z

    def loss(w: Floats) -> float:
        z = linear(w)
        fit = -(target * log_expit(z) + (1 - target) * log_expit(-z)).sum()
        return float(fit + 0.5 * (penalty * w**2).sum())

    current = loss(weights)
    for _ in range(100):
        p = expit(linear(weights))
        spread = p * (1 - p)
        gradient = np.array([(column * (p - target)).sum() for column in x]) + penalty * weights
        hessian = np.diag(np.broadcast_to(penalty, len(x)).copy())
        for i, column in enumerate(x):
            weighted = column * spread
            for j in range(i + 1):
                hessian[i, j] += (weighted * x[j]).sum()
                hessian[j, i] = hessian[i, j]
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while (tried := loss(weights - size * step)) > current and size > 1e-8:
            size /= 2
        weights = weights - size * step
        if current - tried <= 1e-12 * max(current, 1.0):
            break
        current = tried
    return weights / scale
