"""Reports as self-contained HTML pages: nothing is fetched, no script runs; whatever comes from data is escaped."""

from collections.abc import Callable, Mapping
from functools import partial
from importlib.resources import files
from typing import Any, NamedTuple

from jinja2 import BaseLoader, ChoiceLoader, Environment, FunctionLoader, StrictUndefined


class Words(NamedTuple):
    """One thing said twice."""

    en: str
    zh: str


def environment(package: str, filters: Mapping[str, Callable[..., Any]]) -> Environment:
    """Templates of `package`, behind them those that all pages share: macros.html and style.css."""
    places: list[BaseLoader] = [FunctionLoader(partial(_source, of)) for of in (package, __name__)]
    made = Environment(
        loader=ChoiceLoader(places),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= dict(filters)
    return made


def _source(package: str, name: str) -> str | None:
    path = files(package).joinpath(name)
    return path.read_text(encoding="utf-8") if path.is_file() else None
