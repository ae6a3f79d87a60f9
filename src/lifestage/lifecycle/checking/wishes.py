"""How nearly a customer satisfies a condition, as SQL from 0 to 1: the slope that a search climbs."""

from collections.abc import Sequence

import pyarrow as pa
from sqlglot import exp

from lifestage.expressions import to_sql
from lifestage.lifecycle.checking.bounds import flat
from lifestage.lifecycle.checking.written import of, readable
from lifestage.lifecycle.columns import SIGNAL_PREFIX
from lifestage.lifecycle.policy import Policy

TRUE, FALSE, UNTRUE = "true", "false", "untrue"
"""What is wished of a condition: true; false; or not true, i.e. false or missing."""
_NUMERIC = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.EQ)


def wish(policy: Policy, tree: exp.Expression, wanted: str = TRUE) -> str:
    """SQL over the policy's last step: 1 where the wish is fulfilled, below 1 the nearer the higher."""
    if isinstance(tree, exp.Paren):
        return wish(policy, tree.this, wanted)
    if isinstance(tree, exp.Not) and wanted != UNTRUE:
        return wish(policy, tree.this, FALSE if wanted == TRUE else TRUE)
    if isinstance(tree, exp.And | exp.Or):
        parts = [wish(policy, part, wanted) for part in flat(tree, type(tree))]
        return every(parts) if isinstance(tree, exp.And) == (wanted == TRUE) else some(parts)
    if isinstance(tree, exp.Column) and str(tree.name).startswith(SIGNAL_PREFIX):
        return _signal(policy, str(tree.name).removeprefix(SIGNAL_PREFIX), wanted)
    if isinstance(tree, exp.EQ) and wanted == TRUE and (level := _risk_level(tree)) is not None:
        return risk_is(policy, level)
    return _atom(policy, tree, wanted)


def every(parts: Sequence[str]) -> str:
    """All of several wishes."""
    return parts[0] if len(parts) == 1 else f"(({' + '.join(parts)}) / {len(parts)}.0)"


def some(parts: Sequence[str]) -> str:
    """Any of several wishes."""
    return parts[0] if len(parts) == 1 else f"greatest({', '.join(parts)})"


def _signal(policy: Policy, name: str, wanted: str) -> str:
    parts = [wish(policy, w.tree, TRUE if wanted == TRUE else UNTRUE) for w in of(policy, "signals", name)]
    return some(parts) if wanted == TRUE else every(parts)


def _risk_level(tree: exp.EQ) -> str | None:
    """The level that a comparison with the risk level names."""
    for column, literal in ((tree.this, tree.expression), (tree.expression, tree.this)):
        named = isinstance(column, exp.Column) and column.name == "risk"
        if named and isinstance(literal, exp.Literal) and literal.is_string:
            return str(literal.this)
    return None


def risk_is(policy: Policy, name: str) -> str:
    """The first risk level whose condition is true is this one."""
    parts = []
    for level in policy.risk:
        tree = of(policy, "risk", level.name)[0].tree
        parts.append(wish(policy, tree, TRUE if level.name == name else UNTRUE))
        if level.name == name:
            break
    return every(parts) if parts else "0.0"


def _atom(policy: Policy, tree: exp.Expression, wanted: str) -> str:
    asked = {TRUE: "({}) IS TRUE", FALSE: "({}) IS FALSE", UNTRUE: "({}) IS NOT TRUE"}[wanted]
    met = asked.format(to_sql(tree))
    if isinstance(tree, _NUMERIC) and _numbers(policy, tree):
        left, right = to_sql(tree.this), to_sql(tree.expression)
        apart = f"abs(CAST(({left}) AS DOUBLE) - CAST(({right}) AS DOUBLE))"
        near = f"coalesce(0.6 / (1 + {apart} / (1 + abs(CAST(({right}) AS DOUBLE)))), 0)"
        return f"(CASE WHEN {met} THEN 1.0 ELSE {near} END)"
    return f"(CASE WHEN {met} THEN 1.0 ELSE 0.0 END)"


def _numbers(policy: Policy, tree: exp.Expression) -> bool:
    """Whether a comparison is of numbers: only of numeric columns and literals."""
    types = readable(policy)
    fine = all(pa.types.is_floating(types[str(c.name)].type) for c in tree.find_all(exp.Column))
    return (
        fine
        and not any(literal.is_string for literal in tree.find_all(exp.Literal))
        and not tree.find(exp.Boolean, exp.Case)
    )
