"""The holdout figures against a plain loop and by hand."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from lifestage.clv.evaluation import errors, evaluate, naive_orders
from lifestage.clv.model import ClvModel
from lifestage.clv.summary import Summary
from lifestage.errors import InputError


@pytest.fixture(scope="module")
def buyers(crowd: Summary) -> Summary:
    return crowd.take(crowd.has_purchase)


@pytest.fixture(scope="module")
def outcome(buyers: Summary) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    orders = rng.poisson(0.4, len(buyers)).astype(float)
    return orders, orders * 25.0


def test_errors_by_hand() -> None:
    found = errors(np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 0.0]))
    assert found == pytest.approx(
        {
            "total_predicted": 6,
            "total_actual": 4,
            "mae": 4 / 3,
            "rmse": (10 / 3) ** 0.5,
            "total_error_percent": 50,
            "spearman": -(3**0.5) / 2,
        }
    )


def test_undefined_figures_are_left_out() -> None:
    assert sorted(errors(np.ones(3), np.zeros(3))) == ["mae", "rmse", "total_actual", "total_predicted"]


def test_rank_correlation_equals_scipy(outcome: tuple[np.ndarray, np.ndarray]) -> None:
    predicted = np.round(np.random.default_rng(2).gamma(1.0, 1.0, len(outcome[0])), 1)
    expected = spearmanr(predicted, outcome[0]).statistic
    assert errors(predicted, outcome[0])["spearman"] == pytest.approx(expected, rel=1e-10)


def test_tables_equal_a_plain_loop(
    model: ClvModel, buyers: Summary, outcome: tuple[np.ndarray, np.ndarray]
) -> None:
    predictions = model.predict(buyers, horizon_days=90)
    found = evaluate(predictions, buyers, *outcome, horizon_days=90)
    assert found.by_frequency["customers"].sum() == found.deciles["customers"].sum() == len(buyers)
    for row in found.by_frequency.to_dict("records"):
        mine = [i for i, x in enumerate(buyers.frequency) if min(x, 10) == row["frequency"]]
        assert row["customers"] == len(mine)
        assert row["actual_orders"] == pytest.approx(sum(outcome[0][i] for i in mine) / len(mine))
        expected = sum(buyers.frequency[i] / buyers.T[i] * 90 for i in mine) / len(mine)
        assert row["naive_orders"] == pytest.approx(expected)
    spend = found.deciles["predicted_spend"].to_numpy()
    assert (np.diff(spend) <= 0).all()
    total = (predictions["expected_orders"] * predictions["expected_order_value"]).sum()
    assert (spend * found.deciles["customers"]).sum() == pytest.approx(total)
    metrics = found.metrics()
    assert metrics["model_spend_total_predicted"] == pytest.approx(total)
    assert metrics["model_orders_total_actual"] == outcome[0].sum()
    assert all(np.isfinite(list(metrics.values())))
    assert f"that came (own past rate: {metrics['naive_orders_total_predicted']:.0f} (" in found.sentence()


def test_a_perfect_forecast(buyers: Summary, outcome: tuple[np.ndarray, np.ndarray]) -> None:
    perfect = {"expected_orders": outcome[0], "expected_order_value": np.full(len(buyers), 25.0)}
    metrics = evaluate(perfect, buyers, *outcome, horizon_days=90).metrics()
    for part in ("orders", "spend"):
        assert metrics[f"model_{part}_mae"] == 0
        assert metrics[f"model_{part}_total_error_percent"] == 0
        assert metrics[f"model_{part}_spearman"] == pytest.approx(1)


def test_the_naive_rate() -> None:
    found = naive_orders(Summary.of([0, 3, 0], [0, 20, 0], [50, 30, 0]), 60)
    assert found.tolist() == [0, 6, 0]


def test_fewer_than_ten_customers_and_nobody() -> None:
    few = Summary.of([0, 1, 2], [0, 5, 9], [10, 10, 10], [0, 3, 4])
    given = {"expected_orders": np.ones(3), "expected_order_value": np.ones(3)}
    assert (
        evaluate(given, few, np.ones(3), np.ones(3), horizon_days=9).deciles["customers"].tolist() == [1] * 3
    )
    with pytest.raises(InputError, match="predicted_orders must be 0 finite numbers"):
        nobody = {name: np.empty(0) for name in given}
        evaluate(nobody, Summary.of([], [], []), np.empty(0), np.empty(0), horizon_days=9)
    with pytest.raises(InputError, match="actual_spend must be 3 finite numbers"):
        evaluate(given, few, np.ones(3), np.array([1, np.nan, 2]), horizon_days=9)
