"""CDNOW as published: Fader & Hardie count 23,570 customers and 69,659 purchases."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from lifestage import settings
from lifestage.datasets import cdnow
from lifestage.errors import InputError
from lifestage.intake import open_tables
from lifestage.localtime import midnight

ROOT = Path(__file__).parents[2]


def test_raw_rows() -> None:
    raw = cdnow.load()
    assert raw.column_names == ["customer_id", "date", "number_of_cds", "dollar_value"]
    assert raw.num_rows == 69_659
    assert len(raw["customer_id"].unique()) == 23_570
    assert raw.slice(0, 1).to_pylist() == [
        {"customer_id": "00001", "date": "19970101", "number_of_cds": "1", "dollar_value": "11.77"}
    ]


def test_orders_are_ready_to_fit() -> None:
    orders = cdnow.orders()
    assert list(orders.columns) == ["customer_id", "ordered_at", "amount"]
    assert (len(orders), orders["customer_id"].nunique()) == (69_659, 23_570)
    first = orders.iloc[0]
    assert (first["customer_id"], first["amount"]) == ("00001", 11.77)
    assert first["ordered_at"].date() == date(1997, 1, 1)
    assert orders["ordered_at"].max().date() == date(1998, 6, 30)
    assert round(orders["amount"].sum()) == 2_500_316
    assert (orders["ordered_at"].dt.normalize() == orders["ordered_at"]).all()


def test_the_sample_is_the_papers() -> None:
    sample = cdnow.sample_summary()
    assert sample.column_names == ["ID", "frequency", "recency", "T"]
    assert sample.num_rows == 2_357
    assert (
        sample["frequency"].to_numpy().sum() == 2_457
    )  # repeat purchases in weeks 1 to 39 (Fader et al. 2005)


def test_a_missing_package_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cdnow, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"'lifetimes', which is not installed; install it with"):
        cdnow.load()


def test_the_configured_shop(tmp_path: Path) -> None:
    shop = settings.load(ROOT / "configs" / "cdnow.yaml").model_copy(
        update={"output_dir": tmp_path.as_posix()}
    )
    with open_tables(shop, 2_000_000_000_000_000) as intake:
        blocks = list(intake.blocks(10_000))
        report = intake.report
    assert report["tables"]["transactions"]["kept"] == 69_659
    assert (report["customers"], report["purchases"], report["refunds"]) == (23_570, 69_659, 0)
    assert [b.num_rows for b in blocks] == [10_000, 10_000, 3_570]
    assert intake.as_of == midnight(date(1998, 7, 1), "America/New_York")
    assert intake.first_purchase == midnight(date(1997, 1, 1), "America/New_York")
    amounts = np.concatenate([b["purchases"].values.field("amount").to_numpy() for b in blocks])
    raw = cdnow.load()["dollar_value"].to_pylist()
    assert sorted(amounts) == sorted(map(float, raw))
