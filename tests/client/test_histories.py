"""Rows of orders -> histories."""

from datetime import date, datetime
from decimal import Decimal

import pandas as pd
import pytest

from lifestage_client import batches, histories

ROWS = [
    {"customer_id": "b", "ordered_at": "1998-01-02", "amount": 10, "city": "Rome"},
    {"customer_id": "a", "ordered_at": date(1998, 1, 1), "amount": Decimal("2.5"), "order_id": "7"},
    {"customer_id": "b", "ordered_at": datetime(1998, 1, 1, 12), "amount": -10.0, "order_id": None},
]


def test_one_entry_a_customer_in_order() -> None:
    assert histories(ROWS) == [
        {
            "customer_id": "b",
            "purchases": [
                {"ordered_at": "1998-01-02", "amount": 10.0},
                {"ordered_at": "1998-01-01T12:00:00", "amount": -10.0},
            ],
        },
        {"customer_id": "a", "purchases": [{"ordered_at": "1998-01-01", "amount": 2.5, "order_id": "7"}]},
    ]


def test_a_dataframe_with_columns_of_its_own() -> None:
    frame = pd.DataFrame(
        {
            "CustomerNo": [17, 17, 4],
            "date": pd.to_datetime(["1998-01-02 10:00", "1998-02-03 00:00", "1998-03-04 00:00"]),
            "sum": [1.0, 2.0, 3.0],
            "channel": ["app", None, pd.NA],
            "discount": [0.5, float("nan"), None],
        }
    )
    named = {"customer_id": "CustomerNo", "ordered_at": "date", "amount": "sum"}
    assert histories(frame, named) == [
        {
            "customer_id": "17",
            "purchases": [
                {"ordered_at": "1998-01-02T10:00:00", "amount": 1.0, "channel": "app", "discount": 0.5},
                {"ordered_at": "1998-02-03T00:00:00", "amount": 2.0},
            ],
        },
        {"customer_id": "4", "purchases": [{"ordered_at": "1998-03-04T00:00:00", "amount": 3.0}]},
    ]


@pytest.mark.parametrize("missing", [None, float("nan"), Decimal("NaN"), pd.NaT, pd.NA])
@pytest.mark.parametrize("field", ["customer_id", "ordered_at", "amount"])
def test_what_every_order_must_have(field: str, missing: object) -> None:
    with pytest.raises(ValueError, match=f"row 1: '{field}' is missing; every order has a customer"):
        histories([ROWS[0], {**ROWS[1], field: missing}])


def test_a_mistyped_field_is_told() -> None:
    with pytest.raises(ValueError, match="columns: 'ammount' is none of customer_id, ordered_at, amount"):
        histories(ROWS, {"ammount": "sum"})


def test_batches_of_a_thousand() -> None:
    many = histories({**ROWS[0], "customer_id": str(i)} for i in range(2_001))
    assert [len(batch) for batch in batches(many)] == [1_000, 1_000, 1]
    assert [customer for batch in batches(many) for customer in batch] == many
