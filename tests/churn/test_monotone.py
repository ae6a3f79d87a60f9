"""Directions of features, and trees that keep to them."""

import numpy as np

from lifestage.churn.dataset import Sample
from lifestage.churn.monotone import monotone_settings, sign
from lifestage.churn.training import fit

RULE = {"seed": 7, "horizon_days": 90, "active_within_days": 365, "num_threads": 1, "terms": ()}


def test_signs_of_features() -> None:
    for name in (
        "days_since_last_order",
        "days_since_last_event",
        "btyd_p_no_order",
        "recency_over_mean_gap",
    ):
        assert sign(name) == 1
    for name in (
        "orders_7d",
        "orders_365d",
        "order_count",
        "purchase_days",
        "active_days",
        "active_days_30d",
    ):
        assert sign(name) == -1
    # a one-time buyer's P(alive) is 1; changes, tenure and money have no agreed direction
    for name in (
        "btyd_p_alive",
        "orders_change_30d",
        "days_since_first_order",
        "spend_total",
        "my_order_count",
    ):
        assert sign(name) == 0
    assert monotone_settings(("a", "order_count"))["monotone_constraints"] == [0, -1]
    assert monotone_settings(("a", "b")) == {}


def world(n: int, seed: int) -> Sample:
    """Churn rises with recency, but falls again beyond 60 days, as where gifts are yearly."""
    rng = np.random.default_rng(seed)
    recency, noise = rng.uniform(0, 100, n), rng.standard_normal(n)
    logit = np.where(recency < 60, recency / 20, 6 - recency / 20) - 1.5
    churned = rng.random(n) < 1 / (1 + np.exp(-logit))
    return Sample({"days_since_last_order": recency, "noise": noise}, churned, np.zeros(n, np.int64))


def test_constrained_trees_never_fall_and_are_the_same_bytes() -> None:
    train, validation = world(4_000, 1), world(2_000, 2)
    grid = {"days_since_last_order": np.linspace(0, 100, 401), "noise": np.zeros(401)}
    free = fit(train, validation, **RULE)
    assert np.diff(free.model.predict(grid)).min() < -0.01
    settings = monotone_settings(train.names)
    held, again = (fit(train, validation, **RULE, settings=settings) for _ in range(2))
    assert np.diff(held.model.predict(grid)).min() >= 0
    assert np.ptp(held.model.predict(grid)) > 0.3
    assert held.model.fits == again.model.fits
