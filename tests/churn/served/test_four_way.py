"""Seen and new customers at the same and a later time: the parts, and what the sentence makes of them."""

import math
from dataclasses import replace

import numpy as np
import pytest

from lifestage.churn.dataset import Sample, concatenate
from lifestage.churn.served.four_way import FOLD, FourWay, four_way
from lifestage.churn.training import Fit, fit, refit

RULE = {"seed": 7, "num_threads": 1}
ABOUT = {"horizon_days": 90, "active_within_days": 365, "definition": "given"}


def keys(n: int, begin: int = 0) -> np.ndarray:
    """Spread like hashes; one in five is held out."""
    return (np.arange(begin, begin + n).astype(np.uint64) * np.uint64(11400714819323198485)) >> np.uint64(3)


@pytest.fixture(scope="module")
def parts(simulate) -> tuple[Fit, Sample, Sample]:
    """The evaluation fit on two cutoffs, its rows, and a test sample with a third of new customers."""
    early, late = simulate(1_500, 1, cutoff=10), simulate(1_500, 2, cutoff=20)
    graded = replace(concatenate([early, late]), customer=np.concatenate([keys(1_500), keys(1_500)]))
    found = fit(early, late, **ABOUT, **RULE)
    test = replace(
        simulate(1_500, 3, cutoff=30), customer=np.concatenate([keys(1_000), keys(500, begin=5_000)])
    )
    return refit(found, graded, name="evaluation", **RULE), graded, test


def test_the_parts_hold_whom_they_say(parts: tuple[Fit, Sample, Sample]) -> None:
    evaluated, graded, test = parts
    p = evaluated.model.predict(test.features)
    found = four_way(evaluated, graded, test, p, rarer_is_churned=True)
    table = found.table().set_index(["time", "customers"])
    assert table.index.tolist() == [("same", "seen"), ("same", "new"), ("later", "seen"), ("later", "new")]
    held_out = sum(int(key) % FOLD == 0 for key in graded.customer[graded.cutoff == 20])
    assert table["n"].tolist() == [1_500, held_out, 1_000, 500]
    seen = table.loc[("later", "seen")]
    y, q = test.churned[:1_000], p[:1_000]
    pairs = [(a > b) + (a == b) / 2 for a in q[y] for b in q[~y]]
    assert seen["roc_auc"] == pytest.approx(sum(pairs) / len(pairs))
    assert seen["log_loss"] == pytest.approx(-np.mean(np.log(np.where(y, q, 1 - q))))
    assert seen["base_rate"] == pytest.approx(y.mean())
    assert found.metrics()["four_way/later_seen/n"] == 1_000
    en, zh = found.sentence()
    assert "customers kept out of training" in en.lower()
    assert "about as well as seen ones of the same day" in en
    assert "训练之后新增的客户" in zh


def test_the_diagnostic_fit_never_sees_the_held_out(parts: tuple[Fit, Sample, Sample]) -> None:
    """Outcomes of held-out customers turned round change their figures, but not one of their probabilities."""
    evaluated, graded, test = parts
    p = evaluated.model.predict(test.features)
    out = graded.customer % np.uint64(FOLD) == 0
    turned = replace(graded, churned=np.where(out, ~graded.churned, graded.churned))
    before, after = (
        four_way(evaluated, sample, test, p, rarer_is_churned=True).part("same", "new")
        for sample in (graded, turned)
    )
    assert after.roc_auc.value == pytest.approx(1 - before.roc_auc.value, rel=1e-9)


def test_learning_by_heart_shows() -> None:
    """Each customer has an outcome of their own at every cutoff, known by a number that says nothing else."""
    rng = np.random.default_rng(4)
    n = 1_200

    def at(cutoff: int, fate: np.ndarray, number: np.ndarray, key: np.ndarray) -> Sample:
        return Sample(
            {"number": number, "noise": rng.normal(size=len(fate))},
            fate,
            np.full(len(fate), cutoff, np.int64),
            key,
        )

    fate, number = rng.random(n) < 0.5, rng.uniform(size=n)
    graded = concatenate([at(c, fate, number, keys(n)) for c in (10, 20)])
    other = at(15, fate, number, keys(n))
    deep = {
        "num_leaves": 200,
        "min_data_in_leaf": 1,
        "min_sum_hessian_in_leaf": 1e-3,
        "lambda_l2": 0.0,
        "max_bin": 5_000,
    }
    found = fit(graded, other, settings=deep, max_trees=60, **ABOUT, **RULE)
    evaluated = refit(found, graded, name="evaluation", **RULE)
    test = concatenate(
        [
            at(30, fate, number, keys(n)),
            at(30, rng.random(400) < 0.5, rng.uniform(size=400), keys(400, begin=9_000)),
        ]
    )
    made = four_way(evaluated, graded, test, evaluated.model.predict(test.features), rarer_is_churned=True)
    assert made.part("same", "seen").roc_auc.value > 0.9
    assert made.part("same", "new").roc_auc.value < 0.6
    assert made.part("later", "seen").roc_auc.value > 0.7
    assert made.part("later", "new").roc_auc.value < 0.6
    assert "kept out of training are ranked worse than those trained on" in made.sentence()[0]
    assert "customers new since training are ranked worse than" in made.sentence()[0]
    assert "差于同期参与训练的客户" in made.sentence()[1]


def test_a_large_shop_is_drawn_from_by_whole_customers(
    parts: tuple[Fit, Sample, Sample], monkeypatch
) -> None:
    evaluated, graded, test = parts
    taken = []

    def spy(found: Fit, sample: Sample, **rest: object) -> Fit:
        taken.append(sample)
        return refit(found, sample, **rest)

    monkeypatch.setattr("lifestage.churn.served.four_way.refit", spy)
    four_way(
        evaluated, graded, test, evaluated.model.predict(test.features), rarer_is_churned=True, max_rows=800
    )
    (sample,) = taken
    assert 650 < len(sample) < 950
    keys_drawn, rows = np.unique(sample.customer, return_counts=True)
    assert (rows == 2).all()
    assert not (keys_drawn % np.uint64(FOLD) == 0).any()


def test_of_a_random_split_nothing_is_later(parts: tuple[Fit, Sample, Sample]) -> None:
    evaluated, graded, test = parts
    p = evaluated.model.predict(test.features)
    found = four_way(evaluated, graded, test, p, rarer_is_churned=True, out_of_time=False)
    assert [part.customers for part in found.parts] == [1_500, 1_500, 0, 0]
    assert math.isnan(found.part("later", "seen").roc_auc.value)
    assert "new since training" not in found.sentence()[0]


def test_too_few_to_tell(parts: tuple[Fit, Sample, Sample]) -> None:
    evaluated, graded, test = parts
    p = evaluated.model.predict(test.features)
    few = test.take(np.arange(1_500) < 50)
    found = four_way(evaluated, replace(graded, customer=None), few, p[:50], rarer_is_churned=True)
    assert found.part("same", "new").customers == 0
    assert found.sentence()[0] == "There are too few customers to tell."
    assert isinstance(found, FourWay)
