"""Fixtures that any test may use; the plain functions behind them are in builders.py."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lifestage
from lifestage.history import History
from lifestage.release import Release
from tests import builders

TESTS = Path(__file__).parent
SLOW = ("training", "notebooks", "serving", "test_api", "test_ahead")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long first, so that no worker is left alone with them at the end."""
    items.sort(key=lambda item: not item.path.relative_to(TESTS).parts[0].startswith(SLOW))


@pytest.fixture(scope="session")
def make_history() -> Callable[..., History]:
    """make_history(rows, zone="UTC"): a block of whole customers from plain dicts."""

    def make(rows: Sequence[Mapping[str, Any]], zone: str = "UTC") -> History:
        return builders.make_history(rows, zone)

    return make


@pytest.fixture(scope="session")
def orders() -> pd.DataFrame:
    """Purchases of 400 customers over 700 days, a third of whom stop after a while; a few refunds."""
    rng = np.random.default_rng(5)
    start = pd.Timestamp("2023-01-01")
    rows = []
    for number in range(400):
        t, gap, stop = rng.uniform(0, 300), rng.uniform(10, 90), rng.uniform(50, 700)
        for k in range(60):
            if t > min(stop, 699):
                break
            amount = round(rng.gamma(3, 12), 2)
            rows.append((f"客户{number:03d}", start + pd.Timedelta(days=t), amount, f"{number}-{k}"))
            t += rng.exponential(gap)
    refunds = [(c, at + pd.Timedelta(days=3), -amount, order) for c, at, amount, order in rows[::40]]
    return pd.DataFrame(rows + refunds, columns=["customer_id", "ordered_at", "amount", "order_id"])


@pytest.fixture(scope="session")
def release(orders: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Both models of that shop and the ecommerce policy."""
    return lifestage.fit(
        orders,
        into=tmp_path_factory.mktemp("releases"),
        timezone="Asia/Shanghai",
        currency="CNY",
        churn={"horizon_days": 60, "train_cutoffs": 2},
    )
