"""Challenger against champion on one shop's newest complete cutoff, by the models' own features."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from lifestage.churn.calibration import Calibrator
from lifestage.churn.model import ChurnModel, Trees
from lifestage.errors import InputError
from lifestage.features import FeatureSpec
from lifestage.fitting import Parts
from lifestage.gate import About, Verdict, churn_verdict, compare_churn, material
from lifestage.history_file import HistoryFile
from lifestage.settings import Gate, Shop

Small = tuple[Shop, HistoryFile]
Make = Callable[..., ChurnModel]
B = 1.0


def judged(
    small: Small, challenger: ChurnModel, champion: ChurnModel, limits: Gate, **about: object
) -> Verdict:
    shop, file = small
    ticks = count()  # every look at the clock is one second later: both take equally long
    found = compare_churn(shop, file, challenger, champion, clock=lambda: float(next(ticks)))
    known = {"challenger_grade": B, "champion_grade": B, **about}
    return churn_verdict(found, About(**known), limits)  # type: ignore[arg-type]


def test_the_tested_customers_are_those_of_training(small: Small, parts: Parts, good: ChurnModel) -> None:
    shop, file = small
    found = material.tested(shop, file, good, good)
    np.testing.assert_array_equal(found.churned, parts.test.churned)
    assert found.champion is not None
    for name, values in parts.test.features.items():
        np.testing.assert_array_equal(found.challenger[name], values)
        np.testing.assert_array_equal(found.champion[name], values)


def test_shuffled_labels_are_kept_out(small: Small, make: Make, good: ChurnModel) -> None:
    said = judged(small, make(shuffled=True), good, Gate())
    assert (said.word, said.promote) == ("kept", False)
    assert said.reasons[0].startswith("Worse: average precision of the rarer outcome")
    assert said.figures["gain_high"] < 0
    assert said.figures["challenger_roc_auc"] < 0.7 < said.figures["champion_roc_auc"]


def test_a_better_one_comes_in(small: Small, make: Make, good: ChurnModel) -> None:
    blind = make(shuffled=True)
    said = judged(small, good, blind, Gate())
    assert (said.word, said.promote) == ("better", True)
    assert said.figures["gain_low"] > 0
    assert judged(small, blind, good, Gate()).word == "kept"


def test_an_equal_one_comes_in_where_it_is_younger_and_the_settings_let_it(
    small: Small, good: ChurnModel
) -> None:
    assert judged(small, good, good, Gate()).word == "younger"
    strict = judged(small, good, good, Gate(max_loss=0))
    assert (strict.word, strict.reasons[0][:20]) == ("kept", "Not surely better: a")
    old = judged(small, good, good, Gate(), younger=False)
    assert old.word == "kept"
    assert "seen no newer data than the champion" in old.reasons[0]


def test_one_that_was_taken_back_must_be_better(small: Small, make: Make, good: ChurnModel) -> None:
    again = judged(small, good, good, Gate(), rolled_back=True)
    assert again.word == "kept"
    assert "was taken back, so it must be surely better" in again.reasons[0]
    blind = make(shuffled=True)
    assert judged(small, good, blind, Gate(), rolled_back=True).word == "better"


def test_a_champion_that_has_seen_the_outcome_is_told_and_only_a_better_one_replaces_it(
    small: Small, good: ChurnModel
) -> None:
    said = judged(small, good, good, Gate(), champion_saw="It is so young.")
    assert said.word == "kept"
    assert said.reasons[-1] == "It is so young."


def test_a_broken_calibration_is_kept_out(small: Small, make: Make, good: ChurnModel) -> None:
    blind = make(shuffled=True)
    fit = good.fits["evaluation"]
    broken = rebuilt(
        good, replace(fit, calibrator=Calibrator("platt", fit.calibrator.a, fit.calibrator.b, 3.0))
    )
    said = judged(small, broken, blind, Gate())
    assert said.word == "kept"
    assert said.figures["gain_low"] > 0  # its order is the same and better
    assert [r for r in said.reasons if r.startswith("Its calibration error is")]


def rebuilt(model: ChurnModel, fit: Trees, spec: FeatureSpec | None = None) -> ChurnModel:
    return ChurnModel(
        {"evaluation": fit},
        "evaluation",
        features=model.features,
        horizon_days=model.horizon_days,
        active_within_days=model.active_within_days,
        spec=spec or model.spec,
    )


def test_a_champion_with_features_of_its_own_reads_them(small: Small, make: Make, good: ChurnModel) -> None:
    shop, file = small
    few = make(keep=lambda name: name.startswith("orders_"))
    found = material.tested(shop, file, good, few)
    assert found.champion is not None
    assert tuple(found.champion) == few.features
    assert set(good.features) - set(few.features)


def test_a_champion_that_cannot_be_fed_any_more_makes_way(small: Small, make: Make, good: ChurnModel) -> None:
    feeds_on_visits = FeatureSpec(behaviour=True, event_types=("view",))
    stale = ChurnModel(
        {"evaluation": Trees("", Calibrator("platt", 1, 1, 0))},
        "evaluation",
        features=("something_else",),
        horizon_days=good.horizon_days,
        active_within_days=good.active_within_days,
        spec=feeds_on_visits,
    )
    said = judged(small, good, stale, Gate())
    older = make(
        keep=lambda name: name != "orders_7d"
    )  # trained before there was such a feature: cannot serve
    assert judged(small, good, older, Gate()).word == "new"
    assert (said.word, said.promote) == ("new", True)
    assert "cannot score today's customers: something_else" in said.reasons[0]
    with pytest.raises(InputError, match="challenger reads the feature 'something_else'"):
        material.tested(*small, stale, good)
