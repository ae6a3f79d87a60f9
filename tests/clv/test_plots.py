"""Figures show the numbers they are given, and need no window."""

import io

import numpy as np
import pytest

from lifestage.clv import bg_nbd, plots
from lifestage.clv.evaluation import Evaluation, evaluate
from lifestage.clv.model import ClvModel
from lifestage.clv.summary import Summary


@pytest.fixture(scope="module")
def result(model: ClvModel, crowd: Summary) -> Evaluation:
    buyers = crowd.take(crowd.has_purchase)
    orders = np.random.default_rng(8).poisson(0.4, len(buyers)).astype(float)
    return evaluate(model.predict(buyers, 90), buyers, orders, orders * 25, horizon_days=90)


def test_orders_by_frequency(result: Evaluation) -> None:
    axes = plots.orders_by_frequency(result).axes[0]
    drawn = {line.get_label(): line.get_ydata().tolist() for line in axes.get_lines()}
    assert drawn["actual"] == result.by_frequency["actual_orders"].tolist()
    assert drawn["model"] == result.by_frequency["predicted_orders"].tolist()
    assert [label.get_text() for label in axes.get_xticklabels()][-1] == "10+"


def test_deciles(result: Evaluation) -> None:
    axes = plots.deciles(result).axes[0]
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == result.deciles["actual_spend"].tolist() + result.deciles["predicted_spend"].tolist()


def test_probability_alive_matrix(model: ClvModel) -> None:
    figure = plots.probability_alive_matrix(model, max_frequency=5, T=100)
    drawn = figure.axes[0].images[0].get_array()
    assert drawn.shape == (100, 5)
    expected = bg_nbd.probability_alive(model.orders, np.array([3.0]), np.array([60.0]), np.array([100.0]))
    assert drawn[40, 2] == pytest.approx(expected[0])
    assert (np.diff(drawn, axis=0) < 0).all()


def test_expected_repeat_purchases(model: ClvModel) -> None:
    lines = plots.expected_repeat_purchases(model, 200.0).axes[0].get_lines()
    inside, beyond = (line.get_ydata() for line in lines)
    assert inside[0] == 0
    assert inside[-1] == pytest.approx(beyond[0])
    new = np.zeros(1)
    assert beyond[-1] == pytest.approx(bg_nbd.expected_purchases(model.orders, 300.0, new, new, new)[0])


def test_figures_are_drawn_without_a_window(result: Evaluation, model: ClvModel) -> None:
    for figure in (
        plots.orders_by_frequency(result),
        plots.deciles(result),
        plots.probability_alive_matrix(model),
        plots.expected_repeat_purchases(model),
    ):
        target = io.BytesIO()
        figure.savefig(target, format="png")
        assert target.getvalue().startswith(b"\x89PNG")
