"""What of a filter may be left to a database: conditions that mean the same in every SQL.

Comparisons of a plain column with plain values of its own kind, IN, BETWEEN, IS NULL, joined by AND, OR and NOT.
Texts are only told apart, not ordered: their order hangs on the database's collation.
"""

import re
from collections.abc import Mapping

from sqlglot import exp

from lifestage.errors import InputError
from lifestage.expressions import parse_expression

_ORDERED = (exp.GT, exp.GTE, exp.LT, exp.LTE)
_SAME = (exp.EQ, exp.NEQ)
_WHOLE = frozenset({"SMALLINT", "INTEGER", "BIGINT"})
_INTEGER = re.compile(r"[0-9]{1,9}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2})?")


def portable(where: str | None, types: Mapping[str, str]) -> str:
    """The portable of the conditions that a filter joins by AND, as SQL; empty where there is none.

    `types` is the DuckDB type of each column. A row for which it is not true does not pass the filter.
    """
    if where is None:
        return ""
    try:
        tree = parse_expression(where, types.keys(), "where")
    except InputError:  # said better where the filter itself is read
        return ""
    parts = list(tree.flatten()) if isinstance(tree, exp.And) else [tree]
    return " AND ".join(f"({_sql(part)})" for part in parts if _means_the_same(part, types))


def _sql(tree: exp.Expression) -> str:
    return str(tree.sql(dialect="postgres", identify=True, comments=False))


def _means_the_same(node: exp.Expression, types: Mapping[str, str]) -> bool:
    def every(*nodes: exp.Expression) -> bool:
        return all(_means_the_same(n, types) for n in nodes)

    def compared(*values: exp.Expression, ordered: bool) -> bool:
        return isinstance(node.this, exp.Column) and all(
            _fits(types[node.this.name], value, ordered) for value in values
        )

    if isinstance(node, (exp.And, exp.Or, exp.Not, exp.Paren)):
        return every(*node.iter_expressions())
    if isinstance(node, exp.Is):
        return isinstance(node.this, exp.Column) and isinstance(node.expression, exp.Null)
    if isinstance(node, exp.In):
        return bool(node.expressions) and compared(*node.expressions, ordered=False)
    if isinstance(node, exp.Between):
        return compared(node.args["low"], node.args["high"], ordered=True)
    if isinstance(node, (*_SAME, *_ORDERED)):
        return compared(node.expression, ordered=isinstance(node, _ORDERED))
    return isinstance(node, exp.Column) and types[node.name] == "BOOLEAN"


def _fits(kind: str, value: exp.Expression, ordered: bool) -> bool:
    """Whether a plain value is of a column's kind."""
    if not isinstance(value, exp.Literal):
        return False
    if not value.is_string:
        return kind in _WHOLE and _INTEGER.fullmatch(value.name) is not None
    if kind == "VARCHAR":
        return not ordered
    form = {"DATE": _DAY, "TIMESTAMP": _TIME}.get(kind)
    return form is not None and form.fullmatch(value.name) is not None
