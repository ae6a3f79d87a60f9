"""A small simulated shop: customers buy at rates of their own until they leave."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lifestage.history_file import HistoryFile
from lifestage.settings import Shop, parse
from training.prepare import history

FIRST = pd.Timestamp("2024-01-01")
DAYS = 240

Made = tuple[Shop, HistoryFile]


def simulated_orders(customers: int = 500, seed: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(customers):
        born, left = rng.uniform(0, 90), rng.exponential(150)
        gap = rng.gamma(2, 10)
        at = born
        while at < min(born + left, DAYS):
            rows.append(
                (f"c{i:04d}", FIRST + pd.Timedelta(seconds=int(at * 86_400)), float(rng.integers(5, 80)))
            )
            at += rng.exponential(gap)
    rows.append(("c0000", FIRST + pd.Timedelta(days=DAYS), 9.0))  # a full last day
    return pd.DataFrame(rows, columns=["customer_id", "ordered_at", "amount"])


def made_shop(folder: Path, orders: pd.DataFrame, **churn: object) -> Made:
    """The orders' configuration and history below `folder`."""
    folder.mkdir(exist_ok=True)
    path = folder / "orders.parquet"
    orders.to_parquet(path)
    rule = {"horizon_days": 30, "active_within_days": 90, "min_history_days": 30, "train_cutoffs": 2}
    shop = parse(
        {
            "shop": "small",
            "timezone": "UTC",
            "currency": "EUR",
            "sources": {
                "transactions": {
                    "path": str(path),
                    "columns": {name: name for name in ("customer_id", "ordered_at", "amount")},
                }
            },
            "churn": rule | churn,
            "output_dir": str(folder / "out"),
            "tracking_uri": f"sqlite:///{folder / 'mlflow.db'}",
        },
        "test",
    )
    return shop, history(shop, None)


@pytest.fixture(scope="session")
def make_shop() -> Callable[..., Made]:
    return made_shop


@pytest.fixture(scope="session")
def orders() -> pd.DataFrame:
    return simulated_orders()


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory, orders: pd.DataFrame) -> Made:
    return made_shop(tmp_path_factory.mktemp("tuning"), orders)
