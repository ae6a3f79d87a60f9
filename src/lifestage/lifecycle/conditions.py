"""A policy's conditions and sentences, checked against the published columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from string import Formatter

import duckdb
import pyarrow as pa
from sqlglot import exp

from lifestage.errors import InputError
from lifestage.expressions import parse_expression, referenced, to_sql
from lifestage.lifecycle import engine
from lifestage.lifecycle.columns import Published


def condition(
    text: str, columns: Mapping[str, Published], where: str, values: Mapping[str, tuple[str, ...]]
) -> exp.Expression:
    """One checked condition.

    `values` lists, for text columns with a fixed set of values, what a comparison may name. Raises
    InputError for an unknown column, a forbidden function, a value that never occurs, or an expression that
    is not true or false.
    """
    tree = parse_expression(text, columns, where)
    for column, known in values.items():
        for value in _compared(tree, column):
            if value not in known:
                close = get_close_matches(value, known, n=1, cutoff=0.5)
                hint = f"did you mean '{close[0]}'?" if close else f"known are: {', '.join(known) or 'none'}"
                raise InputError(f"{where}: {column} is never '{value}'; {hint}")
    read = {name: columns[name].type for name in sorted(referenced(tree))} or {"customer_id": pa.string()}
    try:
        type_ = engine.type_of(to_sql(tree), read)
    except duckdb.Error as error:
        raise InputError(f"{where}: cannot be evaluated: {first_line(error)}; correct it") from None
    if type_ != "BOOLEAN":
        raise InputError(
            f"{where}: gives a value of type {type_}, expected true or false; "
            "write a comparison, e.g. order_count > 0"
        )
    return tree


def _compared(tree: exp.Expression, column: str) -> list[str]:
    """Text literals that the expression compares with a column by =, <> or IN."""
    found = []
    for node in tree.find_all(exp.EQ, exp.NEQ, exp.In):
        sides = [node.this, *node.args.get("expressions", [])]
        if "expression" in node.args:
            sides.append(node.args["expression"])
        if any(isinstance(side, exp.Column) and side.name == column for side in sides):
            found += [str(side.this) for side in sides if isinstance(side, exp.Literal) and side.is_string]
    return found


def first_line(error: Exception) -> str:
    """The engine's own words, without its picture of the query."""
    return str(error).strip().split("\n", maxsplit=1)[0]


_FORMATS = {
    "days": ("%.0f", 1.0),
    "orders": ("%.0f", 1.0),
    "refunds": ("%.0f", 1.0),
    "currency": ("%.2f", 1.0),
    "probability": ("%.0f%%", 100.0),
    "percentile": ("%.0f%%", 100.0),
}
"""How a number of each unit reads in a sentence, and its factor; any other number has one decimal."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text with a place (%) for each of `columns`, whose numbers are multiplied by `factors` first."""

    text: str
    columns: tuple[str, ...]
    factors: tuple[float, ...]


def sentence(template: str, columns: Mapping[str, Published], where: str) -> Sentence:
    """The sentence of a template whose {column} places stand for a customer's values.

    Raises InputError for anything but a published column between braces.
    """
    try:
        parts = list(Formatter().parse(template))
    except ValueError:
        raise InputError(f"{where}: '{template}' has a brace without its pair; write {{column}}") from None
    text, names, factors = "", [], []
    for literal, name, spec, conversion in parts:
        text += literal.replace("%", "%%")
        if name is None:
            continue
        if name not in columns or spec or conversion:
            written = name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            close = get_close_matches(written, list(columns), n=1, cutoff=0.5)
            hint = f"did you mean '{{{close[0]}}}'?" if close else "name a published column"
            raise InputError(f"{where}: unknown place '{{{written}}}'; {hint}")
        number = pa.types.is_floating(columns[name].type)
        shape, factor = _FORMATS.get(columns[name].unit, ("%.1f", 1.0)) if number else ("%s", 1.0)
        text, names, factors = text + shape, [*names, name], [*factors, factor]
    return Sentence(text, tuple(names), tuple(factors))
