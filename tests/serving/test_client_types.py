"""The client's types are the service's: they are compared with its OpenAPI description, field by field."""

import types
from collections.abc import Mapping, Sequence
from datetime import date
from inspect import signature
from typing import (
    Annotated,
    Any,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import pytest

from lifestage_client import Lifestage, LifestageError, answers, model, requests
from serving.app import app

DESCRIPTION = app.openapi()
SCHEMAS = DESCRIPTION["components"]["schemas"]
ANSWERS: dict[tuple[str, str], Any] = {
    ("post", "/v1/score"): answers.ScoreAnswer,
    ("post", "/v1/explain"): answers.ExplainAnswer,
    ("post", "/v1/stage"): answers.StageAnswer,
    ("get", "/v1/customers/{customer_id}"): answers.CustomerAnswer,
    ("post", "/v1/customers:batchGet"): answers.CustomersAnswer,
    ("get", "/v1/stages"): answers.StagesAnswer,
    ("get", "/v1/model"): model.ModelAnswer,
}
BODIES: dict[str, Any] = {
    "/v1/score": requests.Customer,
    "/v1/explain": requests.Customer,
    "/v1/stage": requests.Columns,
}
PLAIN = {str: "string", float: "number", int: "integer", bool: "boolean", type(None): "null", date: "string"}


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = SCHEMAS[schema["$ref"].rpartition("/")[2]]
    return schema


def members(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The alternatives of a schema."""
    schema = resolved(schema)
    found = schema.get("anyOf", schema.get("oneOf"))
    return [schema] if found is None else [member for one in found for member in members(one)]


def alternatives(annotation: Any) -> list[Any]:
    """The alternatives of an annotation; what says that a field may be left out is no part of its type."""
    origin = get_origin(annotation)
    if origin in (Annotated, NotRequired, Required):
        return alternatives(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [member for one in get_args(annotation) for member in alternatives(one)]
    return [annotation]


def kind(annotation: Any) -> str:
    if is_typeddict(annotation) or get_origin(annotation) in (dict, Mapping):
        return "object"
    return "array" if get_origin(annotation) in (list, Sequence) else PLAIN[annotation]


def differences(annotation: Any, schema: Mapping[str, Any], where: str) -> list[str]:
    """One line per place where a type and a schema say different things."""
    ours, theirs = alternatives(annotation), members(schema)
    kinds, wanted = {kind(one) for one in ours}, {one.get("type", "string") for one in theirs}
    if kinds != wanted:
        return [f"{where}: {sorted(kinds)} in the client, {sorted(wanted)} in the service"]
    found: list[str] = []
    for one in theirs:
        own = next(member for member in ours if kind(member) == one.get("type", "string"))
        if one.get("type") == "array":
            found += differences(get_args(own)[0], one["items"], f"{where}[]")
        elif "properties" in one:
            found += fields(own, one, where)
        elif isinstance(one.get("additionalProperties"), dict):
            found += differences(get_args(own)[1], one["additionalProperties"], f"{where}{{}}")
    return found


def fields(typed: Any, schema: Mapping[str, Any], where: str) -> list[str]:
    if not is_typeddict(typed):
        return [f"{where}: is no typed dict in the client"]
    hints = get_type_hints(typed, include_extras=True)
    theirs = schema["properties"]
    found = [f"{where}.{name}: only in the client" for name in hints.keys() - theirs.keys()]
    found += [f"{where}.{name}: only in the service" for name in theirs.keys() - hints.keys()]
    required = set(schema.get("required", ()))
    found += [f"{where}.{name}: required on one side" for name in set(typed.__required_keys__) ^ required]
    for name in hints.keys() & theirs.keys():
        found += differences(hints[name], theirs[name], f"{where}.{name}")
    return found


def test_the_client_knows_every_operation() -> None:
    operations = {(method, path) for path, about in DESCRIPTION["paths"].items() for method in about}
    assert operations == ANSWERS.keys()


@pytest.mark.parametrize(("method", "path"), ANSWERS)
def test_answers_agree(method: str, path: str) -> None:
    answer = DESCRIPTION["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"]
    assert differences(ANSWERS[method, path], answer, path) == []


@pytest.mark.parametrize("path", BODIES)
def test_bodies_agree(path: str) -> None:
    body = resolved(
        DESCRIPTION["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    )
    method = getattr(Lifestage, path.removeprefix("/v1/"))
    assert signature(method).parameters.keys() - {"self"} == body["properties"].keys()
    assert differences(BODIES[path], body["properties"]["customers"]["items"], path) == []


def test_an_error_tells_all_of_a_problem() -> None:
    told = vars(LifestageError("x")).keys()
    assert SCHEMAS["Problem"]["properties"].keys() - {"title"} <= told
    assert differences(answers.Fault, SCHEMAS["Fault"], "Fault") == []


def test_a_drift_would_be_found() -> None:
    """The comparison itself: a field more, a field less, another type, no longer required."""
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "level": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "more": {"type": "array", "items": {"type": "integer"}},
        },
        "required": ["name"],
    }
    assert sorted(differences(answers.Signal, schema, "x")) == [
        "x.level: ['string'] in the client, ['null', 'number'] in the service",
        "x.level: required on one side",
        "x.more: only in the service",
    ]
    assert differences(answers.StageChange, schema, "y")[0].startswith("y.")
