"""How much one request may hold: bytes, customers, rows, as the shop's `serving:` says."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from lifestage.settings import Serving
from serving.problems import ProblemError, bad

TABLES = ("purchases", "events", "feedback", "subscriptions")


def body_bytes(serving: Serving) -> int:
    """The largest body."""
    return serving.max_body_megabytes * 2**20


def too_large(serving: Serving) -> ProblemError:
    """413."""
    return ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too-large",
        f"the body is larger than {serving.max_body_megabytes} MiB; send the customers in several requests",
    )


def check_count(count: int, serving: Serving, path: str = "customers") -> None:
    """Customers in one request. Raises ProblemError 400."""
    if count > serving.max_customers:
        raise bad(
            f"{path}: {count} in one request; this service takes at most {serving.max_customers}; "
            "send them in several requests",
            (path,),
        )


def too_many_rows(customer: Mapping[str, Any], serving: Serving) -> tuple[str, str] | None:
    """The table of which a customer has too many rows, and what is wrong."""
    for table in TABLES:
        rows: Sequence[Any] | None = customer.get(table)
        if rows is not None and len(rows) > serving.max_rows:
            return table, f"has {len(rows)} rows; this service takes at most {serving.max_rows} of one kind"
    return None
