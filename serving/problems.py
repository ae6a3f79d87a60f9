"""Errors as RFC 9457 problem details: what is wrong, where, and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from serving import models
from serving.rows import to_json

MEDIA_TYPE = "application/problem+json"
SHOWN = 20
FIELDS = sorted(
    {
        name
        for model in (
            models.Purchase,
            models.Event,
            models.Answer,
            models.Customer,
            models.Previous,
            models.Scored,
        )
        for name in model.__annotations__
    }
    | {*models.ScoreRequest.model_fields, *models.StageRequest.model_fields}
)


@dataclass
class ProblemError(Exception):
    """An answer other than 2xx."""

    status: HTTPStatus
    kind: str
    detail: str
    path: str | None = None
    errors: list[dict[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        return self.detail

    def body(self) -> bytes:
        about: dict[str, Any] = {
            "type": f"urn:lifestage:problem:{self.kind}",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
        }
        if self.path is not None:
            about["path"] = self.path
        if self.errors:
            about["errors"] = self.errors
        return to_json(about)


def place(path: Sequence[int | str]) -> str:
    """customers[0].purchases[3].amount"""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")


def bad(detail: str, path: Sequence[int | str] = ()) -> ProblemError:
    """A request that its sender can mend."""
    return ProblemError(HTTPStatus.BAD_REQUEST, "invalid-request", detail, place(path) or None)


def invalid(error: ValidationError) -> ProblemError:
    """A body that does not have the documented form."""
    found = error.errors(include_url=False, include_context=False)
    found.sort(key=lambda e: len(e["loc"]) > 1)  # what concerns the whole request first
    faults = [fault(e) for e in found[:SHOWN]]
    first = faults[0]
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    detail = f"{first['path']}: {first['message']}{more}" if first["path"] else f"{first['message']}{more}"
    return ProblemError(HTTPStatus.BAD_REQUEST, "invalid-request", detail, first["path"] or None, faults)


def fault(error: ErrorDetails) -> dict[str, str]:
    """Path and message of what a model found wrong."""
    # In a union the last steps name its members, which are no fields of the body.
    path = [step for step in error["loc"] if not (isinstance(step, str) and step in ("bool", "float", "str"))]
    kind, message = error["type"], error["msg"]
    if kind == "extra_forbidden":
        close = _closest(str(path[-1])[:64])
        message = "unknown field" + (f"; did you mean '{close}'?" if close else "")
    elif kind == "too_long" and len(path) == 1:
        message += "; send the customers in several requests"
    elif kind in ("model_type", "model_attributes_type"):
        message = 'expected a JSON object such as {"customers": [...]}'
    return {
        "path": place([step if isinstance(step, int) else str(step)[:64] for step in path]),
        "message": message,
    }


@lru_cache(maxsize=1_000)
def _closest(name: str) -> str | None:
    """The field that an unknown one was meant to be."""
    close = get_close_matches(name, FIELDS, n=1, cutoff=0.6)
    return close[0] if close else None
