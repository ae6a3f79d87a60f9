"""Documents that people write: safe YAML, frozen models, and mistakes told one line each with their place."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from lifestage.errors import InputError
from lifestage.yaml_slips import yaml_slip


def known(names: Iterable[str], key: str) -> str:
    """The end of a sentence about an unknown `key`: the nearest right name, else all of them."""
    close = get_close_matches(key, list(names), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else f"; known are: {', '.join(sorted(names))}"


class Model(BaseModel):
    """Frozen; an unknown key is an error that names the nearest right one."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for key, value in data.items():
                if key not in cls.model_fields:
                    hint = "; write ':' and a space after a key, not '：'" if "：" in str(key) else ""
                    raise PydanticCustomError(
                        "unknown_key",
                        f"unknown key '{key}'{hint or known(cls.model_fields, str(key))}",
                        {"key": key},
                    )
                if isinstance(value, bool) and cls.model_fields[key].annotation is not bool:
                    raise ValueError(
                        f"'{key}' is {str(value).lower()} (YAML reads yes, no, on and off so); put a text in quotes"
                    )
        return data


NAME = r"^[a-z][a-z0-9_]{0,62}$"
"""The pattern of names."""
EXPECTED = {
    "missing": "is required",
    "model_type": "expected a mapping with the keys below it, found something else",
    "string_pattern_mismatch": "expected the pattern {pattern}{words}",
}
"""Our words for pydantic's error types."""
_IN_WORDS = {NAME: ": small English letters, digits and _, beginning with a letter"}
_SHOWN = {"labels": "; write labels: {en: ..., zh: ...}", "because": "; write because: {en: ..., zh: ...}"}
"""What to write, by key."""


def repeated(names: Sequence[str], part: str, key: str) -> None:
    """Refuses, from within a model, items of the list `part` of which two have the same `key`, at the second one's."""
    for i, name in enumerate(names):
        if name in names[:i]:
            first = names.index(name) + 1
            raise PydanticCustomError(
                "repeated",
                f"{part}: the {key} '{name}' stands twice, as number {first} and number {i + 1}; names must differ",
                {"path": (part, i, key)},
            )


AnyModel = TypeVar("AnyModel", bound=Model)
Place = Callable[[Any, tuple[int | str, ...]], str]


def dotted(_document: Any, location: tuple[int | str, ...]) -> str:
    """The place of a mistake as keys with dots between them."""
    return ".".join(str(step) for step in location) or "(top)"


def nowhere(_location: Sequence[Any], _offset: int | None = None) -> str:
    """The place in a document that has no lines."""
    return ""


def validate(
    model: type[AnyModel],
    document: Any,
    where: str,
    place: Place = dotted,
    at: Callable[[tuple[Any, ...]], str] = nowhere,
) -> AnyModel:
    """A checked document; `where` names it in errors, `place` the key at fault, `at` its line and column.

    Raises InputError with one line per mistake.
    """
    if not isinstance(document, dict):
        required = [name for name, field in model.model_fields.items() if field.is_required()]
        hint = "; write ':' and a space after a key, not '：'" if "：" in str(document) else ""
        raise InputError(
            f"{where}: expected a YAML mapping with keys such as '{required[0]}' and '{required[-1]}'{hint}"
        )
    try:
        return model.model_validate(document)
    except ValidationError as error:
        lines = []
        for e in error.errors():
            said = e.get("ctx", {})
            words = _IN_WORDS.get(said.get("pattern", ""), "")
            ours = EXPECTED.get(e["type"], "").format(**{**said, "words": words})
            if e["type"] in ("missing", "model_type") and e["loc"]:
                ours += _SHOWN.get(str(e["loc"][-1]), "")
            message = ours or e["msg"].removeprefix("Value error, ")
            value = e["input"]
            shown = f" (got {value!r})" if isinstance(value, str | int | float) else ""
            # Of a mistake that a whole mapping makes the key is told, or begins the message.
            path = said.get("path") or (said.get("key") or message.split(":", maxsplit=1)[0],)
            found = where + at((*e["loc"], *path))
            lines.append(
                ": ".join(part for part in (found, place(document, e["loc"]), message) if part) + shown
            )
        raise InputError("\n".join(lines)) from None


class _OnceEach(yaml.SafeLoader):
    """Safe YAML in which a repeated key is an error instead of the last one winning silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen and isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key.value}' stands twice", key.start_mark
                )
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
        return super().construct_mapping(node, deep)


def read_yaml(content: bytes | str, where: str) -> Any:
    """The value of a YAML document in UTF-8; a key that stands twice is refused. Raises InputError."""
    try:
        text = content if isinstance(content, str) else content.decode("utf-8")
        return yaml.load(text, Loader=_OnceEach)
    except UnicodeDecodeError:
        raise InputError(f"{where}: is not UTF-8 text; save it as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = str(getattr(error, "problem", error))
        if mark is None:
            raise InputError(f"{where}: is not valid YAML: {problem}{_hint(problem)}") from None
        lines = text.split("\n")
        slip = yaml_slip(lines, mark.line, mark.column, problem)
        line, column = (mark.line, mark.column) if slip is None else (slip.line, slip.column)
        told = f"{problem}{_hint(problem)}"
        if slip is not None:
            told = slip.hint if slip.sure else f"{problem}; {slip.hint}"
        raise InputError(
            f"{where}: is not valid YAML (line {line + 1}, column {column + 1}): {told}"
        ) from None


def _hint(problem: str) -> str:
    return next((f"; {hint}" for words, hint in _HINTS.items() if words in problem), "")


_HINTS = {
    "mapping values are not allowed": "put a text that holds ': ' in quotes, or begin a key on a line of its own",
    "'\\t'": "indent with spaces, not with tabs",
    "cannot start any token": "put a text that begins with @, `, % or a tab in quotes",
    "could not find expected ':'": "a key lacks its ':', or a quotation mark is not closed further up",
    "unexpected end of stream": "a quotation mark is not closed",
    "expected <block end>": "this line does not stand below the ones before it; give it the same indentation",
    "expected ',' or": "a bracket or brace opened further up is not closed, a comma is missing, or a text "
    "that holds ': ' or ',' needs quotes",
    "undefined alias": "put a text that begins with * or & in quotes",
}
"""The YAML reader's words -> what a person most often did."""
