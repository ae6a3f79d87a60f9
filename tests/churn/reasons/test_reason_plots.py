"""Importance by group and dependence plots of a fitted model."""

import numpy as np
import pytest

from lifestage.churn.reasons.plots import SAMPLED, drivers, reason_plots
from lifestage.churn.reasons.strongest import model_contributions


@pytest.fixture(scope="module")
def found(fits, simulate):
    sample, model = simulate(5_000, 9), fits[0].model
    return drivers(model, sample.features), sample, model


def test_importance_is_the_mean_absolute_contribution(found) -> None:
    got, sample, model = found
    table = got.importance()
    assert len(got.values) == SAMPLED
    assert table["share"].sum() == pytest.approx(1)
    assert table["mean_absolute"].is_monotonic_decreasing
    assert set(table["group"]) == {"x0", "x1", "x2", "x3"}
    assert set(table["group"][:2]) == {"x0", "x1"}  # what the truth is made of
    every = model_contributions(model, np.column_stack([sample.features[n] for n in model.features]))
    for _, row in table.iterrows():
        mean = sum(abs(c) for c in every[:, model.features.index(row["group"])].tolist()) / 5_000
        assert row["mean_absolute"] == pytest.approx(mean, rel=0.1)


def test_the_same_seed_draws_the_same_customers(found) -> None:
    got, sample, model = found
    again = drivers(model, sample.features)
    assert again.values.tobytes() == got.values.tobytes()
    other = drivers(model, sample.features, seed=8)
    assert other.values.tobytes() != got.values.tobytes()


def test_the_figures_show_the_strongest_and_those_without_a_value(found) -> None:
    got, _, _ = found
    figures = reason_plots(got)
    assert set(figures) == {"drivers", "dependence"}
    bars = figures["drivers"].axes[0]
    assert [t.get_text() for t in bars.get_yticklabels()] == got.importance()["label"][::-1].tolist()
    panels = [axes for axes in figures["dependence"].axes if axes.get_visible()]
    assert [axes.get_xlabel() for axes in panels] == got.importance()["strongest"].tolist()
    x3 = next(axes for axes in panels if axes.get_xlabel() == "x3")
    assert [note.get_text() for note in x3.texts] == ["none"]
    points = x3.collections[0].get_offsets()
    j = got.names.index("x3")
    at = int(np.argmax(np.isin(got.values[:, j], points[:1, 0])))
    assert points[0, 1] == got.contributed[at, j]
