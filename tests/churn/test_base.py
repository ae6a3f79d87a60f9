"""The linear base against scikit-learn, and its use as the start of the trees."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from lifestage.churn.base import NOTHING, RFM, Base, fit_base
from lifestage.churn.dataset import Sample
from lifestage.churn.logistic import logistic
from lifestage.churn.model import ChurnModel
from lifestage.churn.training import fit, refit
from lifestage.errors import InputError

NAMES = [name for name, _ in RFM]


def rfm_world(n: int, seed: int) -> Sample:
    """Churn depends on the logs of days, orders and value alone, as the base supposes; `noise` tells nothing."""
    rng = np.random.default_rng(seed)
    days, orders, value = rng.exponential(60, n), 1.0 + rng.poisson(2, n), rng.lognormal(3, 1, n)
    odds = -2 + 0.8 * np.log1p(days) - 0.9 * np.log1p(orders) - 0.1 * np.log1p(value)
    features = dict(zip(NAMES, (days, orders, value), strict=True)) | {"noise": rng.standard_normal(n)}
    return Sample(features, rng.random(n) < 1 / (1 + np.exp(-odds)), np.zeros(n, np.int64))


def test_it_is_the_ridge_regression_of_scikit_learn() -> None:
    sample = rfm_world(3_000, 1)
    base = fit_base(sample, RFM, ridge=2.0)
    x = np.log1p(np.column_stack([sample.features[name] for name in NAMES]))
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    other = LogisticRegression(C=0.5, tol=1e-10, max_iter=1_000).fit(x, sample.churned)
    assert [term.weight for term in base.terms] == pytest.approx(other.coef_[0].tolist(), abs=1e-5)
    assert base.intercept == pytest.approx(other.intercept_[0], abs=1e-5)


def test_each_customer_s_log_odds_equal_a_plain_loop_alone_and_in_a_block() -> None:
    sample = rfm_world(300, 2)
    base = fit_base(sample, RFM)
    together = base(sample.features)
    for i in range(0, 300, 37):
        alone = base({name: values[i : i + 1] for name, values in sample.features.items()})
        assert alone.tobytes() == together[i : i + 1].tobytes()
        by_hand = base.intercept
        for term in base.terms:
            by_hand += term.weight * (math.log1p(sample.features[term.column][i]) - term.mean) / term.scale
        assert together[i] == pytest.approx(by_hand, abs=1e-12)


def test_what_is_missing_constant_or_absent_says_nothing() -> None:
    sample = rfm_world(500, 3)
    features = {**sample.features, "mean_order_value": np.full(500, 7.0), "p": np.full(500, np.nan)}
    base = fit_base(replace(sample, features=features), (*RFM, ("p", "logit"), ("never_seen", "log1p")))
    assert [term.column for term in base.terms] == NAMES[:2]
    gone = {name: np.full(1, np.nan) for name in NAMES[:2]}
    assert base(gone)[0] == pytest.approx(base.intercept)
    assert fit_base(sample)(sample.features) == pytest.approx(
        np.full(500, _odds(sample.churned.mean())), abs=1e-6
    )


def _odds(p: float) -> float:
    return math.log(p / (1 - p))


def test_kept_as_json_and_refused_where_damaged() -> None:
    base = fit_base(rfm_world(500, 4), RFM)
    assert Base.from_json(base.to_json()) == base
    for damage in ({"intercept": "x"}, {"terms": [{"column": "a"}]}, {"intercept": float("nan")}):
        with pytest.raises(InputError, match="linear part is damaged"):
            Base.from_json({**base.to_json(), **damage})


def test_penalised_weights_against_a_general_optimiser() -> None:
    from scipy.optimize import minimize

    rng = np.random.default_rng(5)
    x, target, offset = rng.normal(size=(200, 3)), rng.random(200), rng.normal(size=200)
    ridge = np.array([3.0, 0.5, 0.0])

    def loss(w: np.ndarray) -> float:
        z = x @ w + offset
        return float((np.logaddexp(0, z) - target * z).sum() + 0.5 * (ridge * w**2).sum())

    best = minimize(loss, np.zeros(3), method="BFGS", options={"gtol": 1e-9}).x
    assert logistic(x, target, offset, ridge) == pytest.approx(best, abs=1e-5)


RULE = {"seed": 7, "horizon_days": 90, "active_within_days": 365, "num_threads": 1}


def test_where_the_base_says_all_the_trees_add_little() -> None:
    train, validation, test = (rfm_world(n, seed) for n, seed in ((300, 1), (300, 2), (20_000, 3)))
    made = fit(train, validation, **RULE)
    rule = fit(train, validation, **RULE, terms=RFM, max_trees=0)
    loss = {}
    for name, fitted in (("model", made), ("rule", rule)):
        p = fitted.model.predict(test.features)
        loss[name] = -np.log(np.where(test.churned, p, 1 - p)).mean()
    assert loss["model"] < loss["rule"] + 0.01
    assert rule.trees == 0
    assert rule.model.booster is None


def test_a_rule_alone_is_a_whole_model(tmp_path: Path) -> None:
    train, validation, later = (rfm_world(400, seed) for seed in (1, 2, 3))
    found = fit(train, validation, **RULE, terms=RFM[:1], max_trees=0)
    orders = {"r": 1.0, "alpha": 2.0, "a": 0.5, "b": 3.0}
    evaluated = refit(found, later, seed=7, name="evaluation")
    shipped = refit(evaluated, later, seed=7, orders=orders)
    folder = shipped.model.save(tmp_path / "rule", {})
    loaded = ChurnModel.load(folder)
    assert loaded.booster is None
    assert loaded.orders == orders
    assert ChurnModel.load(folder, "evaluation").orders is None
    p = loaded.predict(later.features)
    assert p.tobytes() == shipped.model.predict(later.features).tobytes()
    assert (np.argsort(p) == np.argsort(later.features["days_since_last_order"])).all()
    assert next(iter(loaded.importance().items())) == ("days_since_last_order", 1.0)


def test_a_base_on_a_column_that_is_no_feature(simulate: Callable[..., Sample]) -> None:
    fitted = fit(rfm_world(400, 1), rfm_world(400, 2), **RULE, terms=RFM, max_trees=0)
    with pytest.raises(InputError, match="linear part reads 'days_since_last_order', which is none of its"):
        ChurnModel(fitted.model.fits, "evaluation", features=("x0",), horizon_days=90, active_within_days=365)
    assert NOTHING(simulate(3, 1).features).tolist() == [0.0, 0.0, 0.0]
