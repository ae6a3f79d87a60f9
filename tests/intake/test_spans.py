"""Shops whose churn is not about purchases: what of their tables is kept, and from when to when they reach."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from lifestage.errors import InputError
from lifestage.localtime import midnight

ZONE = "America/New_York"
Read = Callable[..., dict[str, dict[str, Any]]]


def at(year: int, month: int, day: int) -> int:
    return midnight(date(year, month, day), ZONE)


TERMS = [
    {"cust": "a", "at": "2021-01-01", "until": "2021-03-01", "price": "5"},
    {"cust": "a", "at": "2021-03-01", "until": "", "price": "6"},
    {"cust": "b", "at": "2021-02-01", "until": "2021-04-09 10:00", "price": ""},
    {"cust": "c", "at": "2021-03-01", "until": "2021-02-01", "price": "1"},
    {"cust": "d", "at": "2021-03-05", "until": "2099-01-01", "price": "x"},
    {"cust": "e", "at": "2098-03-05", "until": "", "price": "1"},
]


def test_terms_are_kept_and_a_later_end_is_not_known(build: Any, read: Read) -> None:
    intake = build.open({"subscriptions": TERMS}, churn={"definition": "subscription"},
                        extracted_at=at(2021, 6, 1))  # fmt: skip
    assert intake.report["tables"]["subscriptions"]["rejected"] == {
        "ended_at before started_at": 1,
        "unparseable monthly_price": 1,
    }
    assert intake.report["tables"]["subscriptions"]["out_of_scope"] == 1  # agreed, not begun
    assert (intake.first_row, intake.first_purchase) == (at(2021, 1, 1), None)
    assert (intake.as_of, intake.observed_until) == (at(2021, 4, 10), at(2021, 4, 9))
    found = read(intake)
    assert sorted(found) == ["a", "b"]
    assert [(t["t"], t["ended_at"], t["monthly_price"]) for t in found["a"]["subscriptions"]] == [
        (at(2021, 1, 1), at(2021, 3, 1), 5.0),
        (at(2021, 3, 1), None, 6.0),
    ]
    past = read(build.open({"subscriptions": TERMS}, churn={"definition": "subscription"},
                           extracted_at=at(2021, 6, 1), as_of=at(2021, 3, 1)))  # fmt: skip
    assert [t["ended_at"] for t in past["a"]["subscriptions"]] == [None]  # it ends at the as_of: not yet


def test_events_alone_settle_an_activity_shop(build: Any, read: Read) -> None:
    events = [
        {"cust": "a", "at": "2021-01-05 10:00", "what": "login"},
        {"cust": "b", "at": "2021-02-05", "what": "login"},
    ]
    intake = build.open({"events": events}, churn={"definition": "activity"})
    assert (intake.first_row, intake.as_of) == (at(2021, 1, 5) + 10 * 3_600_000_000, at(2021, 2, 6))
    assert read(intake)["a"]["purchases"] == []


def test_labels_without_dates_are_of_the_as_of(build: Any, read: Read) -> None:
    labels = [{"cust": "a", "left": " YES "}, {"cust": "b", "left": "0"}, {"cust": "c", "left": "maybe"},
              {"cust": "d", "left": ""}]  # fmt: skip
    people = [{"cust": c, "city": "Rome"} for c in "ab"]
    intake = build.open({"labels": labels, "customers": people}, churn={"definition": "given"},
                        extracted_at=at(2021, 6, 1) + 5)  # fmt: skip
    assert intake.as_of == at(2021, 6, 1)
    found = read(intake)
    assert found["a"]["labels"] == [{"t": intake.as_of, "churned": True}]
    assert found["b"]["labels"] == [{"t": intake.as_of, "churned": False}]
    assert intake.report["tables"]["labels"]["rejected"] == {
        "churned is neither true nor false": 1,
        "missing churned": 1,
    }


def test_a_label_is_known_when_its_horizon_has_passed(build: Any, read: Read) -> None:
    labels = [{"cust": "a", "at": f"2021-0{m}-01", "left": "no"} for m in (1, 2, 3)]
    tables = {"labels": labels, "customers": [{"cust": "a", "city": "Rome"}]}
    churn = {"definition": "given", "horizon_days": 31}
    newest = build.open(tables, churn=churn)
    assert newest.as_of == at(2021, 4, 1)
    assert len(read(newest)["a"]["labels"]) == 3
    past = build.open(tables, churn=churn, as_of=at(2021, 3, 3))
    assert [x["t"] for x in read(past)["a"]["labels"]] == [at(2021, 1, 1)]
    exact = build.open(tables, churn={**churn, "horizon_days": 28}, as_of=at(2021, 3, 1))
    assert len(read(exact)["a"]["labels"]) == 2  # its window ends at the as_of: complete


@pytest.mark.parametrize(
    ("churn", "message"),
    [
        ("purchase", "sources.transactions: is required for churn.definition purchase; say where it lies"),
        ("subscription", "sources.subscriptions: is required for churn.definition subscription"),
        ("given", "labels alone tell nothing about a customer; add customers"),
    ],
)
def test_a_definition_needs_its_table(build: Any, churn: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build.open({"labels": [{"cust": "a", "left": "no"}]}, churn={"definition": churn})


def test_a_defining_table_without_usable_rows_is_named(build: Any) -> None:
    events = [{"cust": "", "at": "2021-01-05", "what": "login"}]
    with pytest.raises(InputError, match=r"events: .*events\.csv' holds no usable event"):
        build.open({"events": events}, churn={"definition": "activity"})
