"""The shop's own limits of one request, below those of the API."""

import pytest

from lifestage.settings import Serving
from serving import limits
from serving.models import ScoreRequest, StageRequest
from serving.problems import ProblemError

ORDER = {"ordered_at": "2026-01-01", "amount": 1.0}


def scoring(*rows: int) -> ScoreRequest:
    """One customer for each number of purchases."""
    customers = [{"customer_id": f"c{i}", "purchases": [ORDER] * n} for i, n in enumerate(rows)]
    return ScoreRequest.model_validate({"customers": customers})


def test_within_the_limits() -> None:
    serving = Serving(max_customers=2, max_rows=3)
    limits.check(scoring(3, 3), serving)
    limits.check(StageRequest.model_validate({"customers": [{"customer_id": "a", "columns": {}}]}), serving)
    limits.check(ScoreRequest.model_validate({"customers": [{"customer_id": "a"}]}), serving)


def test_too_many_customers() -> None:
    with pytest.raises(ProblemError, match="customers: 3 in one request; this service takes at most 2") as caught:
        limits.check(scoring(1, 1, 1), Serving(max_customers=2))
    assert (caught.value.status, caught.value.path) == (400, "customers")


@pytest.mark.parametrize("table", limits.TABLES)
def test_too_many_rows_of_a_customer(table: str) -> None:
    customer = {"customer_id": "b", table: [{}] * 4}
    limits.check_rows(7, customer, Serving(max_rows=4))
    with pytest.raises(ProblemError, match=f"customer 'b': 4 rows of {table}; this service takes at most 3") as caught:
        limits.check_rows(7, customer, Serving(max_rows=3))
    assert (caught.value.status, caught.value.path) == (400, f"customers[7].{table}")


def test_a_body_has_its_size() -> None:
    serving = Serving(max_body_megabytes=3)
    assert limits.body_bytes(serving) == 3_145_728
    assert str(limits.too_large(serving)) == "the body is larger than 3 MiB; send the customers in several requests"
