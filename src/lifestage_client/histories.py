"""Rows of orders -> one history a customer, as the service wants it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from math import isnan
from numbers import Real
from typing import Any, Protocol, TypeVar, cast

from lifestage_client.requests import Customer, Purchase

FIELDS = ("ordered_at", "amount", "order_id", "category", "channel", "discount")
NUMBERS = ("amount", "discount")
REQUIRED = ("customer_id", "ordered_at", "amount")


Item = TypeVar("Item")


class Frame(Protocol):
    """A pandas DataFrame, as far as it is needed here."""

    def to_dict(self, orient: str) -> Any: ...


def histories(
    transactions: Frame | Iterable[Mapping[str, Any]], columns: Mapping[str, str] | None = None
) -> list[Customer]:
    """One entry per customer, in the order of first appearance; rows keep their order.

    `transactions`: dicts, or a pandas DataFrame. `columns`: our name -> yours (customer_id, ordered_at, amount,
    order_id, category, channel, discount), by default the same. Empty values (None, NaN, NaT) are left out,
    other columns too. Raises ValueError, with the number of the row, for one without customer, time or amount.
    """
    named = {name: name for name in ("customer_id", *FIELDS)} | dict(columns or {})
    unknown = sorted(set(named) - {"customer_id", *FIELDS})
    if unknown:
        raise ValueError(f"columns: '{unknown[0]}' is none of customer_id, {', '.join(FIELDS)}")
    found: dict[str, list[Purchase]] = {}
    for i, row in enumerate(_rows(transactions)):
        values = {name: row.get(theirs) for name, theirs in named.items()}
        for name in REQUIRED:
            if _missing(values[name]):
                raise ValueError(
                    f"row {i}: '{named[name]}' is missing; every order has a customer, a time and an amount"
                )
        purchase = {name: _field(name, values[name]) for name in FIELDS if not _missing(values[name])}
        found.setdefault(str(values["customer_id"]), []).append(cast(Purchase, purchase))
    return [{"customer_id": customer, "purchases": purchases} for customer, purchases in found.items()]


def batches(customers: Sequence[Item], size: int = 1_000) -> Iterator[Sequence[Item]]:
    """Slices that one request takes."""
    for start in range(0, len(customers), size):
        yield customers[start : start + size]


def _rows(transactions: Any) -> Iterable[Mapping[str, Any]]:
    if hasattr(transactions, "to_dict"):
        return cast("Iterable[Mapping[str, Any]]", transactions.to_dict("records"))
    return cast("Iterable[Mapping[str, Any]]", transactions)


def _missing(value: object) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):  # pandas' own, known without pandas
        return True
    return isinstance(value, Real | Decimal) and isnan(value)


def _field(name: str, value: Any) -> object:
    if name in NUMBERS:
        return float(value)
    if name == "ordered_at":
        return value.isoformat() if isinstance(value, date) else str(value)
    return str(value)
