"""Figures show the numbers they are given, and need no window."""

import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats

from lifestage.clv import bg_nbd, mbg_nbd, plots
from lifestage.clv.baselines import Forecast
from lifestage.clv.daily import Daily
from lifestage.clv.evaluation import Evaluation, evaluate
from lifestage.clv.model import ClvModel
from lifestage.clv.pareto_nbd import Params as ParetoParams
from lifestage.clv.pit import order_pit, spend_pit
from lifestage.clv.summary import Summary
from lifestage.clv.weekly import weekly_orders
from lifestage.errors import InputError

CUTOFF = 19_800


@pytest.fixture(scope="module")
def buyers(crowd: Summary) -> Summary:
    return replace(crowd.take(crowd.has_purchase), cutoff_day=float(CUTOFF))


@pytest.fixture(scope="module")
def result(model: ClvModel, buyers: Summary) -> Evaluation:
    rng = np.random.default_rng(8)
    orders = rng.poisson(0.4, len(buyers)).astype(float)
    days = Daily(CUTOFF - 500, np.zeros(590), rng.poisson(9.0, 590).astype(float))
    return evaluate(
        model.predict(buyers, 90),
        buyers,
        orders,
        orders * 25,
        horizon_days=90,
        others={"last_year": Forecast(orders * 2, orders * 50), "lifetimes": Forecast(note="it fails")},
        order_pit=order_pit(model, buyers, orders, 90),
        spend_pit=spend_pit(model, buyers, orders * 25, 90),
        weekly=weekly_orders(model, buyers, days, 90),
    )


def lines(figure: Figure) -> dict[str, list[float]]:
    return {line.get_label(): np.asarray(line.get_ydata()).tolist() for line in figure.axes[0].get_lines()}


def test_orders_by_frequency(result: Evaluation) -> None:
    figure = plots.orders_by_frequency(result)
    drawn, table = lines(figure), result.by_frequency
    assert drawn["actual"] == table["actual_orders"].tolist()
    assert drawn["model"] == table["predicted_orders"].tolist()
    assert drawn["own past rate"] == table["naive_orders"].tolist()
    assert drawn["same days last year"] == table["last_year_orders"].tolist()
    assert "plain lifetimes" not in drawn
    assert [label.get_text().split("\n")[0] for label in figure.axes[0].get_xticklabels()][-1] == "10+"


def test_orders_by_silence(result: Evaluation) -> None:
    figure, table = plots.orders_by_silence(result), result.by_silence
    assert lines(figure)["model"] == table["predicted_orders"].tolist()
    ticks = [f"{d}+\n{n:,}" for d, n in zip(table["from_days"], table["customers"], strict=True)]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ticks


def test_deciles(result: Evaluation) -> None:
    axes = plots.deciles(result).axes[0]
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == result.deciles["actual_spend"].tolist() + result.deciles["predicted_spend"].tolist()


def test_forecasts(result: Evaluation) -> None:
    figure = plots.forecasts(result)
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    expected = [result.errors[f"{n}_orders"]["total_error_percent"] for n in ("last_year", "naive", "model")]
    assert widths == expected
    assert figure.get_supxlabel() == "not to be had here: plain lifetimes"


def test_cohort_table(result: Evaluation) -> None:
    cells = plots.cohort_table(result).axes[0].tables[0].get_celld()
    table = result.cohorts
    assert len(cells) == (len(table) + 1) * 8
    assert cells[1, 0].get_text().get_text() == table["cohort"].iloc[0]
    assert cells[2, 2].get_text().get_text() == f"{table['total_predicted_orders'].iloc[1]:,.0f}"
    assert cells[2, 4].get_text().get_text() == f"{round(table['orders_error_percent'].iloc[1]):+d} %"
    with pytest.raises(InputError, match="lacks cutoff_day"):
        plots.cohort_table(replace(result, cohorts=result.cohorts.iloc[:0]))


def test_pit_histogram(result: Evaluation) -> None:
    assert result.order_pit is not None
    axes = plots.pit_histogram(result.order_pit).axes[0]
    assert [bar.get_height() for bar in axes.patches] == (100 * result.order_pit.bins).tolist()
    assert f"holds {100 * result.order_pit.central:.1f} %" in axes.get_title()


def test_tracking(result: Evaluation) -> None:
    weekly = result.weekly
    assert weekly is not None
    drawn = lines(plots.cumulative_tracking(weekly))
    assert drawn["actual"] == weekly["actual_to_date"].tolist()
    after = weekly.loc[weekly["after_cutoff"], "forecast_to_date"].tolist()
    assert drawn["forecast at the cutoff, given each history"] == after
    whole = weekly[weekly["days"] == 7]
    assert len(whole) < len(weekly)
    figure = plots.incremental_tracking(weekly)
    assert lines(figure)["actual"] == whole["actual"].tolist()
    cutoff = next(line for line in figure.axes[0].get_lines() if line.get_label() == "cutoff")
    assert cutoff.get_xdata()[0] == np.datetime64(CUTOFF, "D")


def test_probability_alive_matrix(model: ClvModel) -> None:
    figure = plots.probability_alive_matrix(model, max_frequency=5, T=100)
    drawn = figure.axes[0].images[0].get_array()
    assert drawn.shape == (100, 5)
    expected = bg_nbd.probability_alive(model.orders, np.array([3.0]), np.array([60.0]), np.array([100.0]))
    assert drawn[40, 2] == pytest.approx(expected[0])
    assert (np.diff(drawn, axis=0) < 0).all()


def test_expected_orders_matrix(model: ClvModel) -> None:
    drawn = plots.expected_orders_matrix(model, max_frequency=5, T=100).axes[0].images[0].get_array()
    history = np.array([3.0]), np.array([60.0]), np.array([100.0])
    assert drawn[40, 2] == pytest.approx(bg_nbd.expected_purchases(model.orders, 365.0, *history)[0])


def test_expected_repeat_purchases(model: ClvModel) -> None:
    inside, beyond = (
        line.get_ydata() for line in plots.expected_repeat_purchases(model, 200.0).axes[0].get_lines()
    )
    assert inside[0] == 0
    assert inside[-1] == pytest.approx(beyond[0])
    new = np.zeros(1)
    assert beyond[-1] == pytest.approx(bg_nbd.expected_purchases(model.orders, 300.0, new, new, new)[0])
    # of an MBG/NBD some new customers leave at once
    figure = plots.expected_repeat_purchases(replace(model, order_model="mbg_nbd"), 200.0)
    expected = mbg_nbd.expected_purchases(model.orders, 200.0, new, new, new)[0]
    assert figure.axes[0].get_lines()[0].get_ydata()[-1] == pytest.approx(expected)


def test_period_transactions(model: ClvModel, buyers: Summary) -> None:
    bars = plots.period_transactions(model, buyers, 5).axes[0].patches
    seen = [bar.get_height() for bar in bars[:6]]
    assert seen == [*((buyers.frequency == n).sum() for n in range(5)), (buyers.frequency >= 5).sum()]
    assert sum(bar.get_height() for bar in bars[6:]) == pytest.approx(len(buyers))


def test_heterogeneity(model: ClvModel) -> None:
    def curve(figure: Figure) -> tuple[np.ndarray, np.ndarray, list[str]]:
        density, *marks = figure.axes[0].get_lines()
        return density.get_xdata(), density.get_ydata(), [mark.get_label() for mark in marks]

    r, alpha, a, b = model.orders
    x, y, said = curve(plots.order_rate_heterogeneity(model))
    np.testing.assert_allclose(y, stats.gamma.pdf(x, r, scale=365.25 / alpha))
    assert said[0] == f"mean {r / alpha * 365.25:.3g} a year"
    x, y, said = curve(plots.dropout_heterogeneity(model))
    np.testing.assert_allclose(y, stats.beta.pdf(x, a, b))
    assert said[0] == f"mean {a / (a + b):.3g}"
    pareto = replace(model, order_model="pareto_nbd", orders=ParetoParams(0.55, 74.0, 0.6, 82.0))
    x, y, said = curve(plots.dropout_heterogeneity(pareto))
    np.testing.assert_allclose(y, stats.gamma.pdf(x, 0.6, scale=365.25 / 82.0))
    assert said[0] == f"mean {0.6 / 82 * 365.25:.3g} a year"
    _, _, said = curve(plots.dropout_heterogeneity(replace(model, orders=model.orders._replace(a=0.01))))
    assert said[1] == "half of the customers are below 0.0001"  # and not 2e-19


def test_value_concentration() -> None:
    values = np.array([70.0, 10, 5, 5, 5, 1, 1, 1, 1, 1, np.nan])
    axes = plots.value_concentration(values).axes[0]
    said = [text.get_text() for text in axes.texts][::-1]
    assert said == ["best 1 % hold 7 %", "best 5 % hold 35 %", "best 10 % hold 70 %", "best 20 % hold 80 %"]
    crowded = plots.value_concentration(np.array([100.0, *[0.1] * 99])).axes[0].texts
    assert (np.diff([text.get_position()[1] for text in crowded]) <= -6).all()


def test_one_customer(model: ClvModel) -> None:
    days = [CUTOFF - 200, CUTOFF - 150, CUTOFF - 20, CUTOFF + 15]
    figure = plots.alive_history(model, days, CUTOFF, "Ann")
    drawn = lines(figure)
    now = replace(Summary.of([2], [180], [200]), cutoff_day=float(CUTOFF))
    expected = {name: values[0] for name, values in model.predict(now).items()}
    assert len(drawn["P(alive)"]) == 201
    assert drawn["P(alive)"][-1] == pytest.approx(expected["p_alive"])
    assert drawn["P(alive) ahead"][0] == pytest.approx(expected["p_alive"])
    diamond = next(line for line in figure.axes[0].get_lines() if line.get_marker() == "D")
    assert diamond.get_ydata() == [expected["p_order"]]
    wait = (diamond.get_xdata()[0] - np.datetime64(CUTOFF, "D")) / np.timedelta64(1, "s") / 86_400
    assert wait == pytest.approx(expected["next_order_days"], abs=1e-5)
    assert figure.axes[0].get_title() == "P(alive) of Ann"


def test_all_pictures_are_drawn_without_a_window(
    result: Evaluation, model: ClvModel, buyers: Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = plots.pictures(result, model, buyers)
    assert len(found) == 16
    bare = replace(result, cohorts=result.cohorts.iloc[:0], order_pit=None, spend=None, weekly=None)
    monkeypatch.setattr(plots, "MOST", 500)
    less = plots.pictures(bare, model, buyers)
    assert set(found) - set(less) == {
        "cohorts",
        "pit_orders",
        "pit_spend",
        "cumulative_tracking",
        "incremental_tracking",
    }
    found["customer"] = plots.alive_history(model, [CUTOFF - 9], CUTOFF)
    for figure in found.values():
        target = io.BytesIO()
        figure.savefig(target, format="png", dpi=30)
        assert target.getvalue().startswith(b"\x89PNG")
