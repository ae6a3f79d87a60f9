"""A policy's conditions, checked against the published columns."""

from collections.abc import Mapping
from difflib import get_close_matches

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
