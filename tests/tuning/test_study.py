"""The study: defaults first, resumed as if never stopped, pruned where behind, bad files refused."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from lifestage.boosting import Boosting
from lifestage.churn.monotone import monotone_settings
from lifestage.churn.training import Watch, settings_for
from lifestage.errors import InputError
from lifestage.history_file import HistoryFile
from lifestage.settings import Shop
from lifestage.tuning.material import GROUPS, Material
from lifestage.tuning.study import (
    complete,
    defaults,
    evaluator,
    finished,
    losses_of,
    open_study,
    search,
    section_of,
    study_name,
)

ROWS = 20_000


def bowl(index: int, section: Mapping[str, Any], watch: Watch) -> tuple[np.ndarray, int]:
    """A smooth loss with its least at 40 leaves and a feature share of 0.9."""
    settings = section["settings"]
    loss = (
        0.4
        + 0.01 * np.log2(settings["num_leaves"] / 40) ** 2
        + (settings["feature_fraction"] - 0.9) ** 2 / 10
    )
    watch(0, 0.7)
    for trees in range(1, 26):
        watch(trees, loss + (0.7 - loss) * np.exp(-trees * settings["learning_rate"]))
    return np.full(GROUPS, (loss + index / 100) / GROUPS), 25


def run(path: Path, trials: int, evaluate: Any = bowl, seed: int = 7, **options: Any) -> list[FrozenTrial]:
    rule = {"parts": 2, "rows": ROWS, "monotone": True, "seed": seed, **options}
    return list(search(open_study(path, "shop-1"), evaluate, trials=trials, **rule))


def told(trials: list[FrozenTrial]) -> list[Any]:
    return [(t.params, t.value, t.state, t.intermediate_values) for t in trials]


def test_two_and_two_trials_are_four_and_the_first_are_the_defaults(tmp_path: Path) -> None:
    parts = run(tmp_path / "a.db", 2) + run(tmp_path / "a.db", 2)
    assert told(parts) == told(run(tmp_path / "b.db", 4))
    assert len(finished(open_study(tmp_path / "a.db", "shop-1"))) == 4
    assert not open_study(tmp_path / "a.db", "shop-2").trials  # other data: nothing is mixed
    assert parts[0].params == {**defaults(ROWS), "monotone": False}
    assert told(run(tmp_path / "c.db", 4, seed=8))[1:] != told(parts)[1:]


def test_the_sampler_learns_across_runs(tmp_path: Path) -> None:
    """Beyond the random trials too a stopped search goes on as one that was not; and it finds the bowl's bottom."""
    for trials in (11, 2):
        run(tmp_path / "a.db", trials)
    study = open_study(tmp_path / "a.db", "shop-1")
    assert told(finished(study)) == told(run(tmp_path / "b.db", 13))
    assert study.best_value < complete(study)[0].value
    assert losses_of(complete(study)).shape == (len(complete(study)), 2, GROUPS)


def test_defaults_are_those_of_training(tmp_path: Path) -> None:
    (trial,) = run(tmp_path / "a.db", 1)
    section = section_of(trial, ROWS)
    given = Boosting(**section["settings"]).parameters()
    assert section["monotone"] is False
    assert given.pop("bagging_fraction") == 1
    assert given == {name: settings_for(ROWS, 7)[name] for name in given}
    assert {"min_data_in_leaf", "min_sum_hessian_in_leaf", "learning_rate"} <= set(given)
    for rows in (60, 4_000, 140_000, 2_000_000):
        study = optuna.create_study()
        list(search(study, bowl, parts=1, rows=rows, monotone=False, seed=1, trials=1))
        assert study.trials[0].params == defaults(rows)  # inside the space for any size


def test_trials_far_behind_are_pruned_whatever_their_learning_rate(tmp_path: Path) -> None:
    grown: list[int] = []

    def behind_from(first: int) -> Any:
        def evaluate(index: int, section: Mapping[str, Any], watch: Watch) -> tuple[np.ndarray, int]:
            rate = section["settings"]["learning_rate"]
            quality = 0.2 if len(grown) >= first * 2 else 1 + len(grown) / 20
            grown.append(0)
            watch(0, 0.7)
            for trees in range(1, int(8 / rate)):
                grown[-1] = trees
                watch(trees, 0.7 - 0.2 * quality * (1 - np.exp(-trees * rate)))
            return np.full(GROUPS, 0.5 / GROUPS), index

        return evaluate

    good = run(tmp_path / "a.db", 6, behind_from(6))
    assert {t.state for t in good} == {
        TrialState.COMPLETE
    }  # each a little better at the same sum, by slow and by fast learners
    bad = run(tmp_path / "a.db", 2, behind_from(0))
    assert {t.state for t in bad} == {TrialState.PRUNED}
    assert all(t.intermediate_values for t in bad)
    for trial, trees in zip(bad, grown[-2:], strict=True):
        assert trees * trial.params["learning_rate"] < 4  # of 8: half of the first fit was saved


def test_a_stopped_trial_is_run_again(tmp_path: Path) -> None:
    calls = 0

    def stops(index: int, section: Mapping[str, Any], watch: Watch) -> tuple[np.ndarray, int]:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return bowl(index, section, watch)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "a.db", 4, stops)
    study = open_study(tmp_path / "a.db", "shop-1")
    assert [t.state for t in study.trials] == [TrialState.COMPLETE, TrialState.FAIL]
    study.ask()  # as a killed process leaves it
    run(tmp_path / "a.db", 3)
    study = open_study(tmp_path / "a.db", "shop-1")
    assert told(finished(study)) == told(run(tmp_path / "b.db", 4))
    assert [t.state for t in study.trials].count(TrialState.RUNNING) == 0


def test_defaults_come_first_after_a_stop_in_the_first_trial(tmp_path: Path) -> None:
    def stops(*_: Any) -> tuple[np.ndarray, int]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "a.db", 1, stops)
    (trial,) = run(tmp_path / "a.db", 1)
    assert trial.params == {**defaults(ROWS), "monotone": False}


def test_no_trial_begins_after_the_time(tmp_path: Path) -> None:
    assert len(run(tmp_path / "a.db", 5, go_on=lambda: False)) == 1


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tuning.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(InputError, match=r"tuning.db: is damaged or no file of ours \(.*\); move it away"):
        open_study(path, "shop-1")
    path.unlink()
    run(path, 1)
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 4] = bytes(4096 * 3)
    path.write_bytes(content)
    with pytest.raises(InputError, match="is damaged or no file of ours"):
        open_study(path, "shop-1")
    path.unlink()
    run(path, 1)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE alembic_version SET version_num = 'v0'")
    with pytest.raises(InputError, match="is damaged or no file of ours"):
        open_study(path, "shop-1")


def test_other_data_or_settings_are_another_study(small: tuple[Shop, HistoryFile]) -> None:
    shop, file = small

    def name(**churn: Any) -> str:
        return study_name(shop.model_copy(update={"churn": shop.churn.model_copy(update=churn)}), file)

    assert name() == name() == name(settings=Boosting(num_leaves=4), monotone=True, grade_measure="roc_auc")
    other = HistoryFile(file.path)
    other.__dict__["facts"] = {**file.facts, "fingerprint": "0" * 64}
    names = {name(), name(seed=8), name(horizon_days=31), name(max_rows=2_000), study_name(shop, other)}
    assert len(names) == 5


def test_same_seed_same_trials_on_real_fits(small: tuple[Shop, HistoryFile], tmp_path: Path) -> None:
    from lifestage.tuning.material import draw

    shop, file = small
    material: Material = draw(shop, file)
    assert monotone_settings(material.names)
    found = [run(tmp_path / f"{i}.db", 2, evaluator(shop, material), rows=material.rows) for i in range(2)]
    assert told(found[0]) == told(found[1])
    assert found[0][0].value == pytest.approx(sum(map(sum, found[0][0].user_attrs["losses"])) / 2)
