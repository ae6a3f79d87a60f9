"""SQL scalar expressions that people write in YAML: parsed, checked against an allow-list, made canonical.

A configuration's column mapping and a policy's condition are both one scalar expression in DuckDB's
dialect. What runs is never the text itself but the canonical SQL of its checked syntax tree, so whatever
the tree may hold is all that can happen: arithmetic, comparison, text and calendar functions over known
columns. Nothing here reads a file, a setting, a random number or the clock.
"""

from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches
from typing import NoReturn

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokens import Token, TokenType

from lifestage.errors import PlacedError
from lifestage.expression_slips import number_slip

MAX_CHARACTERS = 10_000
MAX_DEPTH = 200
"""Levels of the syntax tree; beyond it Python's or the engine's own recursion limit would strike."""

_OPERATORS: frozenset[type[exp.Expression]] = frozenset(
    {exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren}
    | {exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.DPipe}
    | {exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Is}
    | {exp.And, exp.Or, exp.Not, exp.Between, exp.In, exp.Like, exp.ILike, exp.Escape}
    | {exp.Case, exp.If, exp.Cast, exp.TryCast, exp.DataType, exp.DataTypeParam}
    | {exp.Interval, exp.Var, exp.AtTimeZone}
)
_FUNCTIONS: dict[type[exp.Expression], str] = {
    **{exp.Coalesce: "coalesce", exp.Nullif: "nullif", exp.Greatest: "greatest", exp.Least: "least"},
    **{exp.Abs: "abs", exp.Sign: "sign", exp.Round: "round", exp.Floor: "floor", exp.Ceil: "ceil"},
    **{exp.Ln: "ln", exp.Log: "log", exp.Exp: "exp", exp.Sqrt: "sqrt", exp.Pow: "power"},
    **{exp.IsNan: "isnan", exp.Lower: "lower", exp.Upper: "upper", exp.Trim: "trim"},
    **{exp.Replace: "replace", exp.Substring: "substring", exp.Left: "left", exp.Right: "right"},
    **{exp.Length: "length", exp.Concat: "concat", exp.ConcatWs: "concat_ws", exp.SplitPart: "split_part"},
    **{exp.StartsWith: "starts_with", exp.EndsWith: "ends_with", exp.Contains: "contains"},
    **{exp.StrPosition: "strpos", exp.RegexpLike: "regexp_matches", exp.RegexpExtract: "regexp_extract"},
    **{exp.RegexpReplace: "regexp_replace", exp.StrToTime: "strptime", exp.TimeToStr: "strftime"},
    **{exp.DateDiff: "date_diff", exp.TimestampTrunc: "date_trunc", exp.DateTrunc: "date_trunc"},
    **{exp.DateFromParts: "make_date", exp.TimestampFromParts: "make_timestamp", exp.Extract: "extract"},
    **{exp.Year: "year", exp.Month: "month", exp.Day: "day", exp.DayOfWeek: "dayofweek", exp.Hour: "hour"},
    **{exp.UnixToTime: "to_timestamp"},
}
_ANONYMOUS = frozenset({"date_part", "isfinite", "try_strptime", "weekday"})
"""Allowed functions that the parser knows by name only."""
FUNCTIONS: tuple[str, ...] = tuple(
    sorted({*_FUNCTIONS.values(), *_ANONYMOUS, "case", "if", "ifnull", "cast", "try_cast", "epoch_ms"})
)
"""Every allowed function, as a user writes it."""

_T = exp.DataType.Type
_TYPES = frozenset(
    {_T.BOOLEAN, _T.TINYINT, _T.SMALLINT, _T.INT, _T.BIGINT, _T.INT128, _T.UTINYINT, _T.USMALLINT, _T.UINT}
    | {_T.UBIGINT, _T.FLOAT, _T.DOUBLE, _T.DECIMAL, _T.VARCHAR, _T.TEXT, _T.DATE, _T.TIME}
    | {_T.TIMESTAMP, _T.TIMESTAMPTZ, _T.TIMESTAMPNTZ}
)
TYPES = "BOOLEAN, BIGINT, DOUBLE, DECIMAL(p, s), VARCHAR, DATE, TIME, TIMESTAMP or TIMESTAMPTZ"
_SPANS = ("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND")
_PARTS = ("DOW", "ISODOW", "DAYOFWEEK", "DOY", "DAYOFYEAR", "WEEKDAY", "EPOCH", "ISOYEAR")
_UNITS = frozenset({*_SPANS, *(f"{span}S" for span in _SPANS), *_PARTS})
_DIALECT = DuckDB()


def parse_expression(text: str, columns: Collection[str], where: str) -> exp.Expression:
    """One checked scalar expression over `columns`, whose names it spells as `columns` does.

    `where` names the expression in errors, e.g. "configs/shop.yaml: sources.transactions.columns.amount".
    Columns match without regard to case, like in DuckDB, quoted or not. Raises InputError with `where`,
    line, column, what is wrong and what to do.
    """
    if not isinstance(text, str) or not text.strip():
        _fail(where, str(text), None, f"expected a SQL expression, got {text!r}; write e.g. a column's name")
    if len(text) > MAX_CHARACTERS:
        problem = f"has {len(text)} characters, at most {MAX_CHARACTERS}; make it shorter"
        _fail(where, text, None, problem)
    try:
        tree = _parse(text, where)
        _check(tree, text, columns, where)
        to_sql(tree)
    except RecursionError:
        _fail(where, text, None, "is nested too deeply; make it simpler")
    return tree


def to_sql(expression: exp.Expression) -> str:
    """Canonical DuckDB SQL, every identifier quoted; put it in parentheses before embedding it."""
    return str(expression.sql(dialect=_DIALECT, identify=True, comments=False))


def referenced(expression: exp.Expression) -> frozenset[str]:
    """Names of the columns an expression reads."""
    return frozenset(str(column.name) for column in expression.find_all(exp.Column))


def _fail(where: str, text: str, offset: int | None, problem: str) -> NoReturn:
    raise PlacedError(where, text, offset, problem)


def _parse(text: str, where: str) -> exp.Expression:
    if "\x00" in text:
        _fail(where, text, text.index("\x00"), "holds a NUL character; remove it")
    try:
        tokens = _DIALECT.tokenize(text)
    except TokenError:
        _fail(where, text, 0, "has a quotation mark that is never closed; close it")
    _full_width(text, tokens, where)
    end = 0
    for token in tokens:
        _blank(text, end, token.start, where)
        end = token.end + 1
        if token.text == "&&":
            _fail(where, text, token.start, "'&&' is not SQL; write AND")
        if token.text == ";":
            _fail(where, text, token.start, "';' is not allowed; write one expression only")
    _blank(text, end, len(text), where)
    if not tokens:
        _fail(where, text, None, "is empty; write an expression, e.g. a column's name")
    try:
        trees = _DIALECT.parser().parse_into(exp.Condition, tokens, text)
    except ParseError as error:
        if (slip := number_slip(text, tokens)) is not None:
            _fail(where, text, slip.offset, slip.problem)
        problem = error.errors[0] if error.errors else {}
        shown = str(problem.get("highlight") or text.strip())
        lines = text.split("\n")[: int(problem.get("line") or 1) - 1]
        offset = sum(len(line) + 1 for line in lines) + int(problem.get("col") or 1) - len(shown)
        _fail(
            where, text, max(0, offset), f"does not read as one SQL expression at '{shown}'; correct it there"
        )
    if len(trees) != 1 or trees[0] is None:
        _fail(where, text, 0, "does not read as one SQL expression; write exactly one")
    tree: exp.Expression = trees[0]
    return tree


_CURLY = "“”‘’＇＂"
_FULL_WIDTH = str.maketrans(f"（），；：＞＜＝！＋－＊／％．　{_CURLY}", "(),;:><=!+-*/%. " + '"' * 6)


def _full_width(text: str, tokens: Sequence[Token], where: str) -> None:
    """A sign of a Chinese keyboard outside of texts: it looks right and is not."""
    quoted = [(t.start, t.end) for t in tokens if t.token_type in (TokenType.STRING, TokenType.IDENTIFIER)]
    for offset, sign in enumerate(text):
        if sign.translate(_FULL_WIDTH) != sign and not any(a <= offset <= b for a, b in quoted):
            plain = "a straight quotation mark: '" if sign in _CURLY else f"'{sign.translate(_FULL_WIDTH)}'"
            _fail(where, text, offset, f"'{sign}' is a full-width sign; write {plain} (请使用半角符号)")


def _blank(text: str, start: int, end: int, where: str) -> None:
    """Only white space may stand between tokens: everything else there is a comment."""
    if gap := text[start:end].strip():
        offset = text.index(gap, start)
        _fail(where, text, offset, f"comments are not allowed inside an expression; remove '{gap[:40]}'")


def _levels(tree: exp.Expression) -> Iterator[tuple[exp.Expression, int]]:
    stack = [(tree, 1)]
    while stack:
        node, depth = stack.pop()
        yield node, depth
        stack.extend((child, depth + 1) for child in reversed(list(node.iter_expressions())))


def _start(node: exp.Expression) -> int:
    """Offset of a node's first token; for one without a token of its own, of its first part."""
    found = [int(n.meta["start"]) for n in node.walk() if "start" in n.meta]
    return int(node.meta["start"]) if "start" in node.meta else min(found, default=0)


def _check(tree: exp.Expression, text: str, columns: Collection[str], where: str) -> None:
    names = set(columns)
    folded: dict[str, list[str]] = {}
    for name in columns:
        folded.setdefault(name.lower(), []).append(name)
    for node, depth in _levels(tree):
        if depth > MAX_DEPTH:
            _fail(where, text, _start(node), f"is nested deeper than {MAX_DEPTH} levels; make it simpler")
        if isinstance(node, exp.Tuple) and (slip := number_slip(text, _DIALECT.tokenize(text))):
            _fail(where, text, slip.offset, slip.problem)
        if problem := _refusal(node, text):
            _fail(where, text, _start(node), problem)
        if isinstance(node, exp.Column):
            name = node.name
            right = [name] if name in names else folded.get(name.lower(), [])
            if not right:
                _fail(where, text, _start(node), f"unknown column '{name}'{_nearest(name, columns)}")
            if len(right) > 1:
                problem = f"column '{name}' may be any of {', '.join(right)}; spell it exactly"
                _fail(where, text, _start(node), problem)
            node.set("this", exp.to_identifier(right[0], quoted=True))


def _nearest(name: str, known: Collection[str]) -> str:
    spelled = {k.lower(): k for k in known}
    close = get_close_matches(name.lower(), list(spelled), n=1, cutoff=0.5)
    if close:
        return f"; did you mean '{spelled[close[0]]}'?"
    return f"; known are: {', '.join(sorted(known)[:60])}" if known else "; there are no columns here"


def _refusal(node: exp.Expression, text: str) -> str | None:
    """What is wrong with one node (its children are looked at by themselves), or None."""
    if isinstance(node, exp.Anonymous):
        name = str(node.this if isinstance(node.this, str) else node.name).lower()
        return None if name in _ANONYMOUS else _function(name)
    if type(node) in _FUNCTIONS:
        return None
    shown = node.sql(dialect=_DIALECT)[:60]
    if type(node) not in _OPERATORS:
        return _foreign(node, text, shown)
    checks = {
        exp.Column: (
            node.args.get("table") is None and isinstance(node.this, exp.Identifier),
            f"'{shown}' is no plain column; write the column's name alone, quoted if it holds a dot",
        ),
        exp.In: (
            bool(node.args.get("expressions")),
            "IN takes a list in parentheses here; write e.g. IN ('a', 'b')",
        ),
        exp.DataType: (
            node.this in _TYPES and not node.args.get("nested"),
            f"type {shown} is not allowed; use {TYPES}",
        ),
        exp.Var: (
            node.name.upper() in _UNITS,
            f"'{node.name}' is no unit of time; use e.g. day, week, month or year",
        ),
    }
    fine, problem = checks.get(type(node), (True, ""))
    if isinstance(node, exp.Cast) and any(node.args.get(key) for key in ("format", "default", "action")):
        return "CAST takes no FORMAT or DEFAULT here; read dates of another format with strptime"
    return None if fine else problem


def _function(name: str) -> str:
    close = get_close_matches(name, FUNCTIONS, n=1, cutoff=0.75)
    hint = f"did you mean '{close[0]}'?" if close else f"allowed are: {', '.join(FUNCTIONS)}"
    return f"function '{name}' is not allowed; {hint}"


_OWN_ROW = "an expression reads the columns of its own row only"


def _foreign(node: exp.Expression, text: str, shown: str) -> str:
    written = text[node.meta["start"] : node.meta["end"] + 1].lower() if "start" in node.meta else shown
    kinds: tuple[tuple[type[exp.Expression] | tuple[type[exp.Expression], ...], str], ...] = (
        ((exp.Query, exp.Exists, exp.SubqueryPredicate), f"a subquery is not allowed; {_OWN_ROW}"),
        ((exp.Star, exp.Columns), "'*' is not allowed; name one column"),
        ((exp.Placeholder, exp.Parameter), f"parameter '{shown}' is not allowed; write the value itself"),
        (exp.Window, f"a window function is not allowed; {_OWN_ROW}"),
        ((exp.Array, exp.Struct), "lists and structs are not allowed; write single values"),
        ((exp.ByteString, exp.RawString), "only plain text in single quotes is allowed; write 'text'"),
        (exp.AggFunc, f"the aggregate '{written}' is not allowed; {_OWN_ROW}"),
        (exp.Func, _function(written)),
    )
    for kind, problem in kinds:
        if isinstance(node, kind):
            return problem
    return f"'{shown}' is not allowed; use columns, numbers, 'text', operators and functions"
