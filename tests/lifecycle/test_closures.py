"""Expressions as functions of one row: whatever is made into a function answers as DuckDB does, in type and bits."""

import random
import re
import struct
from decimal import Decimal
from functools import lru_cache
from math import isnan
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import parse_one

from lifestage.errors import InputError
from lifestage.expressions import parse_expression, to_sql
from lifestage.lifecycle.closures import compiled
from lifestage.lifecycle.kinds import DOUBLE, EXACT, NUMBER, TEXT, TRUTH, Kind, Operand, UncertainError
from tests import expression_grammar as grammar

ROWS = 8
_KINDS = {pa.float64(): NUMBER, pa.string(): TEXT, pa.bool_(): TRUTH}
KINDS = {name: _KINDS[type_] for name, type_ in grammar.TYPES.items()}
WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT"}


def made(sql: str) -> Operand:
    return compiled(parse_one(f"SELECT ({sql})", dialect="duckdb").expressions[0], KINDS)


@lru_cache(maxsize=1)
def _connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


def asked(sql: str, block: pa.Table) -> tuple[str, list[Any]]:
    """DuckDB's type and values."""
    connection = _connection()
    connection.register("block", block)
    answer = connection.execute(f"SELECT ({sql}) FROM block")
    return str(answer.description[0][1]), [value for (value,) in answer.fetchall()]


def of_type(kind: Kind, told: str) -> bool:
    if kind.name == EXACT and told.startswith("DECIMAL"):
        return int(re.findall(r"\d+", told)[1]) == kind.scale
    return (
        (told in WHOLE and kind.scale == 0)
        if kind.name == EXACT
        else told == kind.name.replace("NULL", '"NULL"')
    )


def same(kind: Kind, mine: Any, theirs: Any) -> bool:
    """Whether one value is the other in every bit; one NaN is as good as another."""
    if mine is None or theirs is None:
        return mine is theirs
    if kind.name == EXACT:
        return type(mine) is int and Decimal(mine).scaleb(-kind.scale) == theirs
    if kind.name == DOUBLE:
        assert type(mine) is float
        return struct.pack("d", mine) == struct.pack("d", theirs) or (isnan(mine) and isnan(theirs))
    return type(mine) is type(theirs) and bool(mine == theirs)


def check(text: str, block: pa.Table) -> bool | None:
    """Whether the expression was made into a function, which is DuckDB's then; None for no expression at all."""
    try:
        sql = to_sql(parse_expression(text, grammar.TYPES, "here"))
    except InputError:
        return None
    try:
        function = made(sql)
    except UncertainError:
        return False
    told, theirs = asked(sql, block)  # which must not fail: a function never does
    assert of_type(function.kind, told), f"{sql}: {told}, not {function.kind}"
    for row, value in zip(block.to_pylist(), theirs, strict=True):
        try:
            mine = function.of(row)
        except UncertainError:
            continue
        assert same(function.kind, mine, value), f"{sql} of {row}: {value!r}, not {mine!r}"
    return True


def block_of(pick: grammar.Pick) -> pa.Table:
    return pa.table({name: grammar.values(type_, pick, ROWS) for name, type_ in grammar.TYPES.items()})


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_function_answers_as_duckdb_does(data: st.DataObject) -> None:
    def pick(options: Any) -> Any:
        return options[data.draw(st.integers(0, len(options) - 1))]

    rng = random.Random(data.draw(st.integers(0, 2**32)))
    make = pick([grammar.number, grammar.text, grammar.truth])
    check(make(pick, pick([0, 1, 2, 3])), block_of(rng.choice))


def test_most_expressions_become_functions() -> None:
    rng = random.Random(3)
    block, found = block_of(rng.choice), []
    for _ in range(150):
        make = rng.choice([grammar.number, grammar.text, grammar.truth])
        found.append(check(make(rng.choice, rng.choice([0, 1, 2])), block))
    assert found.count(True) > 0.6 * len(found)
    assert found.count(False) > 0  # roots, casts of text and the like
    assert found.count(None) < 0.05 * len(found)


FUNCTIONS = [
    "x + y", "x - 0.1", "0.1 + 0.2 = 0.3", "x * 3 / 7", "x / y", "x % y", "x % 0", "-x", "100 - 50 * x", "1 / 3", "1.5 / 2",
    "x >= 0.1", "x IN (0.1, 0.3, NULL)", "x NOT IN (1, 2.5)", "x BETWEEN 0.1 AND y",
    "x IS NOT DISTINCT FROM y", "s IS DISTINCT FROM t", "x / y = y / x", "greatest(x / y, 1)", "least(x, y, 0, NULL)",
    "nullif(x / y, y / x)", "coalesce(x, 9)", "abs(x)", "sign(x)", "floor(x)", "ceil(x)", "round(x)", "isnan(x / y)",
    "isfinite(x)", "s < t", "s || t", "s LIKE 'a%'", "s LIKE '_'", "lower(s) = 'ab'", "length(s)", "strpos(s, t)",
    "replace(s, t, 'x')", "concat(s, t)", "x = y IS TRUE", "contains(s, t)", "starts_with(s, t)", "CAST(p AS VARCHAR)",
    "CASE WHEN p THEN 1 WHEN q THEN 0.5 END", "CASE s WHEN 'a' THEN x WHEN 'a' THEN y ELSE z END", "if(p, 1, 0) + if(q, 1, 0)",
    "CASE x WHEN y THEN 1 WHEN 0.5 THEN 2 ELSE 3 END", "CAST(if(p, 1, 0) AS SMALLINT)", "p AND NOT q OR x > 1", "p = q",
    "(p OR q) IS NOT TRUE", "p IS NULL", "NULL", "printf('%.1f', 0.25 * x)", "printf('%.0f%%', x * 100.0)",
]  # fmt: skip


@pytest.mark.parametrize("sql", FUNCTIONS)
def test_what_policies_write_becomes_a_function(sql: str) -> None:
    rng, function = random.Random(5), made(sql)
    for _ in range(3):
        block = block_of(rng.choice)
        told, theirs = asked(sql, block)
        assert of_type(function.kind, told)
        for row, value in zip(block.to_pylist(), theirs, strict=True):
            try:
                assert same(function.kind, function.of(row), value), row
            except UncertainError:
                assert "lower" in sql or "printf" in sql


UNCERTAIN = [
    "s > 1", "x = '1'", "p = 1", "p + 1", "x // y", "7 % 0", "7 // 0", "sqrt(x)", "ln(x)", "power(x, 2)", "round(x, 2)",
    "CAST(s AS DOUBLE)", "CAST(x AS INTEGER)", "CAST(x AS FLOAT)", "CAST(x AS VARCHAR)", "TRY_CAST(s AS DATE)", "s || x",
    "2147483647 + 1", "CAST(7 AS SMALLINT) * 30000", "length(s) * 9007199254740992", "0.0000000001 * 0.0000000001 * 0.0000000001",
    "x = 0.30000000000000004", "9007199254740993", "-2147483648", "1e999", "s ILIKE 'a'", "s LIKE t", "s LIKE 'a' ESCAPE '!'", "p = q = p",
    "x + y || s", "left(s, 1)", "trim(s)", "length(x)", "isnan(1)", "floor(1.5)", "sign(2)", "unknown", "list_filter([s, 'a'], lambda y: y = 'a')",
    "regexp_matches(s, 'a')", "strftime(DATE '2024-01-01', s)", "printf('%d', x)", "printf(s, x)", "x IN (SELECT 1)", "x::DECIMAL(4, 1)",
]  # fmt: skip


@pytest.mark.parametrize("sql", UNCERTAIN)
def test_what_is_not_certain_becomes_none(sql: str) -> None:
    with pytest.raises(UncertainError):
        made(sql)
