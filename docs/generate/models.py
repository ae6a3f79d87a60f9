"""Pydantic models as tables: each key with its kind, bounds, default and meaning."""

import types
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from generate.table import cell, code, table
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

KINDS = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "true or false",
    date: "date",
    Any: "anything",
}
SIGNS = {Ge: ("at least", "ge"), Gt: ("above", "gt"), Le: ("at most", "le"), Lt: ("below", "lt")}


def inner_models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from inner_models(part)


def kind(annotation: Any, metadata: tuple[Any, ...] = ()) -> str:
    """An annotation in words."""
    origin, parts = get_origin(annotation), get_args(annotation)
    words = KINDS.get(annotation, getattr(annotation, "__name__", str(annotation))) + bounds(metadata)
    if origin is Annotated:
        words = kind(parts[0], (*parts[1:], *metadata))
    elif origin in (Union, types.UnionType):
        words = " or ".join(kind(part, metadata) for part in parts if part is not type(None))
    elif origin is Literal:
        words = ", ".join(code(value) for value in parts)
    elif origin is tuple:
        words = f"list of {kind(parts[0])}"
    elif origin is dict:
        words = f"mapping of {kind(parts[0])} to {kind(parts[1])}"
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        words = f"section {annotation.__name__}"
    return words


def bounds(metadata: tuple[Any, ...]) -> str:
    """The bounds of a number or text in words."""
    flat = [part for item in metadata for part in (item.metadata if isinstance(item, FieldInfo) else [item])]
    words = []
    for item in flat:
        for sign, (word, name) in SIGNS.items():
            if isinstance(item, sign):
                words.append(f"{word} {getattr(item, name):,}")
        if isinstance(item, MinLen):
            words.append("not empty" if item.min_length == 1 else f"at least {item.min_length} long")
        if isinstance(item, MaxLen):
            words.append(f"at most {item.max_length} long")
        if getattr(item, "pattern", None):
            words.append(f"pattern {code(item.pattern)}")
    return f", {' and '.join(words)}" if words else ""


def default(field: FieldInfo) -> str:
    """The default of a key as YAML has it."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or isinstance(value, BaseModel):
        return ""
    if isinstance(value, bool):
        return code(str(value).lower())
    if isinstance(value, tuple):
        return code(f"[{', '.join(map(str, value))}]")
    return code(value if value != "" else '""')


def keys(model: type[BaseModel], prefix: str = "") -> str:
    """One row a key of a model; sections below it stand as rows that point on."""
    rows = []
    for name, field in model.model_fields.items():
        annotation: Any = field.annotation
        words = kind(annotation, tuple(field.metadata))
        rows.append([code(prefix + name), words, default(field), cell(field.description or "")])
    return table(["key", "kind and bounds", "default", "meaning"], rows)


def doc(model: type[BaseModel]) -> str:
    """The model's own docstring, on one line."""
    return " ".join((model.__doc__ or "").split()) if model.__doc__ != BaseModel.__doc__ else ""
