"""CLV challengers against champions: each customer's orders decide, the totals may not get much worse."""

import math
from pathlib import Path

import numpy as np
import pytest

from lifestage.clv.model import ClvModel
from lifestage.errors import InputError
from lifestage.fitting import fit_clv, holdout_cutoff
from lifestage.fitting.clv import FittedClv
from lifestage.gate import About, clv_verdict, compare_clv
from lifestage.gate.clv import ClvComparison, compared, deviance
from lifestage.history_file import HistoryFile
from lifestage.settings import Gate, Shop

N = 150
Forecast = dict[str, np.ndarray]


def forecasts() -> tuple[Forecast, Forecast, Forecast]:
    rng = np.random.default_rng(4)
    rate = rng.gamma(1.0, 1.0, N)
    orders = rng.poisson(rate).astype(float)
    came = {"orders": orders, "spend": orders * rng.gamma(4, 5, N)}
    good = {"orders": rate, "spend": rate * 20}
    bad = {"orders": rate * 2 + 0.3, "spend": rate * 31}
    return good, bad, came


def plain_deviance(mu: float, y: float) -> float:
    return 2 * ((y * math.log(y / mu) if y else 0.0) - (y - mu))


def plain_quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    return ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])


def test_the_paired_intervals_are_those_of_a_plain_loop() -> None:
    good, bad, came = forecasts()
    found = compared(0, 30, good, bad, came, seed=9, repetitions=30)

    def measured(rows: list[int]) -> tuple[float, float, float]:
        own = sum(plain_deviance(float(good["orders"][i]), float(came["orders"][i])) for i in rows)
        other = sum(plain_deviance(float(bad["orders"][i]), float(came["orders"][i])) for i in rows)
        further = []
        for of in ("orders", "spend"):
            total = sum(float(came[of][i]) for i in rows)
            off = [abs(sum(float(f[of][i]) for i in rows) - total) for f in (good, bad)]
            further.append((off[0] - off[1]) / total)
        return (1 - own / other, *further)  # type: ignore[return-value]

    on_all = measured(list(range(N)))
    rng = np.random.default_rng(9)
    drawn = [measured([int(i) for i in rng.integers(0, N, N)]) for _ in range(30)]
    for place, interval in enumerate((found.gain, found.further_orders, found.further_spend)):
        values = [row[place] for row in drawn]
        expected = [on_all[place], plain_quantile(values, 0.025), plain_quantile(values, 0.975)]
        assert interval == pytest.approx(expected, rel=1e-9)


def test_the_deviance_is_least_for_the_truth_where_the_absolute_error_is_least_for_nothing() -> None:
    rng = np.random.default_rng(2)
    came = rng.poisson(0.2, 50_000).astype(float)
    scales = (0.0, 0.5, 0.9, 1.0, 1.1, 2.0)
    deviances = [deviance(np.full(len(came), came.mean() * s), came).mean() for s in scales]
    assert scales[int(np.argmin(deviances))] == 1.0
    absolute = [np.abs(came.mean() * s - came).mean() for s in scales]
    assert scales[int(np.argmin(absolute))] == 0.0


def test_a_forecast_of_none_is_not_infinitely_wrong() -> None:
    assert np.isfinite(deviance(np.zeros(2), np.array([0.0, 3.0]))).all()
    assert deviance(np.zeros(1), np.zeros(1))[0] == pytest.approx(0, abs=1e-8)


def verdict(
    own: Forecast, other: Forecast, came: Forecast, limits: Gate, **about: bool
) -> tuple[str, tuple[str, ...]]:
    found = compared(0, 30, own, other, came, seed=1, repetitions=200)
    said = clv_verdict(found, About(**about), limits)
    return said.word, said.reasons


def test_better_worse_and_equal() -> None:
    good, bad, came = forecasts()
    word, reasons = verdict(good, bad, came, Gate())
    assert word == "better"
    assert reasons[0].startswith("Better: deviance of orders ")
    word, reasons = verdict(bad, good, came, Gate())
    assert word == "kept"
    assert reasons[0].startswith("Worse: ")
    assert any(
        "orders in all than came" in reason and "surely much further off" in reason for reason in reasons[1:]
    )
    assert verdict(good, good, came, Gate())[0] == "younger"
    assert verdict(good, good, came, Gate(max_loss=0))[0] == "kept"
    assert verdict(good, good, came, Gate(), younger=False)[0] == "kept"
    assert verdict(good, good, came, Gate(), rolled_back=True)[0] == "kept"


def test_a_total_that_runs_away_keeps_a_better_ranking_out() -> None:
    good, _, came = forecasts()
    flat = {"orders": np.full(N, came["orders"].mean()), "spend": np.full(N, came["spend"].mean())}
    spendthrift = {"orders": good["orders"], "spend": good["spend"] * 3}
    word, reasons = verdict(spendthrift, flat, came, Gate())
    assert word == "kept"
    assert len(reasons) == 1
    assert "more spend in all than came" in reasons[0]
    assert verdict(spendthrift, flat, came, Gate(max_total_loss=1.0))[0] in ("better", "kept")


def test_nothing_to_compare_with_makes_way() -> None:
    found = ClvComparison(0, N, 30, {}, None, missing="it is of an earlier version")
    said = clv_verdict(found, About(), Gate())
    assert (said.word, said.promote) == ("new", True)
    assert "it is of an earlier version" in said.reasons[0]


@pytest.fixture(scope="module")
def fitted(small: tuple[Shop, HistoryFile]) -> FittedClv:
    return fit_clv(*small)


def test_models_of_a_shop(small: tuple[Shop, HistoryFile], fitted: FittedClv, tmp_path: Path) -> None:
    shop, file = small
    assert fitted.holdout_from == holdout_cutoff(shop, file)
    folder = fitted.shipped.save(tmp_path / "clv", {}, evaluated=fitted.evaluated)
    graded = ClvModel.load(folder, fit="evaluation")
    assert graded == fitted.evaluated
    assert ClvModel.load(folder) == fitted.shipped != graded
    found = compare_clv(shop, file, graded, graded)
    metrics = fitted.evaluation.metrics()  # the same holdout as training's
    for of in ("orders", "spend"):
        assert found.challenger[f"{of}_mae"] == pytest.approx(metrics[f"model_{of}_mae"], rel=1e-12)
        assert found.challenger[f"{of}_total_predicted"] == pytest.approx(
            metrics[f"model_{of}_total_predicted"]
        )
    assert found.gain == (0.0, 0.0, 0.0)


def test_a_bundle_of_an_earlier_version_keeps_no_graded_fit(fitted: FittedClv, tmp_path: Path) -> None:
    folder = fitted.shipped.save(tmp_path / "clv", {})
    assert ClvModel.load(folder) == fitted.shipped
    with pytest.raises(InputError, match="keeps no evaluation fit"):
        ClvModel.load(folder, fit="evaluation")
