"""Every preset on real customers, month after month: samples of CDNOW (by default), online_retail and afisha."""

import os
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

import lifestage
from lifestage.datasets import cdnow
from lifestage.lifecycle.policy import Policy, load, presets
from lifestage.release import Release

DATA = Path(os.environ.get("LIFESTAGE_DATA", Path(__file__).parents[4] / "shared" / "data"))
MONTHS = 4
"""How many dates a month apart, the last one at the end of the data."""

Frame = pd.DataFrame


def _cdnow() -> Frame:
    orders = cdnow.load().to_pandas()
    orders = orders[orders.customer_id.astype(int) % 40 == 0]
    at = pd.to_datetime(orders.date, format="%Y%m%d")
    return Frame(
        {"customer_id": orders.customer_id, "ordered_at": at, "amount": orders.dollar_value.astype(float)}
    )


def _online_retail() -> Frame:
    lines = pd.read_parquet(DATA / "online_retail" / "transactions.parquet")
    lines = lines[lines.CustomerID.fillna(0).astype(int) % 4 == 1]
    lines = lines.assign(amount=lines.Quantity * lines.UnitPrice)
    bills = lines.groupby(["CustomerID", "InvoiceNo"], as_index=False).agg(
        ordered_at=("InvoiceDate", "min"), amount=("amount", "sum")
    )
    bills = bills[bills.amount > 0]
    return Frame(
        {
            "customer_id": bills.CustomerID.astype(int).astype(str),
            "ordered_at": bills.ordered_at,
            "amount": bills.amount,
        }
    )


def _afisha() -> Frame:
    orders = pd.read_parquet(DATA / "afisha" / "orders.parquet")
    orders = orders[pd.util.hash_array(orders.uid.astype(str).to_numpy()) % 30 == 0]
    return Frame(
        {
            "customer_id": orders.uid.astype(str),
            "ordered_at": orders.buy_ts,
            "amount": orders.revenue.astype(float),
        }
    )


SHOPS: dict[str, Callable[[], Frame]] = {"cdnow": _cdnow, "online_retail": _online_retail, "afisha": _afisha}


class Shop:
    """A release of a shop, and what its policies may read at each date."""

    def __init__(self, name: str, folder: Path) -> None:
        orders = SHOPS[name]()
        self.release: Release = lifestage.fit(
            orders, into=folder, churn={"horizon_days": 90, "train_cutoffs": 1}
        )
        last = pd.Timestamp(orders.ordered_at.max()).normalize() + pd.Timedelta(days=1)
        self.dates = [(last - pd.DateOffset(months=k)).date().isoformat() for k in reversed(range(MONTHS))]
        self.columns = [
            lifestage.score(self.release, orders[orders.ordered_at < date], as_of=date, with_features=True)
            for date in self.dates
        ]

    def staged(self, policy: Policy) -> list[Frame]:
        """The stages of each date, every one after the one before."""
        release = replace(self.release, policy=policy)
        found: list[Frame] = []
        for date, columns in zip(self.dates, self.columns, strict=True):
            previous = found[-1][["customer_id", "stage", "stage_since"]] if found else None
            found.append(lifestage.stage(release, columns, date, previous))
        return found


HEAVY = [pytest.param(name, marks=pytest.mark.heavy) for name in SHOPS if name != "cdnow"]


@pytest.fixture(scope="module", params=["cdnow", *HEAVY])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    name = request.param
    if name != "cdnow" and not (DATA / name).exists():
        pytest.skip(f"{name} is not in LIFESTAGE_DATA")
    return Shop(name, tmp_path_factory.mktemp(name))


def flaps(frames: list[Frame]) -> int:
    """How often customers went from a stage to another and straight back."""
    paths = [dict(zip(frame.customer_id, frame.stage, strict=True)) for frame in frames]
    return sum(
        then == was.get(customer) != between[customer]
        for was, between, after in zip(paths, paths[1:], paths[2:], strict=False)
        for customer, then in after.items()
        if customer in was
    )


@pytest.mark.parametrize("name", presets())
def test_stages_make_sense(name: str, shop: Shop) -> None:
    policy = load(name)
    frames = shop.staged(policy)
    known = {stage.name: stage.role for stage in policy.stages}
    for frame, columns in zip(frames, shop.columns, strict=True):
        assert frame.customer_id.tolist() == columns.customer_id.tolist()
        assert frame.stage.isin(known).all()
        share = frame.stage.value_counts(normalize=True)
        assert len(share) >= 2
        assert share.max() < 0.995
        buyers = columns.order_count > 0
        assert frame.tier.notna()[buyers].all()
        assert frame.health[buyers].between(0, 100).all()
        assert (frame.risk.notna() == columns.eligible.astype(bool)).all()
        assert frame.action.notna().all()
        assert not (frame.rule.str.endswith(".default") & buyers).any()
    for before, after in pairwise(frames):
        both = before.merge(after, on="customer_id", suffixes=("", "_now"))
        stays = both.stage == both.stage_now
        assert stays.mean() > 0.5
        assert (both.stage_since_now[stays] == both.stage_since[stays]).all()
    customers = len(frames[-1])
    assert flaps(frames) <= 0.05 * customers * (MONTHS - 2)
