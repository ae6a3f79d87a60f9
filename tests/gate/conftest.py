"""A small shop with models of several worths, fitted on the samples of one history."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lifestage.churn import training
from lifestage.churn.dataset import Sample
from lifestage.churn.model import ChurnModel
from lifestage.fitting import Parts, draw_samples, folds_of, learn_features, parts_of
from lifestage.history_file import HistoryFile
from lifestage.settings import Shop, parse
from training.prepare import history

FIRST = pd.Timestamp("2024-01-01")
DAYS = 240
CUSTOMERS = 900


def orders_of(customers: int, seed: int) -> pd.DataFrame:
    """Customers buy at rates of their own until they leave."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(customers):
        at, left, gap = rng.uniform(0, 90), rng.exponential(150), rng.gamma(2, 10)
        until = min(at + left, DAYS)
        while at < until:
            rows.append(
                (f"c{i:04d}", FIRST + pd.Timedelta(seconds=int(at * 86_400)), float(rng.integers(5, 80)))
            )
            at += rng.exponential(gap)
    rows.append(("c0000", FIRST + pd.Timedelta(days=DAYS), 9.0))  # a full last day
    return pd.DataFrame(rows, columns=["customer_id", "ordered_at", "amount"])


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, HistoryFile]:
    folder = tmp_path_factory.mktemp("gate")
    path = folder / "orders.parquet"
    orders_of(CUSTOMERS, 5).to_parquet(path)
    columns = {name: name for name in ("customer_id", "ordered_at", "amount")}
    shop = parse(
        {
            "shop": "small",
            "timezone": "UTC",
            "currency": "EUR",
            "sources": {"transactions": {"path": str(path), "columns": columns}},
            "churn": {
                "horizon_days": 30,
                "active_within_days": 90,
                "min_history_days": 30,
                "train_cutoffs": 3,
            },
            "output_dir": str(folder / "out"),
        },
        "test",
    )
    return shop, history(shop, None)


@pytest.fixture(scope="session")
def parts(small: tuple[Shop, HistoryFile]) -> Parts:
    shop, file = small
    folds = folds_of(shop, file)
    cutoffs = {*folds.train, folds.validation, *folds.grade_train, folds.test, *folds.ship_train}
    samples = draw_samples(shop, file, learn_features(shop, file), dict.fromkeys(sorted(cutoffs), 1.0))
    return parts_of(folds, samples, shop.churn.seed)


Make = Callable[..., ChurnModel]


@pytest.fixture(scope="session")
def make(small: tuple[Shop, HistoryFile], parts: Parts) -> Make:
    """A model of the shop; `shuffled`: its labels are drawn by lot; `without`: features it must do without."""
    shop, file = small
    orders = draw_samples(shop, file, learn_features(shop, file), {folds_of(shop, file).test: 1.0}).orders

    def made(*, shuffled: bool = False, keep: Callable[[str], bool] = lambda _: True) -> ChurnModel:
        def some(sample: Sample, seed: int) -> Sample:
            kept = replace(sample, features={n: v for n, v in sample.features.items() if keep(n)})
            lots = np.random.default_rng(seed).permutation(sample.churned)
            return replace(kept, churned=lots) if shuffled else kept

        return training.fit(
            some(parts.search, 1),
            some(parts.validation, 2),
            seed=7,
            horizon_days=shop.churn.horizon_days,
            active_within_days=shop.churn.active_within_days,
            orders=next(iter(orders.values())),
            terms=(),
            max_trees=60,
        ).model

    return made


@pytest.fixture(scope="session")
def good(make: Make) -> ChurnModel:
    return make()
