"""SQL expressions as plain Python functions of one row, equal to DuckDB in every bit.

For one row DuckDB pays more to set an expression up than to work it out, some hundred times over in a policy's query.
Only what is certain becomes a function: no implicit cast of text, nothing that can fail on a value (DuckDB may work
out what a function here would skip), and no operators side by side, without parentheses, that two grammars could read
differently. All else raises UncertainError. NULL is None, logic has three values, NaN is above all numbers and equal to
itself; numbers as of kinds.Kind.
"""

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from sqlglot import exp

from lifestage.lifecycle import closure_functions as functions
from lifestage.lifecycle.closure_calls import CALLS, called
from lifestage.lifecycle.kinds import (
    ANY_NUMBER,
    BOOLEAN,
    DOUBLE,
    EXACT,
    MISSING,
    NULL,
    NUMBER,
    SAFE,
    TEXT,
    TEXTS,
    TRUTH,
    VARCHAR,
    Closure,
    Kind,
    Operand,
    Row,
    UncertainError,
    alike,
    brought,
    constant,
    exact,
)

Columns: TypeAlias = Mapping[str, Kind]
_WHOLE, _DECIMAL = re.compile(r"\d+"), re.compile(r"(\d*)\.(\d*)")
_FLOAT = re.compile(r"(\d+\.?\d*|\.\d+)[eE][-+]?\d+")
_INTEGER = 2**31 - 1
_TYPE = exp.DataType.Type
_WHOLE_TYPES = {_TYPE.SMALLINT: 2**15 - 1, _TYPE.INT: _INTEGER, _TYPE.BIGINT: SAFE}
_COMPARED = {
    exp.EQ: (operator.eq, functions.equal),
    exp.NEQ: (operator.ne, functions.unequal),
    exp.GT: (operator.gt, functions.greater),
    exp.GTE: (operator.ge, functions.not_less),
    exp.LT: (operator.lt, functions.less),
    exp.LTE: (operator.le, functions.not_greater),
}
"""How values compare that are never NaN, and numbers that may be."""
_SUMS = {exp.Add: operator.add, exp.Sub: operator.sub, exp.Mul: operator.mul}
_QUOTIENTS = {exp.Div: functions.divided, exp.Mod: functions.remainder}
_ADDED, _MULTIPLIED = (exp.Add, exp.Sub), (exp.Mul, exp.Div, exp.Mod)
_PREDICATES = (*_COMPARED, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Is, exp.In, exp.Between, exp.Like)
_LOOSE = (*_ADDED, *_MULTIPLIED, *_PREDICATES, exp.Neg, exp.DPipe, exp.Not, exp.And, exp.Or)
_BARE: dict[type[exp.Expression], tuple[type[exp.Expression], ...]] = {
    exp.Or: (exp.Or, exp.And, exp.Not, *_PREDICATES),
    exp.And: (exp.And, exp.Not, *_PREDICATES),
    exp.Not: _PREDICATES,
    exp.DPipe: (exp.DPipe,),
    **dict.fromkeys(_ADDED, (*_ADDED, *_MULTIPLIED, exp.Neg)),
    **dict.fromkeys(_MULTIPLIED, (*_MULTIPLIED, exp.Neg)),
    **dict.fromkeys(_PREDICATES, (*_ADDED, *_MULTIPLIED, exp.Neg)),
}
"""Which of the _LOOSE operators each may have as operands without parentheses."""


def compiled(tree: exp.Expression, columns: Columns) -> Operand:
    """The function of a row, these columns by name, that an expression stands for. Raises UncertainError."""
    if type(tree) in CALLS or isinstance(tree, exp.Anonymous):
        return called(tree, [compiled(part, columns) for part in tree.iter_expressions()])
    if type(tree) not in _MAKERS:
        raise UncertainError(f"'{tree.sql()}'")
    bare = _BARE.get(type(tree), ())
    for part in tree.iter_expressions() if type(tree) in _LOOSE else ():
        if type(part) in _LOOSE and type(part) not in bare:
            raise UncertainError(f"'{tree.sql()}' without parentheses")
    make, keys = _MAKERS[type(tree)]
    if not {key for key, value in tree.args.items() if value not in (None, False, [])} <= keys:
        raise UncertainError(f"'{tree.sql()}'")
    return make(tree, columns)


def _paren(tree: exp.Expression, columns: Columns) -> Operand:
    return compiled(tree.this, columns)


def _column(tree: exp.Expression, columns: Columns) -> Operand:
    name = str(tree.name)
    if name not in columns:
        raise UncertainError(f"column '{name}'")
    return Operand(columns[name], operator.itemgetter(name))


def _literal(tree: exp.Expression, _: Columns) -> Operand:
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


def _boolean(tree: exp.Expression, _: Columns) -> Operand:
    return constant(TRUTH, bool(tree.this))


def _null(_: exp.Expression, __: Columns) -> Operand:
    return constant(MISSING, None)


def _truth(tree: exp.Expression, columns: Columns) -> Operand:
    """An operand of AND, OR, NOT and of a CASE."""
    made = compiled(tree, columns)
    if made.kind.name not in (BOOLEAN, NULL):
        raise UncertainError(f"'{tree.sql()}' taken for true or false")
    return made


def _chain(tree: exp.Expression) -> Iterator[exp.Expression]:
    """The operands of a AND b AND c."""
    for part in (tree.this, tree.expression):
        if type(part) is type(tree):
            yield from _chain(part)
        else:
            yield part


def _all_or_any(tree: exp.Expression, columns: Columns) -> Operand:
    """AND and OR."""
    decides = type(tree) is exp.Or
    parts = tuple(_truth(part, columns).of for part in _chain(tree))

    def value(row: Row) -> bool | None:
        found: bool | None = not decides
        for part in parts:
            one = part(row)
            if one is decides:
                return decides
            if one is None:
                found = None
        return found

    return Operand(TRUTH, value)


def _not(tree: exp.Expression, columns: Columns) -> Operand:
    of = _truth(tree.this, columns).of
    return Operand(TRUTH, lambda row: None if (v := of(row)) is None else not v)


def _pair(a: Operand, b: Operand, f: Callable[[Any, Any], Any]) -> Callable[[Row], Any]:
    """NULL where an operand is."""
    left, right = a.of, b.of
    if b.fixed and (known := right({})) is not None:
        return lambda row: None if (v := left(row)) is None else f(v, known)
    return lambda row: None if (v := left(row)) is None or (w := right(row)) is None else f(v, w)


def _sides(tree: exp.Expression, columns: Columns) -> tuple[Kind, list[Operand]]:
    return alike(compiled(tree.this, columns), compiled(tree.expression, columns))


def _comparison(tree: exp.Expression, columns: Columns) -> Operand:
    kind, (a, b) = _sides(tree, columns)
    return Operand(TRUTH, _pair(a, b, _COMPARED[type(tree)][kind.nan]))


def _distinct(tree: exp.Expression, columns: Columns) -> Operand:
    """IS [NOT] DISTINCT FROM: true or false, whatever is NULL."""
    kind, (a, b) = _sides(tree, columns)
    left, right, same = a.of, b.of, _COMPARED[exp.EQ][kind.nan]
    wanted = type(tree) is exp.NullSafeEQ

    def value(row: Row) -> bool:
        v, w = left(row), right(row)
        return (v is w if v is None or w is None else bool(same(v, w))) is wanted

    return Operand(TRUTH, value)


def _is(tree: exp.Expression, columns: Columns) -> Operand:
    wanted = tree.expression
    if isinstance(wanted, exp.Null):
        of = compiled(tree.this, columns).of
        return Operand(TRUTH, lambda row: of(row) is None)
    if not isinstance(wanted, exp.Boolean):
        raise UncertainError(f"'{tree.sql()}'")
    of, is_ = _truth(tree.this, columns).of, bool(wanted.this)
    return Operand(TRUTH, lambda row: of(row) is is_)


def _between(tree: exp.Expression, columns: Columns) -> Operand:
    kind, (a, low, high) = alike(*(compiled(tree.args[key], columns) for key in ("this", "low", "high")))
    above, below = (_pair(a, end, _COMPARED[t][kind.nan]) for end, t in ((low, exp.GTE), (high, exp.LTE)))

    def value(row: Row) -> bool | None:
        v, w = above(row), below(row)
        return False if v is False or w is False else None if v is None or w is None else True

    return Operand(TRUTH, value)


def _in(tree: exp.Expression, columns: Columns) -> Operand:
    listed = [compiled(part, columns) for part in tree.expressions]
    kind, (a, *items) = alike(compiled(tree.this, columns), *listed)
    tests = tuple(_pair(a, item, _COMPARED[exp.EQ][kind.nan]) for item in items)

    def value(row: Row) -> bool | None:
        found: bool | None = False
        for test in tests:
            if (one := test(row)) is True:
                return True
            if one is None:
                found = None
        return found

    return Operand(TRUTH, value)


def _like(tree: exp.Expression, columns: Columns) -> Operand:
    a, pattern = compiled(tree.this, columns), compiled(tree.expression, columns)
    if a.kind.name != VARCHAR or pattern.kind.name != VARCHAR or not pattern.fixed:
        raise UncertainError(f"'{tree.sql()}'")
    of, like = a.of, functions.like(pattern.of({}))
    return Operand(TRUTH, lambda row: None if (v := of(row)) is None else like(v))


def _arithmetic(tree: exp.Expression, columns: Columns) -> Operand:
    a, b = compiled(tree.this, columns), compiled(tree.expression, columns)
    if not {a.kind.name, b.kind.name} <= {EXACT, DOUBLE}:
        raise UncertainError(f"'{tree.sql()}'")
    f = _SUMS.get(type(tree))
    if a.kind.name == b.kind.name == EXACT and f is not None:
        return _exact(a, b, f)
    if f is None:
        if type(tree) is exp.Mod and a.kind.name == b.kind.name == EXACT:
            raise UncertainError(f"'{tree.sql()}' of whole numbers")
        f = _QUOTIENTS[type(tree)]
    return Operand(ANY_NUMBER, _pair(brought(a, NUMBER), brought(b, NUMBER), f))


def _exact(a: Operand, b: Operand, f: Callable[[int, int], int]) -> Operand:
    """Sums and products of whole numbers and decimals."""
    if f is operator.mul:
        scale = a.kind.scale + b.kind.scale
        limit = SAFE if scale else min(a.kind.limit, b.kind.limit)
    else:
        kind, (a, b) = alike(a, b)
        scale, limit = kind.scale, kind.limit
    ends = [f(x, y) for x in (a.kind.low, a.kind.high) for y in (b.kind.low, b.kind.high)]
    return Operand(exact(min(ends), max(ends), scale, limit), _pair(a, b, f), a.fixed and b.fixed)


def _negative(tree: exp.Expression, columns: Columns) -> Operand:
    a = compiled(tree.this, columns)
    kind, of = a.kind, a.of
    if kind.name == EXACT:
        kind = exact(-kind.high, -kind.low, kind.scale, kind.limit)
    elif kind.name != DOUBLE:
        raise UncertainError(f"'{tree.sql()}'")
    return Operand(kind, lambda row: None if (v := of(row)) is None else -v, a.fixed)


def _joined(tree: exp.Expression, columns: Columns) -> Operand:
    """Texts by ||."""
    made = [compiled(part, columns) for part in _chain(tree)]
    if any(part.kind.name != VARCHAR for part in made):
        raise UncertainError(f"'{tree.sql()}'")
    parts = tuple(part.of for part in made)

    def value(row: Row) -> str | None:
        found = []
        for part in parts:
            if (text := part(row)) is None:
                return None
            found.append(text)
        return "".join(found)

    return Operand(TEXT, value)


def _case(tree: exp.Expression, columns: Columns) -> Operand:
    """CASE with conditions or with values, and IF."""
    cases = [tree] if isinstance(tree, exp.If) else tree.args["ifs"]
    last = tree.args.get("false" if isinstance(tree, exp.If) else "default") or exp.Null()
    values = [compiled(part, columns) for part in (*(case.args["true"] for case in cases), last)]
    kind, (*then, otherwise) = alike(*values)
    if isinstance(tree, exp.If) or tree.this is None:
        tests = [_truth(case.this, columns).of for case in cases]
    else:
        subject = compiled(tree.this, columns)
        sought = [compiled(case.this, columns) for case in cases]
        same, (subject, *sought) = alike(subject, *sought)
        if same.name != DOUBLE and all(one.fixed for one in sought):
            return Operand(kind, _looked_up(subject, sought, then, otherwise))
        tests = [_pair(subject, one, _COMPARED[exp.EQ][same.nan]) for one in sought]
    return Operand(kind, _first(list(zip(tests, (value.of for value in then), strict=True)), otherwise.of))


def _first(cases: Sequence[tuple[Closure, Closure]], otherwise: Closure) -> Closure:
    def value(row: Row) -> Any:
        for test, of in cases:
            if test(row):
                return of(row)
        return otherwise(row)

    return value


def _looked_up(
    subject: Operand, sought: Sequence[Operand], then: Sequence[Operand], otherwise: Operand
) -> Closure:
    """A CASE of one value against several known ones, the first of which counts where two are the same."""
    of, other = subject.of, otherwise.of
    found = {one.of({}): value.of for one, value in reversed(list(zip(sought, then, strict=True)))}
    found[None] = other  # NULL is equal to nothing
    return lambda row: found.get(of(row), other)(row)


def _cast(tree: exp.Expression, columns: Columns) -> Operand:
    """CASTs that cannot fail."""
    to = tree.args["to"]
    if to.args.get("expressions") or to.args.get("nested"):
        raise UncertainError(f"'{tree.sql()}'")
    made = compiled(tree.this, columns)
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


def _known_ones(tree: exp.Expression, columns: Columns) -> Operand:
    """list_filter([texts], lambda x: x IS NOT NULL), the only list there is."""
    filter_, listed = tree.expression, tree.this
    if filter_.sql(dialect="duckdb") != _KEPT or not isinstance(listed, exp.Array) or not listed.expressions:
        raise UncertainError(f"'{tree.sql()}'")
    made = [compiled(part, columns) for part in listed.expressions]
    if any(part.kind.name != VARCHAR for part in made):
        raise UncertainError(f"'{tree.sql()}'")
    parts = tuple(part.of for part in made)
    return Operand(Kind(TEXTS), lambda row: [text for of in parts if (text := of(row)) is not None])


_KEPT = "LAMBDA x : NOT x IS NULL"
_TWO, _FLAGS = frozenset({"this", "expression"}), frozenset({"typed", "safe"})
_MAKERS: dict[type[exp.Expression], tuple[Callable[[exp.Expression, Columns], Operand], frozenset[str]]] = {
    exp.Paren: (_paren, frozenset({"this"})),
    exp.Column: (_column, frozenset({"this"})),
    exp.Literal: (_literal, frozenset({"this", "is_string"})),
    exp.Boolean: (_boolean, frozenset({"this"})),
    exp.Null: (_null, frozenset()),
    exp.And: (_all_or_any, _TWO),
    exp.Or: (_all_or_any, _TWO),
    exp.Not: (_not, frozenset({"this"})),
    **dict.fromkeys(_COMPARED, (_comparison, _TWO)),
    exp.NullSafeEQ: (_distinct, _TWO),
    exp.NullSafeNEQ: (_distinct, _TWO),
    exp.Is: (_is, _TWO),
    exp.Between: (_between, frozenset({"this", "low", "high"})),
    exp.In: (_in, frozenset({"this", "expressions"})),
    exp.Like: (_like, _TWO),
    **dict.fromkeys((*_ADDED, *_MULTIPLIED), (_arithmetic, _TWO | _FLAGS)),
    exp.Neg: (_negative, frozenset({"this"})),
    exp.DPipe: (_joined, _TWO | _FLAGS),
    exp.Case: (_case, frozenset({"this", "ifs", "default"})),
    exp.If: (_case, frozenset({"this", "true", "false"})),
    exp.Cast: (_cast, frozenset({"this", "to"})),
    exp.TryCast: (_cast, frozenset({"this", "to"})),
    exp.ArrayFilter: (_known_ones, _TWO),
}
"""What makes a function of a node, and the only arguments that the node may have."""
