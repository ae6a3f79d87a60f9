"""Trials see training and validation rows only; their value is what an independent computation gives."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lifestage.churn import training
from lifestage.errors import InputError
from lifestage.fitting import draw_samples, folds_of, parts_of
from lifestage.history_file import HistoryFile
from lifestage.settings import Shop, parse
from lifestage.tuning.material import GROUPS, Material, draw, fitted_losses, tuning_folds
from training.prepare import history

Made = tuple[Shop, HistoryFile]
DAY = 86_400_000_000


@pytest.fixture(scope="module")
def material(small: Made) -> Material:
    return draw(*small)


def test_each_validation_is_out_of_time_and_before_the_test(small: Made, material: Material) -> None:
    shop, file = small
    test, horizon = folds_of(shop, file).test, shop.churn.horizon_days * DAY
    assert [part.cutoff for part in material.parts] == [test - horizon * k for k in (1, 2, 3)]
    for part in material.parts:
        assert part.cutoff + horizon <= test
        assert part.train.cutoff.max() + horizon <= part.cutoff
        assert set(part.validation.cutoff.tolist()) == {part.cutoff}
    newest = material.parts[0]
    assert sorted(set(newest.train.cutoff.tolist())) == list(folds_of(shop, file).train)
    assert material.rows == len(newest.train)


def same_rows(one: Material, other: Material) -> bool:
    return len(one.parts) == len(other.parts) and all(
        np.array_equal(x.churned, y.churned)
        and all(x.features[name].tobytes() == y.features[name].tobytes() for name in x.names)
        for a, b in zip(one.parts, other.parts, strict=True)
        for x, y in ((a.train, b.train), (a.validation, b.validation))
    )


def test_rows_from_the_test_cutoff_on_change_no_trial(
    small: Made, material: Material, orders: pd.DataFrame, make_shop: Callable[..., Made], tmp_path: Path
) -> None:
    """Amounts, times and the number of later orders change, and so do the graded labels, but no trial does."""
    shop, file = small
    test = pd.Timestamp(folds_of(shop, file).test, unit="us")

    def changed(since: pd.Timestamp) -> pd.DataFrame:
        rng = np.random.default_rng(1)
        late = (orders.ordered_at >= since) & (orders.index < len(orders) - 1)
        kept = orders[~late | (rng.random(len(orders)) < 0.4)].copy()
        later = (kept.ordered_at >= since) & (kept.index < len(orders) - 1)
        kept.loc[later, "amount"] = rng.uniform(1, 900, later.sum())
        span = (orders.ordered_at.max() - since).total_seconds() - 60
        kept.loc[later, "ordered_at"] = since + pd.to_timedelta(
            rng.uniform(0, span, later.sum()).round(), "s"
        )
        return kept

    def trial(made: Made, drawn: Material) -> list[bytes]:
        return [fitted_losses(made[0], drawn.spec, part, {})[0].tobytes() for part in drawn.parts]

    other = make_shop(tmp_path / "after", changed(test))
    assert other[1].facts["fingerprint"] != file.facts["fingerprint"]
    assert folds_of(*other) == folds_of(shop, file)
    graded = [
        draw_samples(*one, material.spec, {folds_of(*one).test: 1.0}).at[folds_of(*one).test].churned
        for one in (small, other)
    ]
    assert not np.array_equal(*graded)  # what training grades on did change
    drawn = draw(*other)
    assert same_rows(material, drawn)
    assert trial(small, material) == trial(other, drawn)
    earlier = make_shop(tmp_path / "before", changed(test - pd.Timedelta(days=1)))
    assert not same_rows(material, draw(*earlier))  # one day earlier the change is seen


def test_the_value_is_the_log_loss_after_the_level_is_set_right(small: Made, material: Material) -> None:
    shop, _ = small
    part = material.parts[0]
    losses, trees = fitted_losses(shop, material.spec, part, {"num_leaves": 4})
    fitted = training.fit(
        part.train,
        part.validation,
        seed=7,
        horizon_days=30,
        active_within_days=90,
        settings={"num_leaves": 4},
    )
    score, churned = fitted.model.score(part.validation.features), part.validation.churned

    def mean_loss(level: float) -> float:
        p = 1 / (1 + np.exp(-score - level))
        return float(-np.mean(np.where(churned, np.log(p), np.log(1 - p))))

    best = min(mean_loss(level) for level in np.linspace(-2, 2, 4_001))
    assert losses.shape == (GROUPS,)
    assert losses.sum() == pytest.approx(best, abs=2e-5)
    assert trees == fitted.trees


def test_watch_sees_every_tree_and_ends_the_fit(material: Material) -> None:
    part = material.parts[0]
    seen: list[tuple[int, float]] = []
    rule = {"seed": 7, "horizon_days": 30, "active_within_days": 90}
    fitted = training.fit(part.train, part.validation, **rule, watch=lambda n, loss: seen.append((n, loss)))
    assert [n for n, _ in seen] == list(range(len(seen)))
    assert tuple(loss for _, loss in seen[1:]) == fitted.validation_log_loss

    def stop(trees: int, _loss: float) -> None:
        if trees == 3:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        training.fit(part.train, part.validation, **rule, watch=stop)


def test_short_histories_have_fewer_validations_and_too_short_ones_an_error(
    orders: pd.DataFrame, make_shop: Callable[..., Made], tmp_path: Path
) -> None:
    for days, count in ((125, 1), (155, 2)):
        some = orders[orders.ordered_at < orders.ordered_at.min() + pd.Timedelta(days=days)]
        assert len(tuning_folds(*make_shop(tmp_path / str(days), some))) == count
    some = orders[orders.ordered_at < orders.ordered_at.min() + pd.Timedelta(days=100)]
    with pytest.raises(InputError, match=r"the history covers \d+ days .*churn.horizon_days 30 needs 120"):
        draw(*make_shop(tmp_path / "short", some))


def test_of_customers_split_at_random_those_of_the_test_stay_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    n = 600
    score = rng.standard_normal(n)
    people = pd.DataFrame({"id": [f"p{i}" for i in range(n)], "visits": score})
    people.to_parquet(tmp_path / "people.parquet")
    left = rng.random(n) < 1 / (1 + np.exp(-score))
    pd.DataFrame({"id": people.id, "left": left}).to_parquet(tmp_path / "left.parquet")
    document = {
        "shop": "club",
        "timezone": "UTC",
        "currency": "EUR",
        "as_of": "2025-01-01",
        "sources": {
            "customers": {"path": str(tmp_path / "people.parquet"), "columns": {"customer_id": "id", "visits": "visits"}},
            "labels": {"path": str(tmp_path / "left.parquet"), "columns": {"customer_id": "id", "churned": '"left"'}},
        },
        "churn": {"definition": "given"},
        "output_dir": str(tmp_path / "out"),
    }  # fmt: skip
    shop = parse(document, "test")
    file = history(shop, None)
    found = draw(shop, file)
    assert not found.out_of_time
    (part,) = found.parts
    folds = folds_of(shop, file)
    whole = draw_samples(shop, file, found.spec, {folds.test: 1.0})
    test = parts_of(folds, whole, shop.churn.seed).test
    used = {*part.train.customer.tolist(), *part.validation.customer.tolist()}
    assert len(used) == len(part.train) + len(part.validation) == n - len(test) == 480
    assert not used & set(test.customer.tolist())
