"""A large request checked by column: taken, refused and told of exactly as its model does it row after row."""

import json
from collections.abc import Callable
from typing import Any

import jiter
import pytest

from serving import row_checks
from serving.bodies import by_customer
from serving.models import ExplainRequest, Purchase, ScoreRequest
from serving.problems import ProblemError
from tests.serving.malformed import HISTORY, bodies

GOOD: dict[str, dict[str, Any]] = {
    "purchases": {"ordered_at": "2023-01-01", "amount": 10.5},
    "events": {"occurred_at": "2023-01-01", "event_type": "view"},
    "feedback": {"submitted_at": "2023-01-01", "kind": "nps"},
    "subscriptions": {"started_at": "2023-01-01"},
}
ODD = [None, True, 7, 1e300, float("inf"), 10**400, "", "x", "x" * 40, "x" * 41, "é" * 256, "é" * 257, [], {}]


def outcome(body: bytes) -> tuple[Any, ...]:
    try:
        request, places, failures = by_customer(ScoreRequest, body)
    except ProblemError as problem:
        return (problem.body(),)
    return request.model_dump(), [type(v) for v in values(request.customers)], places, failures


def values(found: Any) -> list[Any]:
    if isinstance(found, dict | list):
        inner = [found[name] for name in sorted(found)] if isinstance(found, dict) else found
        return [value for one in inner for value in values(one)]
    return [found]


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], tuple[Any, ...]]:
    """The outcome by column, which must be that of the model alone."""

    def compare(body: bytes) -> tuple[Any, ...]:
        monkeypatch.setattr(row_checks, "MANY", 1 << 30)
        alone = outcome(body)
        monkeypatch.setattr(row_checks, "MANY", 1)
        assert outcome(body) == alone
        return alone

    return compare


def test_malformed_bodies(both: Callable[[bytes], tuple[Any, ...]]) -> None:
    for sent in bodies(300, 5, ["/v1/score"]):
        if len(sent.content) < 100_000:
            both(sent.content)


@pytest.mark.parametrize("table", GOOD)
def test_every_field_with_odd_values(both: Callable[[bytes], tuple[Any, ...]], table: str) -> None:
    names = row_checks.fields_of(row_checks.TABLES[table])
    odd = [{**GOOD[table], name: value} for name in (*names, "no_field") for value in ODD]
    odd += [{n: v for n, v in GOOD[table].items() if n != name} for name in GOOD[table]]
    for row in (*odd, None, [], 7):
        customers = [
            {"customer_id": "a", table: [GOOD[table], row]},
            {"customer_id": "b", table: [GOOD[table]]},
        ]
        both(json.dumps({"customers": customers}).replace("Infinity", "1e999").encode())


@pytest.mark.parametrize("table", [None, {}, 7, [None], ["x"], [[]]])
def test_tables_that_are_none(both: Callable[[bytes], tuple[Any, ...]], table: Any) -> None:
    both(json.dumps({"customers": [{"customer_id": "a", "purchases": table}]}).encode())


def test_what_is_right_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_checks, "MANY", 1)
    document = jiter.from_json(json.dumps(HISTORY).encode())
    for model in (ScoreRequest, ExplainRequest):
        found = row_checks._by_column(model, document)
        assert found is not None
        assert found == model.model_validate(document)
        assert found.customers[0]["purchases"] is document["customers"][0]["purchases"]


def test_the_models_say_what_is_checked() -> None:
    fields = row_checks.fields_of(Purchase)
    assert list(fields) == list(Purchase.__annotations__)
    assert fields["ordered_at"] == row_checks.Field(True, False, str, 0, 40)
    assert fields["amount"] == row_checks.Field(True, False, float, 0, 1 << 31)
    assert fields["discount"] == row_checks.Field(False, True, float, 0, 1 << 31)


def test_a_rule_that_is_not_known_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"amount: .*'ge': 0.* is more than row_checks knows"):
        row_checks._field("amount", {"schema": {"type": "float", "ge": 0}, "required": True})
