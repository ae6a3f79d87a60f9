"""From a raw score (log-odds) to a probability that is true: parametric maps, fitted and chosen out of time.

Elementwise and built from scalar special functions, so a customer's probability does not depend, not even
in its last bit, on who else is in the block.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import expit, log_expit

from lifestage.churn.logistic import logistic
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

    def damped(self, score: Floats, share: float) -> "Calibrator":
        """The same shape, with `share` (0 to 1) of the shift in level that the map makes on `score`.

        A shift learnt at validation says how far the level moved in the horizon before; how much of it goes on
        is not known.
        """
        stays = level_shift(lambda c: replace(self, c=c)(score), float(expit(score).mean()))
        return replace(self, c=stays + share * (self.c - stays))


def level_shift(probability_at: Callable[[float], Floats], level: float) -> float:
    """The shift of all log-odds, -50 to 50, at which the mean probability, rising with it, is `level`: bisection."""
    low, high = -50.0, 50.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if float(probability_at(middle).mean()) < level else (low, middle)
    return low


IDENTITY = Calibrator("identity", 1.0, 1.0, 0.0)


def platt(score: Floats, churned: Bools) -> Calibrator:
    """Slope and intercept of largest likelihood, slope >= MIN_SLOPE (Platt 1999)."""
    weights = logistic(np.column_stack([score, np.ones_like(score)]), _targets(churned))
    if weights[0] < MIN_SLOPE:
        intercept = logistic(np.ones((len(score), 1)), _targets(churned), offset=MIN_SLOPE * score)[0]
        return Calibrator("platt", MIN_SLOPE, MIN_SLOPE, float(intercept))
    return Calibrator("platt", float(weights[0]), float(weights[0]), float(weights[1]))


def beta(score: Floats, churned: Bools) -> Calibrator:
    """Beta calibration; falls back to Platt where the best a or b is not positive."""
    columns = np.column_stack([log_expit(score), -log_expit(-score), np.ones_like(score)])
    a, b, c = logistic(columns, _targets(churned))
    if min(a, b) < MIN_SLOPE:
        return platt(score, churned)
    return Calibrator("beta", float(a), float(b), float(c))


def shift(score: Floats, churned: Bools) -> Calibrator:
    """The level alone: intercept of largest likelihood, slope 1."""
    intercept = logistic(np.ones((len(score), 1)), _targets(churned), offset=score)[0]
    return Calibrator("shift", 1.0, 1.0, float(intercept))


def calibrate(score: Floats, churned: Bools, *, seed: int) -> Calibrator:
    """The map for a validation sample that lies later in time than the training labels.

    The simplest of shift, Platt and, from BETA_MIN_ROWS rows on, beta calibration, unless a richer one has the
    lower cross-validated log loss by more than one standard error of the paired difference: each parameter must
    pay for itself. Raises InputError where only one class is present.
    """
    if churned.all() or not churned.any():
        only = "churned" if churned.any() else "stayed"
        raise InputError(
            f"calibration: all {len(churned)} validation customers {only}; both outcomes are needed"
        )
    methods = (shift, platt, beta) if len(churned) >= BETA_MIN_ROWS else (shift, platt)
    chosen, chosen_loss = methods[0], _cv_loss(methods[0], score, churned, seed)
    for method in methods[1:]:
        loss = _cv_loss(method, score, churned, seed)
        gain = chosen_loss - loss
        if gain.mean() > gain.std() / np.sqrt(len(gain)):
            chosen, chosen_loss = method, loss
    return chosen(score, churned)


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
