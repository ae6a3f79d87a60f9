"""The shop's own limits of one request, below those of the API."""

import pytest

from lifestage.settings import Serving
from serving import limits
from serving.models import Customer, Purchase
from serving.problems import ProblemError
from serving.score import Asked, take_out

ORDER: Purchase = {"ordered_at": "2026-01-01", "amount": 1.0}


def test_too_many_customers() -> None:
    limits.check_count(2, Serving(max_customers=2))
    with pytest.raises(
        ProblemError, match="customers: 3 in one request; this service takes at most 2"
    ) as caught:
        limits.check_count(3, Serving(max_customers=2))
    assert (caught.value.status, caught.value.path) == (400, "customers")


@pytest.mark.parametrize("table", limits.TABLES)
def test_too_many_rows_of_a_customer(table: str) -> None:
    customer = {"customer_id": "b", table: [{}] * 4}
    assert limits.too_many_rows(customer, Serving(max_rows=4)) is None
    found = limits.too_many_rows(customer, Serving(max_rows=3))
    assert found == (table, "has 4 rows; this service takes at most 3 of one kind")


def test_one_customer_with_too_many_rows_does_not_fail_the_others() -> None:
    customers: list[Customer] = [
        {"customer_id": "a", "purchases": [ORDER] * 4},
        {"customer_id": "b", "purchases": [ORDER]},
    ]
    asked = Asked(0, None, (), customers, [0, 1], [])
    take_out(asked, Serving(max_rows=3))
    assert asked.ids == ["b"]
    assert [(f.index, f.path) for f in asked.failures] == [(0, "customers[0].purchases")]


def test_a_body_has_its_size() -> None:
    serving = Serving(max_body_megabytes=3)
    assert limits.body_bytes(serving) == 3_145_728
    assert (
        str(limits.too_large(serving))
        == "the body is larger than 3 MiB; send the customers in several requests"
    )
