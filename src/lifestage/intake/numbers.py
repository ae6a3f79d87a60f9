"""Rewrites of a checked user expression, so that it means the same over text (CSV) and over typed columns."""

import re
from collections.abc import Mapping

from sqlglot import exp

_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod)
_COMPARISON = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
_OF_NUMBERS = (exp.Neg, exp.Abs, exp.Sign, exp.Round, exp.Floor, exp.Ceil, exp.Ln, exp.Log, exp.Exp)
_ROOTS = (exp.Sqrt, exp.Pow, exp.UnixToTime)
_PASSING = (exp.Paren, exp.Coalesce, exp.Nullif, exp.Greatest, exp.Least, exp.Case, exp.If)
_OF_TEXT = (exp.Trim, exp.Replace, exp.Substring, exp.Left, exp.Right, exp.SplitPart, exp.RegexpExtract)
_MORE_TEXT = (exp.RegexpReplace, exp.Concat, exp.DPipe, exp.Lower, exp.Upper)
_WHOLE = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT|U?INTEGER|DECIMAL.*")
"""Types in whose arithmetic the engine stops at an overflow."""


def is_number(kind: str) -> bool:
    """Whether a DuckDB type is one of numbers."""
    return kind in ("DOUBLE", "FLOAT") or is_whole(kind)


def is_whole(kind: str) -> bool:
    """Whether a DuckDB type is one of integers or decimals."""
    return _WHOLE.fullmatch(kind) is not None


def typed(tree: exp.Expression, types: Mapping[str, str]) -> exp.Expression:
    """The same expression with what it leaves unsaid about types spelt out.

    `types` is the DuckDB type of each column. A text operand of arithmetic, or one compared with a number, is
    read as a number; whole numbers are multiplied as doubles, which cannot overflow; `strptime` gives NULL for
    a text of another format; `epoch_ms` is an instant (in DuckDB it is UTC without saying so, and would be
    taken for local time).
    """
    tree = tree.copy()
    for node in list(tree.find_all(*_ARITHMETIC)):
        if not any(isinstance(side, exp.Interval) for side in (node.left, node.right)):
            _read(node, ("this", "expression"), types, widen=True)
    for node in list(tree.find_all(*_OF_NUMBERS, *_ROOTS)):
        _read(node, ("this", "expression"), types, widen=False)
    for node in list(tree.find_all(*_COMPARISON)):
        if _numeric(node.left, types) or _numeric(node.right, types):
            _read(node, ("this", "expression"), types, widen=False)
    for node in list(tree.find_all(exp.Between)):
        if _numeric(node.args["low"], types) or _numeric(node.args["high"], types):
            _read(node, ("this",), types, widen=False)
    for node in list(tree.find_all(exp.In)):
        if any(_numeric(value, types) for value in node.expressions):
            _read(node, ("this",), types, widen=False)
    return tree.transform(_forgiving)


def _read(node: exp.Expression, keys: tuple[str, ...], types: Mapping[str, str], *, widen: bool) -> None:
    for key in keys:
        if isinstance(child := node.args.get(key), exp.Expression):
            node.set(key, _as_number(child, types, widen=widen))


def _type(node: exp.Expression, types: Mapping[str, str]) -> str:
    return types.get(node.name, "") if isinstance(node, exp.Column) else ""


def _as_number(node: exp.Expression, types: Mapping[str, str], *, widen: bool) -> exp.Expression:
    if isinstance(node, exp.Column):
        kind = _type(node, types)
        if kind == "VARCHAR" or (widen and is_whole(kind)):
            return exp.TryCast(this=node.copy(), to=exp.DataType.build("DOUBLE"))
        return node
    if isinstance(node, (*_OF_TEXT, *_MORE_TEXT)) or (isinstance(node, exp.Literal) and node.is_string):
        return exp.TryCast(this=node.copy(), to=exp.DataType.build("DOUBLE"))
    if isinstance(node, _PASSING):
        keys: tuple[str, ...] = ("this", "expression")
        if isinstance(node, exp.Case):  # `this` and the conditions are not the value
            keys = ("default",)
        elif isinstance(node, exp.If):
            keys = ("true", "false")
        _read(node, keys, types, widen=widen)
        for child in (*node.expressions, *node.args.get("ifs", ())):
            if isinstance(child, exp.If):
                _read(child, ("true",), types, widen=widen)
            else:
                child.replace(_as_number(child, types, widen=widen))
    return node


def _numeric(node: exp.Expression, types: Mapping[str, str]) -> bool:
    """Whether an expression is a number by its look."""
    if isinstance(node, exp.Paren):
        return _numeric(node.this, types)
    if isinstance(node, exp.Literal):
        return not node.is_string
    if isinstance(node, exp.Column):
        return is_number(_type(node, types))
    if isinstance(node, (exp.Cast, exp.TryCast)):
        return bool(node.to.this in exp.DataType.NUMERIC_TYPES)
    return isinstance(node, (*_ARITHMETIC, *_OF_NUMBERS))


def _forgiving(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.StrToTime):
        return exp.Anonymous(this="try_strptime", expressions=[node.this, node.args["format"]])
    if isinstance(node, exp.UnixToTime) and node.args.get("scale") is not None:
        micros = exp.Mul(this=exp.Paren(this=node.this), expression=exp.Literal.number(1000))
        whole = exp.Cast(this=exp.Paren(this=micros), to=exp.DataType.build("BIGINT"))
        return exp.Anonymous(this="make_timestamptz", expressions=[whole])
    return node
