"""The churn run from a history file: what each fit sees, what is drawn of a large shop, what ships where nothing wins."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lifestage.churn.dataset import Sample
from lifestage.fitting import churn as fitting_churn
from lifestage.fitting import (
    definition_of,
    draw_samples,
    draws,
    fit_churn,
    folds_of,
    learn_features,
    shares_of,
)
from lifestage.history import History
from lifestage.history_file import HistoryFile
from lifestage.intake import open_tables, write_history
from lifestage.order_columns import ORDER_COLUMNS, fit_orders, order_columns
from lifestage.samples import churn_samples, drawn_buyers
from lifestage.scoring import clv_summary
from lifestage.settings import Shop, parse

START = pd.Timestamp("2024-01-01", tz="UTC")


def orders(customers: int, seed: int) -> pd.DataFrame:
    """Customers who order at a rate of their own until they leave; amounts tell nothing."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(customers):
        rate, stays = rng.gamma(1.5, 1 / 40), rng.exponential(200)
        t = rng.uniform(0, 250)
        end = min(t + stays, 420)
        while t < end:
            rows.append((f"c{i:04d}", START + pd.Timedelta(days=t), round(rng.lognormal(3, 0.5), 2)))
            t += max(rng.exponential(1 / rate), 0.01)
    return pd.DataFrame(rows, columns=["customer_id", "ordered_at", "amount"])


def shop_of(folder: Path, frame: pd.DataFrame, **churn: Any) -> tuple[Shop, HistoryFile]:
    frame.to_parquet(folder / "orders.parquet")
    columns = {name: name for name in frame.columns}
    source = {"transactions": {"path": str(folder / "orders.parquet"), "columns": columns}}
    about = {"horizon_days": 45, "train_cutoffs": 3, "min_history_days": 60, **churn}
    shop = parse(
        {"shop": "t", "timezone": "UTC", "currency": "EUR", "sources": source, "churn": about}, "test"
    )
    with open_tables(shop, int(pd.Timestamp("2026-01-01", tz="UTC").value // 1000)) as tables:
        write_history(tables, folder / "history.parquet", 200, None)
    return shop, HistoryFile(folder / "history.parquet")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return orders(900, 1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, frame: pd.DataFrame) -> tuple[Shop, HistoryFile]:
    return shop_of(tmp_path_factory.mktemp("shop"), frame)


def test_the_evaluation_fit_sees_no_label_after_its_validation_window(
    made: tuple[Shop, HistoryFile], frame: pd.DataFrame, tmp_path: Path
) -> None:
    """Rows from the test cutoff on may go where they will: the graded fit keeps every byte, the shipped one not."""
    shop, file = made
    folds = folds_of(shop, file)
    before = fit_churn(shop, file, folds=folds)
    test = pd.Timestamp(folds.test, unit="us", tz="UTC")
    later = frame["ordered_at"] >= test
    gone = later & (frame["customer_id"].str[-1] == "0")
    more = frame[later].assign(ordered_at=test + pd.Timedelta(days=3), customer_id="c0001")
    other_shop, other = shop_of(tmp_path, pd.concat([frame[~gone], more]))
    after = fit_churn(other_shop, other, folds=folds)
    first, second = before.shipped.model.fits, after.shipped.model.fits
    assert first["evaluation"] == second["evaluation"]
    assert first["shipped"] != second["shipped"]
    assert before.test.features.keys() == after.test.features.keys()
    for name, values in before.test.features.items():
        np.testing.assert_array_equal(values, after.test.features[name], err_msg=name)
    assert (before.test.churned != after.test.churned).any()


def test_the_same_data_and_seed_give_the_same_bytes(made: tuple[Shop, HistoryFile], tmp_path: Path) -> None:
    shop, file = made
    for name in ("one", "two"):
        fit_churn(shop, file).shipped.model.save(tmp_path / name, {})
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_order_columns_are_fitted_before_each_cutoff(made: tuple[Shop, HistoryFile]) -> None:
    """At a cutoff they are what a history cut there gives; their orders' model too."""
    shop, file = made
    folds, spec = folds_of(shop, file), learn_features(shop, file)
    drawn = draw_samples(shop, file, spec, {folds.train[0]: 1.0, folds.test: 1.0})
    for cutoff in (folds.train[0], folds.test):
        blocks = [history.cut(cutoff) for history in file]
        alone = churn_samples(blocks, [cutoff], definition=definition_of(shop), spec=spec)[cutoff]
        assert alone.buyers is not None
        params = fit_orders(alone.buyers)
        assert params == drawn.orders[cutoff]
        columns = order_columns(params, alone.summary, 45)
        for name in ORDER_COLUMNS:
            assert columns[name].tobytes() == drawn.at[cutoff].features[name].tobytes()
    assert drawn.orders[folds.train[0]] != drawn.orders[folds.test]


def test_order_columns_of_one_customer_equal_those_of_many(made: tuple[Shop, HistoryFile]) -> None:
    _, file = made
    summary = clv_summary(file.block(0).before(file.facts["as_of"]))
    params = {"r": 0.8, "alpha": 30.0, "a": 0.6, "b": 2.5}
    many = order_columns(params, summary, 45)
    for i in range(0, len(summary), 17):
        one = order_columns(params, summary.take(np.array([i])), 45)
        for name in ORDER_COLUMNS:
            assert one[name].tobytes() == many[name][i : i + 1].tobytes()
    # closed form, FHL (2005): nobody who left orders, the others' next order comes by a Lomax law
    x, t_x, T = summary.frequency[0], summary.recency[0], summary.T[0]
    gone = 0.0 if x == 0 else 0.6 / (2.5 + x - 1) * ((30 + T) / (30 + t_x)) ** (0.8 + x)
    none = ((30 + T) / (30 + T + 45)) ** (0.8 + x)
    assert many["btyd_p_alive"][0] == pytest.approx(1 / (1 + gone))
    assert many["btyd_p_no_order"][0] == pytest.approx(1 - (1 - none) / (1 + gone))


def test_a_large_shop_is_drawn_by_customer_alike_at_every_cutoff_and_in_any_blocks(
    made: tuple[Shop, HistoryFile],
) -> None:
    shop, file = made
    folds, rule = folds_of(shop, file), definition_of(shop)
    cutoffs = [folds.train[-1], folds.test]
    whole = churn_samples(file, cutoffs, definition=rule)
    some = churn_samples(file, cutoffs, definition=rule, share={folds.train[-1]: 0.3, folds.test: 0.5})
    table = pa.concat_tables([history._table for history in file])
    at_once = churn_samples(
        [History(table, file.zone)], cutoffs, definition=rule, share=dict.fromkeys(cutoffs, 0.3)
    )
    chosen = {cutoff: set(_keys(some[cutoff].sample).tolist()) for cutoff in cutoffs}
    for cutoff, share in zip(cutoffs, (0.3, 0.5), strict=True):
        keys = _keys(whole[cutoff].sample)
        inside = np.isin(keys, list(chosen[cutoff]))
        assert inside.mean() == pytest.approx(share, abs=0.06)
        for name, values in some[cutoff].sample.features.items():
            assert values.tobytes() == whole[cutoff].sample.features[name][inside].tobytes()
    assert set(_keys(at_once[folds.test].sample).tolist()) <= chosen[folds.test]
    first, second = some[folds.train[-1]].buyers, at_once[folds.train[-1]].buyers
    assert first is not None
    assert second is not None
    assert fit_orders(first) == fit_orders(second)
    newest = drawn_buyers(file, folds.train[-1], 0.3)
    assert newest is not None
    assert fit_orders(newest) == fit_orders(first)
    assert first.customers < 0.4 * len(table)
    np.testing.assert_array_equal(_keys(at_once[folds.train[-1]].sample), _keys(some[folds.train[-1]].sample))


def _keys(sample: Sample) -> np.ndarray:
    assert sample.customer is not None
    return sample.customer


def test_shares_keep_within_the_rows_asked_for(made: tuple[Shop, HistoryFile]) -> None:
    shop, _ = made
    small = shop.model_copy(update={"churn": shop.churn.model_copy(update={"max_rows": 30_000})})
    share = shares_of(small, 100_000, list(range(10)), [8, 9])
    assert share[0] * 100_000 * 3 == pytest.approx(30_000)  # three training cutoffs a fit
    assert share[9] * 100_000 == pytest.approx(10_000)
    assert set(shares_of(small, 1_000, [1, 2], [2]).values()) == {1.0}
    big = shares_of(small, 1_000_000, list(range(10)), [9])
    assert big[9] * 1_000_000 == pytest.approx(10_000)


def test_where_nothing_is_proven_the_best_baseline_ships(
    made: tuple[Shop, HistoryFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, file = made
    good = fit_churn(shop, file)
    real = fitting_churn.churn_evaluation.evaluate

    def doubted(*args: Any, **kwargs: Any) -> Any:
        return replace(real(*args, **kwargs), grade="C")

    monkeypatch.setattr(fitting_churn.churn_evaluation, "evaluate", doubted)
    poor = fit_churn(shop, file)
    assert poor.champion == poor.evaluation.best_baseline
    assert good.champion == ("model" if good.evaluation.grade != "C" else good.evaluation.best_baseline)
    model = poor.shipped.model
    assert model.booster is None
    assert len(model.base.terms) in (1, 3)
    p = poor.evaluated.model.predict(poor.test.features)
    theirs = poor.evaluation.scores[poor.champion]
    if poor.champion == "logistic_rfm":
        np.testing.assert_array_equal(p, theirs)
    else:
        assert np.corrcoef(np.argsort(np.argsort(p)), np.argsort(np.argsort(theirs)))[0, 1] > 0.95
    assert 0 < p.min() < p.max() < 1


def test_a_shop_without_an_order_model_is_graded_without_it(
    made: tuple[Shop, HistoryFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, file = made
    monkeypatch.setattr(draws, "fit_orders", lambda _buyers: None)
    fitted = fit_churn(shop, file)
    assert not set(ORDER_COLUMNS) & set(fitted.shipped.model.features)
    assert fitted.shipped.model.orders is None
    assert list(fitted.evaluation.figures) == ["model", "days_since_last_order", "logistic_rfm"]


def test_a_block_of_whom_nobody_is_drawn(made: tuple[Shop, HistoryFile]) -> None:
    shop, file = made
    cutoff = folds_of(shop, file).test
    none = churn_samples(file, [cutoff], definition=definition_of(shop), share={cutoff: 1e-12})[cutoff]
    assert (len(none.sample), len(none.summary), none.buyers) == (0, 0, None)
    assert len(none.sample.names) > 40
