"""Calls of functions, and the choices of a CASE, as plain Python functions of one row; see `closures`.

What may fail on a value (logarithms, roots, casts of text), reads text by graphemes or patterns, or deals with dates
is not here: a policy that calls it is DuckDB's alone.
"""

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from sqlglot import exp

from lifestage.lifecycle import closure_functions as functions
from lifestage.lifecycle.kinds import (
    DOUBLE,
    SAFE,
    TEXT,
    TRUTH,
    VARCHAR,
    Closure,
    Kind,
    Operand,
    Row,
    UncertainError,
    alike,
    exact,
)

_FLAGS = frozenset({"safe", "coalesce", "ignore_nulls"})
"""Arguments that the parser adds for DuckDB's own behaviour."""
_ARGUMENTS = _FLAGS | {"this", "expression", "expressions", "substr", "replacement"}
_SHAPE = re.compile(r"%\.[0-2]f(%%)?")
_Maker: TypeAlias = Callable[[list[Operand]], Operand]


def called(tree: exp.Expression, operands: list[Operand]) -> Operand:
    """The function of a row that a call with these arguments stands for. Raises UncertainError."""
    named = isinstance(tree, exp.Anonymous)
    make = _NAMED.get(str(tree.this).lower()) if named else CALLS.get(type(tree))
    used = {key for key, value in tree.args.items() if value not in (None, False, [])}
    if make is None or not used <= _ARGUMENTS:
        raise UncertainError(f"'{tree.sql()}'")
    return make(operands)


def _only(operands: list[Operand], *names: str) -> None:
    if [operand.kind.name for operand in operands] != list(names):
        raise UncertainError("arguments of other types")


def _strict(f: Callable[..., Any], operands: list[Operand]) -> Closure:
    """NULL where an argument is."""
    first, *others = [operand.of for operand in operands]
    if not others:
        return lambda row: None if (v := first(row)) is None else f(v)

    def value(row: Row) -> Any:
        values = [first(row), *(of(row) for of in others)]
        return None if None in values else f(*values)

    return value


def _of(result: Kind, f: Callable[..., Any], *names: str) -> _Maker:
    """A function of arguments of these types."""

    def make(operands: list[Operand]) -> Operand:
        _only(operands, *names)
        return Operand(result, _strict(f, operands))

    return make


def _of_number(f: Callable[[float], float]) -> _Maker:
    """A number of a number: NaN of NaN alone."""

    def make(operands: list[Operand]) -> Operand:
        _only(operands, DOUBLE)
        return Operand(operands[0].kind, _strict(f, operands))

    return make


def _coalesce(operands: list[Operand]) -> Operand:
    kind, made = alike(*operands)
    parts = tuple(part.of for part in made)

    def value(row: Row) -> Any:
        for of in parts:
            if (v := of(row)) is not None:
                return v
        return None

    return Operand(kind, value)


def _nullif(operands: list[Operand]) -> Operand:
    kept = operands[0]
    kind, (a, b) = alike(*operands)
    same = functions.equal if kind.nan else operator.eq
    of, left, right = kept.of, a.of, b.of

    def value(row: Row) -> Any:
        v, w = left(row), right(row)
        return None if v is None or (w is not None and same(v, w)) else of(row)

    return Operand(kept.kind, value)


def _extreme(above: Callable[[Any, Any], bool], above_nan: Callable[[Any, Any], bool]) -> _Maker:
    """greatest and least: of those that are not NULL, the first of equals."""

    def make(operands: list[Operand]) -> Operand:
        kind, made = alike(*operands)
        parts = tuple(part.of for part in made)
        beats = above_nan if kind.nan else above

        def value(row: Row) -> Any:
            found = None
            for of in parts:
                v = of(row)
                if v is not None and (found is None or beats(v, found)):
                    found = v
            return found

        return Operand(kind, value)

    return make


def first_true(cases: Sequence[tuple[Closure, Closure]], otherwise: Closure) -> Closure:
    """The value behind the first test that is true."""

    def value(row: Row) -> Any:
        for test, of in cases:
            if test(row):
                return of(row)
        return otherwise(row)

    return value


def looked_up(
    subject: Operand, sought: Sequence[Operand], then: Sequence[Operand], otherwise: Operand
) -> Closure:
    """A CASE of one value against several known ones, the first of which counts where two are the same."""
    of, other = subject.of, otherwise.of
    found = {one.of({}): value.of for one, value in reversed(list(zip(sought, then, strict=True)))}
    found[None] = other  # NULL is equal to nothing
    return lambda row: found.get(of(row), other)(row)


def _concat(operands: list[Operand]) -> Operand:
    _only(operands, *(VARCHAR for _ in operands))
    parts = tuple(part.of for part in operands)
    return Operand(TEXT, lambda row: "".join(text for of in parts if (text := of(row)) is not None))


def _printf(operands: list[Operand]) -> Operand:
    _only(operands, VARCHAR, DOUBLE)
    shape, number = operands
    if not shape.fixed or not _SHAPE.fullmatch(shape.of({})):
        raise UncertainError("another format")
    return Operand(TEXT, _strict(functions.printed(shape.of({})), [number]))


_LENGTH = exact(0, 2**31, 0, SAFE)
CALLS: dict[type[exp.Expression], _Maker] = {
    exp.Coalesce: _coalesce,
    exp.Nullif: _nullif,
    exp.Greatest: _extreme(operator.gt, functions.greater),
    exp.Least: _extreme(operator.lt, functions.less),
    exp.Abs: _of_number(abs),
    exp.Floor: _of_number(functions.floor),
    exp.Ceil: _of_number(functions.ceil),
    exp.Round: _of_number(functions.rounded),
    exp.Sign: _of(exact(-1, 1, 0, 127), functions.sign, DOUBLE),
    exp.IsNan: _of(TRUTH, functions.is_nan, DOUBLE),
    exp.Lower: _of(TEXT, functions.lower, VARCHAR),
    exp.Upper: _of(TEXT, functions.upper, VARCHAR),
    exp.Length: _of(_LENGTH, len, VARCHAR),
    exp.Replace: _of(TEXT, functions.replace, VARCHAR, VARCHAR, VARCHAR),
    exp.Concat: _concat,
    exp.StartsWith: _of(TRUTH, str.startswith, VARCHAR, VARCHAR),
    exp.EndsWith: _of(TRUTH, str.endswith, VARCHAR, VARCHAR),
    exp.Contains: _of(TRUTH, str.__contains__, VARCHAR, VARCHAR),
    exp.StrPosition: _of(_LENGTH, lambda text, part: text.find(part) + 1, VARCHAR, VARCHAR),
}
"""Functions that the parser knows."""
_NAMED: dict[str, _Maker] = {
    "isfinite": _of(TRUTH, functions.is_finite, DOUBLE),
    "printf": _printf,
}
