"""The grade: the model and the plain rules in the same figures."""

import math

import numpy as np
import pytest

from lifestage.churn import plots
from lifestage.churn.evaluation import Evaluation, evaluate
from lifestage.churn.training import Fit
from lifestage.errors import InputError

N = 1_500
DAYS, BTYD = "days_since_last_order", "bg_nbd_expected_orders"


def world(seed: int) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    """True probability, the rules' values (both noisy views of it), outcome."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(1, 1.2, N)
    days = np.exp(3 + 0.5 * logit + rng.normal(0, 0.5, N))
    orders = np.exp(-0.8 * logit + rng.normal(0, 0.4, N))
    p = 1 / (1 + np.exp(-logit))
    return p, {DAYS: days, BTYD: orders}, rng.random(N) < p


@pytest.fixture(scope="module")
def graded() -> Evaluation:
    p, rules, churned = world(1)
    _, earlier, churned_earlier = world(2)
    return evaluate(p, rules, earlier, churned, churned_earlier, training_base_rate=0.66, repetitions=100)


def test_each_method_has_every_figure(graded: Evaluation) -> None:
    table = graded.table()
    assert table["method"].tolist() == ["model", DAYS, BTYD]
    assert table.drop(columns=[c for c in table if "lead" in str(c)]).notna().all(axis=None)
    model, days = (table.iloc[i] for i in (0, 1))
    assert model["roc_auc"] > days["roc_auc"] > 0.6
    assert model["log_loss"] < days["log_loss"]
    assert days["model_lead"] == pytest.approx(model["roc_auc"] - days["roc_auc"])
    assert days["model_lead_low"] < days["model_lead"] < days["model_lead_high"]
    assert math.isnan(model["model_lead"])


def test_figures_equal_loops(graded: Evaluation) -> None:
    churned = graded.churned
    for method in (DAYS, BTYD):
        score, p = graded.scores[method], graded.probabilities[method]
        figures = graded.figures[method]
        pairs = [(a > b) + (a == b) / 2 for a in score[churned] for b in score[~churned]]
        assert figures["roc_auc"] == pytest.approx(sum(pairs) / len(pairs), rel=1e-12)
        brier = sum((q - y) ** 2 for q, y in zip(p, churned, strict=True)) / N
        assert figures["brier"] == pytest.approx(brier, rel=1e-12)
        loss = -sum(math.log(q if y else 1 - q) for q, y in zip(p, churned, strict=True)) / N
        assert figures["log_loss"] == pytest.approx(loss, rel=1e-9)
        for name, s, y in (("pr_auc", score, churned), ("pr_auc_rarer", -score, ~churned)):
            hits = y[np.argsort(-s)]
            precision = [hits[: i + 1].sum() / (i + 1) for i in range(N) if hits[i]]
            assert figures[name] == pytest.approx(sum(precision) / y.sum(), rel=1e-9)


def test_a_rule_gets_true_probabilities_out_of_time(graded: Evaluation) -> None:
    for method in (DAYS, BTYD):
        assert graded.probabilities[method].mean() == pytest.approx(graded.base_rate, abs=0.03)
        assert graded.figures[method]["ece"] < 0.08
        ranks = [np.argsort(np.argsort(x)) for x in (graded.scores[method], graded.probabilities[method])]
        assert (ranks[0] == ranks[1]).all()


def test_flat_metrics_for_a_tracker(graded: Evaluation) -> None:
    flat = graded.metrics()
    assert flat["n"] == N
    assert flat["roc_auc"] == graded.figures["model"]["roc_auc"]
    assert flat[f"{DAYS}/lift_top_decile"] == graded.figures[DAYS]["lift_top_decile"]
    assert flat[f"lead_over/{DAYS}/roc_auc_low"] == graded.differences[DAYS]["roc_auc"].low
    assert all(isinstance(value, float) and math.isfinite(value) for value in flat.values())


def test_the_rarer_class_is_that_of_training(graded: Evaluation) -> None:
    assert graded.rarer == "stayed"
    p, rules, churned = world(1)
    other = evaluate(p, rules, rules, churned, churned, training_base_rate=0.2, repetitions=5)
    assert other.rarer == "churned"
    assert other.figures["model"]["pr_auc_rarer"] == other.figures["model"]["pr_auc"]


def test_a_rule_may_be_absent() -> None:
    p, rules, churned = world(1)
    made = evaluate(p, {**rules, BTYD: None}, {**rules, BTYD: None}, churned, churned, repetitions=5)
    assert list(made.figures) == ["model", DAYS]
    alone = evaluate(p, {}, {}, churned, churned, repetitions=50)
    assert list(alone.figures) == ["model", "base_rate"]
    assert alone.figures["base_rate"]["roc_auc"] == 0.5
    assert alone.figures["base_rate"]["pr_auc"] == pytest.approx(churned.mean())
    assert alone.grade == "A"


def test_bad_input_is_named() -> None:
    p, rules, churned = world(1)
    with pytest.raises(InputError, match="churn test: all 1500 customers churned"):
        evaluate(p, rules, rules, np.ones(N, bool), churned)
    bad = p.copy()
    bad[7] = np.nan
    with pytest.raises(InputError, match="probability of test row 7 is nan, expected 0 to 1"):
        evaluate(bad, rules, rules, churned, churned)
    with pytest.raises(InputError, match="unknown rule 'shoe_size'; known are: days_since"):
        evaluate(p, {"shoe_size": p}, {"shoe_size": p}, churned, churned)
    with pytest.raises(InputError, match=rf"rule '{DAYS}' has test values but none for validation"):
        evaluate(p, rules, {}, churned, churned)
    with pytest.raises(InputError, match=rf"rule '{DAYS}' is nan in test row 7"):
        evaluate(p, {DAYS: bad}, rules, churned, churned)
    with pytest.raises(InputError, match=rf"rule '{DAYS}' has 3 test values for 1500"):
        evaluate(p, {DAYS: p[:3]}, rules, churned, churned)
    with pytest.raises(InputError, match="3 values of churn probability for 1500"):
        evaluate(p[:3], rules, rules, churned, churned)


def test_plots_carry_titles_labels_and_legends(graded: Evaluation, fits: tuple[Fit, Fit]) -> None:
    made = plots.all_plots(graded, fits[0])
    assert set(made) == {"reliability", "gain", "lift", "roc", "importance"}
    for name, figure in made.items():
        (axes,) = figure.axes
        assert axes.get_title(loc="left")
        assert axes.get_xlabel()
        if name != "importance":
            legend = axes.get_legend() or figure.legends[0]
            assert legend is not None
            assert any("churn model" in text.get_text() for text in legend.get_texts())
        figure.canvas.draw()


def test_the_best_baseline_is_best_in_the_measure_of_the_grade() -> None:
    """One rule ranks better as a whole, the other finds the rarer class at the top better."""
    p, rules, churned = world(1)
    by: dict[str, str] = {}
    for measure in ("average_precision", "roc_auc"):
        made = evaluate(p, rules, rules, churned, churned, measure=measure, repetitions=5)  # type: ignore[arg-type]
        column = {"average_precision": "pr_auc_rarer", "roc_auc": "roc_auc"}[measure]
        by[measure] = made.best_baseline
        assert made.figures[made.best_baseline][column] == max(
            made.figures[m][column] for m in made.figures if m != "model"
        )
        assert made.metrics()["grade_by_roc_auc"] == float(measure == "roc_auc")
    assert set(by) == {"average_precision", "roc_auc"}
