"""SQL expressions as plain Python functions of one row, equal to DuckDB in every bit.

For one row DuckDB pays more to set an expression up than to work it out, some hundred times over in a policy's query.
Only what is certain becomes a function: no implicit cast of text, nothing that can fail on a value (DuckDB may work
out what a function here would skip), and no operators side by side, without parentheses, that two grammars could read
differently. All else raises UncertainError. NULL is None, logic has three values, NaN is above all numbers and equal to
itself; numbers as of kinds.Kind.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from sqlglot import exp

from lifestage.lifecycle import closure_functions as functions
from lifestage.lifecycle.closure_calls import CALLS, called, first_true, looked_up
from lifestage.lifecycle.closure_numbers import arithmetic, cast, literal, negative, pair
from lifestage.lifecycle.kinds import (
    BOOLEAN,
    DOUBLE,
    MISSING,
    NULL,
    TEXT,
    TEXTS,
    TRUTH,
    VARCHAR,
    Kind,
    Operand,
    Row,
    UncertainError,
    alike,
    constant,
)

Columns: TypeAlias = Mapping[str, Kind]
_COMPARED = {
    exp.EQ: (operator.eq, functions.equal),
    exp.NEQ: (operator.ne, functions.unequal),
    exp.GT: (operator.gt, functions.greater),
    exp.GTE: (operator.ge, functions.not_less),
    exp.LT: (operator.lt, functions.less),
    exp.LTE: (operator.le, functions.not_greater),
}
"""How values compare that are never NaN, and numbers that may be."""
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


def _sides(tree: exp.Expression, columns: Columns) -> tuple[Kind, list[Operand]]:
    return alike(compiled(tree.this, columns), compiled(tree.expression, columns))


def _comparison(tree: exp.Expression, columns: Columns) -> Operand:
    kind, (a, b) = _sides(tree, columns)
    return Operand(TRUTH, pair(a, b, _COMPARED[type(tree)][kind.nan]))


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
    above, below = (pair(a, end, _COMPARED[t][kind.nan]) for end, t in ((low, exp.GTE), (high, exp.LTE)))

    def value(row: Row) -> bool | None:
        v, w = above(row), below(row)
        return False if v is False or w is False else None if v is None or w is None else True

    return Operand(TRUTH, value)


def _in(tree: exp.Expression, columns: Columns) -> Operand:
    listed = [compiled(part, columns) for part in tree.expressions]
    kind, (a, *items) = alike(compiled(tree.this, columns), *listed)
    tests = tuple(pair(a, item, _COMPARED[exp.EQ][kind.nan]) for item in items)

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
    return arithmetic(tree, compiled(tree.this, columns), compiled(tree.expression, columns))


def _negative(tree: exp.Expression, columns: Columns) -> Operand:
    return negative(tree, compiled(tree.this, columns))


def _cast(tree: exp.Expression, columns: Columns) -> Operand:
    return cast(tree, compiled(tree.this, columns))


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
            return Operand(kind, looked_up(subject, sought, then, otherwise))
        tests = [pair(subject, one, _COMPARED[exp.EQ][same.nan]) for one in sought]
    return Operand(
        kind, first_true(list(zip(tests, (value.of for value in then), strict=True)), otherwise.of)
    )


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
    exp.Literal: (lambda tree, _: literal(tree), frozenset({"this", "is_string"})),
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
