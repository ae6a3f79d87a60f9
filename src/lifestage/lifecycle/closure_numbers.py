"""Numbers, arithmetic and casts as plain Python functions of one row; see `closures`."""

import math
import operator
import re
from collections.abc import Callable
from typing import Any

from sqlglot import exp

from lifestage.lifecycle import closure_functions as functions
from lifestage.lifecycle.kinds import (
    ANY_NUMBER,
    BOOLEAN,
    DOUBLE,
    EXACT,
    NULL,
    NUMBER,
    SAFE,
    TEXT,
    TRUTH,
    VARCHAR,
    Operand,
    Row,
    UncertainError,
    alike,
    brought,
    constant,
    exact,
)

_WHOLE, _DECIMAL = re.compile(r"\d+"), re.compile(r"(\d*)\.(\d*)")
_FLOAT = re.compile(r"(\d+\.?\d*|\.\d+)[eE][-+]?\d+")
_INTEGER = 2**31 - 1
_TYPE = exp.DataType.Type
_WHOLE_TYPES = {_TYPE.SMALLINT: 2**15 - 1, _TYPE.INT: _INTEGER, _TYPE.BIGINT: SAFE}
_SUMS = {exp.Add: operator.add, exp.Sub: operator.sub, exp.Mul: operator.mul}
_QUOTIENTS = {exp.Div: functions.divided, exp.Mod: functions.remainder}


def pair(a: Operand, b: Operand, f: Callable[[Any, Any], Any]) -> Callable[[Row], Any]:
    """NULL where an operand is."""
    left, right = a.of, b.of
    if b.fixed and (known := right({})) is not None:
        return lambda row: None if (v := left(row)) is None else f(v, known)
    return lambda row: None if (v := left(row)) is None or (w := right(row)) is None else f(v, w)


def literal(tree: exp.Expression) -> Operand:
    """A number or a text as it is written."""
    text = str(tree.this)
    if tree.args["is_string"]:
        return constant(TEXT, text)
    if _WHOLE.fullmatch(text):
        number = int(text)
        if number == _INTEGER + 1:
            raise UncertainError("with a minus it is of another type")
        return constant(exact(number, number, 0, _INTEGER if number <= _INTEGER else SAFE), number)
    if match := _DECIMAL.fullmatch(text):
        number = int(match[1] + match[2])
        return constant(exact(number, number, len(match[2])), number)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return constant(NUMBER, float(text))
    raise UncertainError(f"number {text}")


def arithmetic(tree: exp.Expression, a: Operand, b: Operand) -> Operand:
    """a + b, a - b, a * b, a / b and a % b."""
    if not {a.kind.name, b.kind.name} <= {EXACT, DOUBLE}:
        raise UncertainError(f"'{tree.sql()}'")
    f = _SUMS.get(type(tree))
    if a.kind.name == b.kind.name == EXACT and f is not None:
        return _exact(a, b, f)
    if f is None:
        if type(tree) is exp.Mod and a.kind.name == b.kind.name == EXACT:
            raise UncertainError(f"'{tree.sql()}' of whole numbers")
        f = _QUOTIENTS[type(tree)]
    return Operand(ANY_NUMBER, pair(brought(a, NUMBER), brought(b, NUMBER), f))


def _exact(a: Operand, b: Operand, f: Callable[[int, int], int]) -> Operand:
    """Sums and products of whole numbers and decimals."""
    if f is operator.mul:
        scale = a.kind.scale + b.kind.scale
        limit = SAFE if scale else min(a.kind.limit, b.kind.limit)
    else:
        kind, (a, b) = alike(a, b)
        scale, limit = kind.scale, kind.limit
    ends = [f(x, y) for x in (a.kind.low, a.kind.high) for y in (b.kind.low, b.kind.high)]
    return Operand(exact(min(ends), max(ends), scale, limit), pair(a, b, f), a.fixed and b.fixed)


def negative(tree: exp.Expression, a: Operand) -> Operand:
    """-a."""
    kind, of = a.kind, a.of
    if kind.name == EXACT:
        kind = exact(-kind.high, -kind.low, kind.scale, kind.limit)
    elif kind.name != DOUBLE:
        raise UncertainError(f"'{tree.sql()}'")
    return Operand(kind, lambda row: None if (v := of(row)) is None else -v, a.fixed)


def cast(tree: exp.Expression, made: Operand) -> Operand:
    """CASTs that cannot fail."""
    to = tree.args["to"]
    if to.args.get("expressions") or to.args.get("nested"):
        raise UncertainError(f"'{tree.sql()}'")
    kind, of, type_ = made.kind, made.of, to.this
    if type_ == _TYPE.DOUBLE and kind.name in (DOUBLE, EXACT, NULL):
        found = brought(made, NUMBER)
        return found if kind.name != NULL else constant(NUMBER, None)
    if type_ in _WHOLE_TYPES and kind.name == EXACT and not kind.scale:
        return Operand(exact(kind.low, kind.high, 0, _WHOLE_TYPES[type_]), of, made.fixed)
    if type_ in _WHOLE_TYPES and kind.name == BOOLEAN:
        return Operand(
            exact(0, 1, 0, _WHOLE_TYPES[type_]), lambda row: None if (v := of(row)) is None else int(v)
        )
    if type_ == _TYPE.BOOLEAN and kind.name in (BOOLEAN, NULL):
        return made if kind.name == BOOLEAN else constant(TRUTH, None)
    if type_ in (_TYPE.VARCHAR, _TYPE.TEXT) and kind.name in (VARCHAR, BOOLEAN, NULL):
        if kind.name == BOOLEAN:
            return Operand(TEXT, lambda row: None if (v := of(row)) is None else "true" if v else "false")
        return made if kind.name == VARCHAR else constant(TEXT, None)
    raise UncertainError(f"'{tree.sql()}'")
