"""A request's body: JSON in the strict sense, checked against its model, customer by customer where one may fail."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import jiter
from pydantic import BaseModel, ValidationError

from serving.problems import ProblemError, bad, fault, invalid
from serving.row_checks import validate

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Failure:
    """A customer who could not be scored: place in the request, and what to mend where."""

    index: int
    customer_id: str | None
    path: str
    message: str

    def entry(self) -> dict[str, Any]:
        return {
            "index": self.index,
            "customer_id": self.customer_id,
            "path": self.path,
            "message": self.message,
        }


def parse(body: bytes) -> Any:
    """Raises ProblemError for what is no JSON text in UTF-8: RFC 8259, names unique, no NaN."""
    try:
        return jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="keys")
    except ValueError as error:
        why = str(error)
        if why.startswith("Detected duplicate key"):
            raise bad(
                f"the body is no JSON: {why.replace('Detected duplicate', 'the')} stands twice"
            ) from None
        raise bad(f"the body is no JSON: {why}") from None


def whole(model: type[Model], body: bytes) -> Model:
    """The request, all of it right. Raises ProblemError."""
    try:
        return model.model_validate(parse(body))
    except ValidationError as error:
        raise invalid(error) from None


def by_customer(model: type[Model], body: bytes) -> tuple[Model, list[int], list[Failure]]:
    """The request with the customers that are right, the place of each in the body, and what is wrong with the others.

    Raises ProblemError where something else is wrong, or every customer.
    """
    document = parse(body)
    try:
        request = validate(model, document)
    except ValidationError as error:
        wrong: dict[int, Failure] = {}
        for detail in error.errors(include_url=False, include_context=False):
            location = detail["loc"]
            if len(location) < 2 or location[0] != "customers" or not isinstance(location[1], int):
                raise invalid(error) from None
            place = location[1]
            if place not in wrong:  # one fault each: a customer may have thousands
                wrong[place] = Failure(place, name_of(document["customers"][place]), **fault(detail))
        kept = [i for i in range(len(document["customers"])) if i not in wrong]
        if not kept:
            raise invalid(error) from None
        customers = [document["customers"][i] for i in kept]
        return model.model_validate({**document, "customers": customers}), kept, list(wrong.values())
    return request, list(range(len(document["customers"]))), []


def name_of(customer: Any) -> str | None:
    """The id that a customer gives, if it is one."""
    name = customer.get("customer_id") if isinstance(customer, Mapping) else None
    return name[:256] if isinstance(name, str) else None


def none_left(failures: list[Failure]) -> ProblemError:
    """Nobody could be scored."""
    first, more = failures[0], len(failures) - 1
    problem = bad(f"{first.path}: {first.message}" + (f" (and {more} more)" if more else ""))
    problem.path = first.path
    problem.errors = [{"path": f.path, "message": f.message} for f in failures[:20]]
    return problem
