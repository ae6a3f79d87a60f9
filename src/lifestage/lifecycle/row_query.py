"""A policy's query made ready for single rows: every column of its steps as a function, worked out when it is read.

What the steps are is read from the query itself, so that DuckDB and these functions cannot come to differ in it.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from lifestage.lifecycle.closures import compiled
from lifestage.lifecycle.engine import BLOCK
from lifestage.lifecycle.kinds import NUMBER, TEXT, TRUTH, Closure, Kind, Row, UncertainError

_KINDS = {pa.float64(): NUMBER, pa.string(): TEXT, pa.bool_(): TRUTH}


class _Lazy(dict[str, Any]):
    """A row's values; those of the steps' columns come when they are asked for."""

    __slots__ = ("steps",)
    steps: Mapping[str, Closure]

    def __missing__(self, name: str) -> Any:
        value = self[name] = self.steps[name](self)
        return value


class RowQuery:
    """The query for one row at a time."""

    def __init__(self, steps: Mapping[str, Closure], answers: Mapping[str, Closure]) -> None:
        self._steps = steps
        self._answers = answers

    def row(self, values: Row) -> Row:
        """What the query answers for a row of its inputs, NaN handed over as None. Raises UncertainError."""
        row = _Lazy(values)
        row.steps = self._steps
        try:
            return {name: of(row) for name, of in self._answers.items()}
        except (ArithmeticError, RecursionError) as error:
            raise UncertainError(str(error)) from None


def row_query(sql: str, inputs: Mapping[str, pa.DataType]) -> RowQuery | None:
    """The functions behind a query of `plan.Steps` over a block of these columns; None where one is not certain."""
    try:
        kinds = {name: _KINDS[type_] for name, type_ in inputs.items() if type_ in _KINDS}
        return _made(parse_one(sql, dialect="duckdb"), kinds)
    except (UncertainError, SqlglotError, RecursionError):
        return None


def _made(tree: exp.Expression, kinds: dict[str, Kind]) -> RowQuery:
    last, steps = BLOCK, {}
    for step in tree.ctes if isinstance(tree, exp.Select) else ():
        select = step.this
        first, *added = _selected(select, last)
        if not isinstance(first, exp.Star) or any(first.args.values()):
            raise UncertainError(f"step {step.alias}")
        made = {column.alias: compiled(column.this, kinds) for column in added}
        if len(made) < len(added) or not {*map(str.lower, kinds)}.isdisjoint(map(str.lower, made)):
            raise UncertainError(f"step {step.alias}: a column twice")
        kinds |= {name: operand.kind for name, operand in made.items()}
        steps.update({name: operand.of for name, operand in made.items()})
        last = step.alias
    answers = {column.alias_or_name: compiled(column.unalias(), kinds) for column in _selected(tree, last)}
    return RowQuery(steps, {name: operand.of for name, operand in answers.items()})


def _selected(tree: exp.Expression, source: str) -> list[exp.Expression]:
    """What a plain SELECT ... FROM `source` selects."""
    used = {key for key, value in tree.args.items() if value}
    if not isinstance(tree, exp.Select) or not used <= {"expressions", "from_", "with_"}:
        raise UncertainError("another kind of query")
    if tree.args["from_"].this != exp.to_table(source):
        raise UncertainError(f"not from {source}")
    return list(tree.expressions)
