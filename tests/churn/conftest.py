"""Simulated customers whose chance to churn is known."""

from collections.abc import Callable

import numpy as np
import pytest

from lifestage.churn.dataset import Sample
from lifestage.churn.training import Fit, fit, refit

Simulate = Callable[..., Sample]


def simulated(n: int, seed: int, shift: float = 0.0, cutoff: int = 0) -> Sample:
    """log-odds = shift + 1.2 x0 - 0.8 x1 + x0 x1, x2 is noise, x3 is missing for a third of the customers."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 4))
    logit = shift + 1.2 * x[:, 0] - 0.8 * x[:, 1] + x[:, 0] * x[:, 1]
    x[rng.random(n) < 1 / 3, 3] = np.nan
    return Sample(
        {f"x{j}": x[:, j].copy() for j in range(4)},
        rng.random(n) < 1 / (1 + np.exp(-logit)),
        np.full(n, cutoff, np.int64),
    )


def truth(sample: Sample, shift: float = 0.0) -> np.ndarray:
    x0, x1 = sample.features["x0"], sample.features["x1"]
    return 1 / (1 + np.exp(-(shift + 1.2 * x0 - 0.8 * x1 + x0 * x1)))


@pytest.fixture(scope="session")
def simulate() -> Simulate:
    return simulated


@pytest.fixture(scope="session")
def true_probability() -> Callable[..., np.ndarray]:
    return truth


@pytest.fixture(scope="session")
def fits() -> tuple[Fit, Fit]:
    """Evaluation and shipped fit of one small world."""
    rule = {"seed": 7, "num_threads": 1}
    evaluated = fit(simulated(4_000, 1), simulated(2_500, 2), horizon_days=90, active_within_days=365, **rule)
    return evaluated, refit(evaluated, simulated(4_000, 3), **rule)
