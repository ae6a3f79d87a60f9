"""A policy's expressions, checked against the published columns: conditions, points, named values."""

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

import duckdb
import pyarrow as pa
from sqlglot import exp

from lifestage.errors import PlacedError
from lifestage.expressions import parse_expression, referenced, to_sql
from lifestage.lifecycle import engine
from lifestage.lifecycle.columns import Published

Values = Mapping[str, tuple[str, ...]]
"""For text columns with a fixed set of values, what a comparison may name."""
Labels = Mapping[str, Mapping[str, str]]
"""For the same columns the name behind each label."""
NONE: Labels = MappingProxyType({})
TYPES = {"BOOLEAN": pa.bool_(), "VARCHAR": pa.string()}
_NUMBERS = ("DOUBLE", "FLOAT", "REAL", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DECIMAL")


def condition(
    text: str, columns: Mapping[str, Published], where: str, values: Values, labels: Labels = NONE
) -> exp.Expression:
    """One checked condition; a value that is one of the `labels` is told the name to write.

    Raises PlacedError for an unknown column, a forbidden function, a value that never occurs, or an expression that
    is not true or false.
    """
    tree, type_ = _checked(text, columns, where, values, labels)
    if type_ != "BOOLEAN":
        problem = (
            f"gives a value of type {type_}, expected true or false; write a comparison, e.g. order_count > 0"
        )
        raise PlacedError(where, text, None, problem)
    return tree


def points(
    text: str, columns: Mapping[str, Published], where: str, values: Values, labels: Labels = NONE
) -> exp.Expression:
    """One checked expression that gives a number. Raises PlacedError as `condition` does."""
    tree, type_ = _checked(text, columns, where, values, labels)
    if not type_.startswith(_NUMBERS):
        problem = f"gives a value of type {type_}, expected a number from 0 to 100; write e.g. 100 * p_alive"
        raise PlacedError(where, text, None, problem)
    return tree


def value(text: str, columns: Mapping[str, Published], where: str, values: Values) -> pa.DataType:
    """The type of a named value: float64, string or bool. Raises PlacedError as `condition` does."""
    _, type_ = _checked(text, columns, where, values)
    if type_ not in TYPES and not type_.startswith(_NUMBERS):
        problem = f"gives a value of type {type_}, expected a number, a text, or true or false; cast it"
        raise PlacedError(where, text, None, problem)
    return TYPES.get(type_, pa.float64())


def _checked(
    text: str, columns: Mapping[str, Published], where: str, values: Values, labels: Labels = NONE
) -> tuple[exp.Expression, str]:
    tree = parse_expression(text, columns, where)
    for column, known in values.items():
        for literal in _compared(tree, column):
            if literal not in known:
                offset = text.find(f"'{literal}'")
                close = get_close_matches(literal, known, n=1, cutoff=0.5)
                if name := labels.get(column, {}).get(literal):
                    problem = f"{column} is never '{literal}', which is the label of '{name}'; write '{name}'"
                    raise PlacedError(where, text, max(offset, 0), problem)
                hint = f"did you mean '{close[0]}'?" if close else f"known are: {', '.join(known) or 'none'}"
                raise PlacedError(where, text, max(offset, 0), f"{column} is never '{literal}'; {hint}")
    read = {name: columns[name].type for name in sorted(referenced(tree))} or {"customer_id": pa.string()}
    try:
        return tree, engine.type_of(to_sql(tree), read)
    except duckdb.Error as error:
        problem = f"cannot be evaluated: {first_line(error)}; correct it"
        raise PlacedError(where, text, None, problem) from None


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
