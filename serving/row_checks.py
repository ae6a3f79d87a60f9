"""A large request checked column by column: what its model finds of row after row, in a third of the time.

All that is said here is that a request is right. Where that is not certain the model is asked, which knows what is
wrong and where: errors have one source.
"""

from collections.abc import Mapping
from functools import lru_cache
from itertools import chain
from math import isfinite
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from serving.models import MAX_ROWS, Answer, Event, Purchase, Term

Model = TypeVar("Model", bound=BaseModel)

MANY = 1_000
"""Rows from which on this is the faster way."""
TABLES: Mapping[str, type] = {
    "purchases": Purchase,
    "events": Event,
    "feedback": Answer,
    "subscriptions": Term,
}


class Field(NamedTuple):
    """What a model says of one field of its rows."""

    required: bool
    nullable: bool
    kind: type
    """str or float."""
    shortest: int
    longest: int


def validate(model: type[Model], document: Any) -> Model:
    """`model.model_validate(document)` of a request with `customers`. Raises ValidationError."""
    request = _by_column(model, document)
    return model.model_validate(document) if request is None else request


def _by_column(model: type[Model], document: Any) -> Model | None:
    """None where the model must be asked about the rows too."""
    customers = document.get("customers") if isinstance(document, dict) else None
    if not isinstance(customers, list) or set(map(type, customers)) != {dict}:
        return None
    tables = {name: [customer[name] for customer in customers if name in customer] for name in TABLES}
    for lists in tables.values():
        if not set(map(type, lists)) <= {list} or max(map(len, lists), default=0) > MAX_ROWS:
            return None
    if sum(len(rows) for lists in tables.values() for rows in lists) < MANY:
        return None
    if not all(right(list(chain.from_iterable(lists)), TABLES[name]) for name, lists in tables.items()):
        return None
    rest = [{name: c[name] for name in c if name not in TABLES} for c in customers]
    try:
        request = model.model_validate({**document, "customers": rest})
    except ValidationError:
        return None
    checked: list[dict[str, Any]] = getattr(request, "customers")  # noqa: B009  of any model with customers
    for customer, given in zip(checked, customers, strict=True):
        customer.update((name, given[name]) for name in TABLES if name in given)
    return request


def right(rows: list[Any], table: type) -> bool:
    """Whether every row is certainly as its model wants it."""
    if not rows:
        return True
    if set(map(type, rows)) != {dict}:
        return False
    given, fields = set().union(*rows), fields_of(table)
    return given <= fields.keys() and all(
        _right(rows, name, field) if name in given else not field.required for name, field in fields.items()
    )


def _right(rows: list[dict[str, Any]], name: str, field: Field) -> bool:
    try:
        values = list(map(itemgetter(name), rows))
    except KeyError:  # some row does not give it
        if field.required:
            return False
        values = [row[name] for row in rows if name in row]
    kinds = set(map(type, values))
    if field.nullable and type(None) in kinds:
        values = [value for value in values if value is not None]
        kinds.discard(type(None))
    if not kinds:
        return True
    if kinds != {field.kind}:  # a whole number too: the model makes a float of it
        return False
    if field.kind is float:
        return all(map(isfinite, values))
    lengths = set(map(len, values))
    return field.shortest <= min(lengths) and max(lengths) <= field.longest


@lru_cache(maxsize=16)
def fields_of(table: type) -> dict[str, Field]:
    """The fields of a table's rows, from their model. Raises TypeError for one that this module does not understand."""
    schema: Any = TypeAdapter(table).core_schema
    return {name: _field(name, about) for name, about in schema["fields"].items()}


def _field(name: str, about: Mapping[str, Any]) -> Field:
    schema = about["schema"]
    nullable = schema["type"] == "nullable"
    plain = dict(schema["schema"] if nullable else schema)
    plain.pop("metadata", None)  # of the documentation alone
    kind = {"str": str, "float": float}.get(plain.pop("type"))
    shortest, longest = plain.pop("min_length", 0), plain.pop("max_length", 2**31)
    if kind is None or plain:
        raise TypeError(f"{name}: {schema} is more than row_checks knows to check; teach it, and its test")
    return Field(about["required"], nullable, kind, shortest, longest)
