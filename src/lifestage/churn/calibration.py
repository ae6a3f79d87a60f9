"""From a raw score (log-odds) to a probability that is true: parametric maps, fitted out of time.

Elementwise and built from scalar special functions, so a customer's probability does not depend, not even
in its last bit, on who else is in the block.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit

from lifestage.errors import InputError
from lifestage.ragged import Bools, Floats

MIN_SLOPE = 1e-2
"""A slope is never smaller: calibration must not turn the ranking round, nor make all customers tie."""
BETA_MIN_ROWS = 2_000
"""Below this the third parameter of beta calibration is not tried."""
CV_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Calibrator:
    """P(churn) = expit(a * log p + b * -log(1 - p) + c), where p = expit(score).

    Kull, Silva Filho & Flach (2017), "Beta calibration", eq. 6 (their a, b, c). With a = b = slope it is
    Platt's map, expit(slope * score + c) (Platt 1999); with a = b = 1 and c = 0 the identity. a, b > 0, so it
    rises strictly with the score.
    """

    method: str
    a: float
    b: float
    c: float

    def __call__(self, score: Floats) -> Floats:
        """Probability of each score (log-odds), same shape."""
        probability: Floats = expit(self._logit(score))
        return probability

    def _logit(self, score: Floats) -> Floats:
        if self.a == self.b:
            return self.a * score + self.c
        logit: Floats = self.a * log_expit(score) - self.b * log_expit(-score) + self.c
        return logit

    def to_json(self) -> dict[str, Any]:
        return {"method": self.method, "a": self.a, "b": self.b, "c": self.c}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Calibrator":
        """Raises InputError for a damaged document."""
        try:
            made = cls(str(document["method"]), *(float(document[k]) for k in ("a", "b", "c")))
        except (KeyError, TypeError, ValueError):
            raise InputError("calibration is damaged: expected method, a, b, c; train again") from None
        if not (np.isfinite([made.a, made.b, made.c]).all() and made.a > 0 and made.b > 0):
            raise InputError(f"the calibration is damaged: {made} is not finite with a, b > 0; train again")
        return made


IDENTITY = Calibrator("identity", 1.0, 1.0, 0.0)


def platt(score: Floats, churned: Bools) -> Calibrator:
    """Slope and intercept of largest likelihood, slope >= MIN_SLOPE (Platt 1999)."""
    weights = _logistic(np.column_stack([score, np.ones_like(score)]), _targets(churned))
    if weights[0] < MIN_SLOPE:
        intercept = _logistic(np.ones((len(score), 1)), _targets(churned), offset=MIN_SLOPE * score)[0]
        return Calibrator("platt", MIN_SLOPE, MIN_SLOPE, float(intercept))
    return Calibrator("platt", float(weights[0]), float(weights[0]), float(weights[1]))


def beta(score: Floats, churned: Bools) -> Calibrator:
    """Beta calibration; falls back to Platt where the best a or b is not positive."""
    columns = np.column_stack([log_expit(score), -log_expit(-score), np.ones_like(score)])
    a, b, c = _logistic(columns, _targets(churned))
    if min(a, b) < MIN_SLOPE:
        return platt(score, churned)
    return Calibrator("beta", float(a), float(b), float(c))


def calibrate(score: Floats, churned: Bools, *, seed: int) -> Calibrator:
    """The map for a validation sample that lies later in time than the training labels.

    Platt, unless there are at least BETA_MIN_ROWS rows and beta calibration has the lower cross-validated log
    loss by more than one standard error of the paired difference: two parameters are the safer bet.
    Raises InputError where only one class is present.
    """
    if churned.all() or not churned.any():
        only = "churned" if churned.any() else "stayed"
        raise InputError(
            f"calibration: all {len(churned)} validation customers {only}; both outcomes are needed"
        )
    if len(churned) >= BETA_MIN_ROWS:
        gain = _cv_loss(platt, score, churned, seed) - _cv_loss(beta, score, churned, seed)
        if gain.mean() > gain.std() / np.sqrt(len(gain)):
            return beta(score, churned)
    return platt(score, churned)


def _cv_loss(fit: Any, score: Floats, churned: Bools, seed: int) -> Floats:
    """One row per customer: log loss under the map fitted without the customer's fold."""
    fold = np.random.default_rng(seed).permutation(len(score)) % CV_FOLDS
    loss = np.empty_like(score)
    for k in range(CV_FOLDS):
        held = fold == k
        logit = fit(score[~held], churned[~held])._logit(score[held])
        loss[held] = -log_expit(np.where(churned[held], logit, -logit))
    return loss


def _targets(churned: Bools) -> Floats:
    """Platt's smoothed targets (1999, section 2.2): keep the optimum finite where a score separates."""
    positive = int(np.count_nonzero(churned))
    negative = len(churned) - positive
    return np.where(churned, (positive + 1) / (positive + 2), 1 / (negative + 2))


def _logistic(columns: Floats, target: Floats, offset: npt.NDArray[np.float64] | float = 0.0) -> Floats:
    """Weights (k,) of largest likelihood for soft targets: Newton with halving steps; columns (n, k).

    A tiny ridge keeps the Hessian regular where a column has no spread beside the intercept.
    """
    scale = np.maximum(np.abs(columns).max(axis=0), 1e-300)
    x = columns / scale
    ridge = 1e-9 * len(target)
    weights = np.zeros(x.shape[1])

    def loss(w: Floats) -> float:
        z = x @ w + offset
        return float(-(target * log_expit(z) + (1 - target) * log_expit(-z)).sum() + 0.5 * ridge * w @ w)

    current = loss(weights)
    for _ in range(100):
        p = expit(x @ weights + offset)
        gradient = x.T @ (p - target) + ridge * weights
        hessian = (x.T * (p * (1 - p))) @ x + ridge * np.eye(len(weights))
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while (tried := loss(weights - size * step)) > current and size > 1e-8:
            size /= 2
        weights = weights - size * step
        if current - tried <= 1e-12 * max(current, 1.0):
            break
        current = tried
    return weights / scale
