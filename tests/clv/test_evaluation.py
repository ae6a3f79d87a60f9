"""The holdout figures against a plain loop and by hand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from lifestage.clv.baselines import Forecast
from lifestage.clv.evaluation import errors, evaluate
from lifestage.clv.model import ClvModel
from lifestage.clv.pit import pit_between
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


def test_other_forecasts_stand_beside(buyers: Summary, outcome: tuple[np.ndarray, np.ndarray]) -> None:
    half = {"expected_orders": outcome[0] / 2, "expected_order_value": np.full(len(buyers), 25.0)}
    others = {
        "last_year": Forecast(outcome[0] * 1.1, outcome[1] * 1.1),
        "lifetimes": Forecast(note="plain lifetimes: with penalizer 0 the BG/NBD fails"),
    }
    found = evaluate(half, buyers, *outcome, horizon_days=90, others=others)
    table = found.comparison().set_index(["forecast", "of"])
    assert list(table.index.get_level_values(0)) == ["model", "naive", "last_year", "lifetimes"] * 2
    for name, share in (("model", -50), ("last_year", 10)):
        for of in ("orders", "spend"):
            assert table.loc[(name, of), "total_error_percent"] == pytest.approx(share)
    assert np.isnan(table.loc[("lifetimes", "orders"), "mae"])
    assert table.loc[("lifetimes", "orders"), "note"].endswith("the BG/NBD fails")
    assert not [name for name in found.metrics() if name.startswith("lifetimes")]
    assert found.best_naive() == "last_year"
    assert found.sentence().count("(same days last year: ") == 2
    assert found.by_frequency["last_year_orders"].iloc[0] == pytest.approx(
        1.1 * found.by_frequency["actual_orders"].iloc[0]
    )


def test_cohorts_and_silence_equal_a_plain_loop(
    model: ClvModel, buyers: Summary, outcome: tuple[np.ndarray, np.ndarray]
) -> None:
    cutoff = np.datetime64("2024-02-10", "D")
    T = buyers.T.copy()
    for oldest in (500.0, 900.0):  # months in a young shop, quarters in an older one
        T[0] = oldest
        some = replace(buyers, T=T, cutoff_day=float(cutoff.astype(np.int64)))
        predictions = model.predict(some, horizon_days=90)
        found = evaluate(predictions, some, *outcome, horizon_days=90)
        names = []
        for age in some.T:
            day = (cutoff - int(age)).item()
            names.append(
                f"{day.year}-{day.month:02d}" if oldest < 730 else f"{day.year}Q{(day.month + 2) // 3}"
            )
        assert found.cohorts["cohort"].tolist() == sorted(set(names))
        for row in found.cohorts.to_dict("records"):
            mine = [i for i, name in enumerate(names) if name == row["cohort"]]
            foreseen = sum(predictions["expected_orders"][i] for i in mine)
            came = sum(outcome[0][i] for i in mine)
            assert row["customers"] == len(mine)
            assert row["total_predicted_orders"] == pytest.approx(foreseen)
            assert row["total_actual_orders"] == came
            assert row["total_actual_spend"] == pytest.approx(came * 25)
            if came:
                assert row["orders_error_percent"] == pytest.approx(100 * (foreseen / came - 1))
            else:
                assert np.isnan(row["orders_error_percent"])
        begins = [0, 30, 60, 90, 120, 180, 270, 365, 540, 730]
        groups = [max(b for b in begins if b <= s) for s in (some.T - some.recency)]
        assert found.by_silence["from_days"].tolist() == sorted(set(groups))
        for row in found.by_silence.to_dict("records"):
            mine = [i for i, g in enumerate(groups) if g == row["from_days"]]
            assert row["actual_orders"] == pytest.approx(sum(outcome[0][i] for i in mine) / len(mine))
    assert evaluate(
        predictions, buyers, *outcome, horizon_days=90
    ).cohorts.empty  # which day it is, is not known


def test_how_sure_forecasts_were_becomes_metrics(
    buyers: Summary, outcome: tuple[np.ndarray, np.ndarray]
) -> None:
    n = len(buyers)
    given = {
        "expected_orders": np.ones(n),
        "expected_order_value": np.ones(n),
        "spend_low": np.zeros(n),
        "spend_high": np.full(n, 30.0),
        "p_order": np.full(n, 0.5),
    }
    u = (np.arange(n) + 0.5) / n
    pit = pit_between(u, u)
    found = evaluate(given, buyers, *outcome, horizon_days=90, spend_pit=pit, order_pit=pit).metrics()
    assert found["model_spend_coverage_80"] == np.mean(outcome[1] <= 30)
    assert found["model_spend_coverage_80_expected"] == pytest.approx(0.9)
    assert found["model_spend_pit_central_80"] == pytest.approx(0.8, abs=2 / n)
    assert found["model_orders_pit_central_80"] == pytest.approx(0.8, abs=2 / n)


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
