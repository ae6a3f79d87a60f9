"""Random well-typed SQL expressions over the columns of a small block, for tests: what a policy's author may write."""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import pyarrow as pa

Pick: TypeAlias = Callable[[Sequence[Any]], Any]
"""One of several."""
ODD = [None, math.inf, -math.inf, -0.0, 0.0, 5e-324, -5e-324, 1e300, -1e300, 2.0**53, 0.5, -0.5, 1.5, 2.5]
FLOATS = [
    *ODD,
    0.1,
    0.30000000000000004,
    0.3,
    0.25,
    0.75,
    1 / 3,
    1.0,
    -1.0,
    2.0,
    3.0,
    7.0,
    99.5,
    100.0,
    12345.678,
]
TEXTS = [
    None,
    "",
    "%",
    "_",
    "a",
    "A",
    "ab",
    "aB_%c",
    "it's",
    "免费试用",
    "日本a",
    "\U0001f926",
    "z\nz",
    "é",
    "100",
    "true",
]
NUMBERS = ["x", "y", "z"]
WORDS = ["s", "t"]
FLAGS = ["p", "q"]
TYPES = {
    **dict.fromkeys(NUMBERS, pa.float64()),
    **dict.fromkeys(WORDS, pa.string()),
    **dict.fromkeys(FLAGS, pa.bool_()),
}
_LITERALS = ["0", "1", "2", "3", "7", "100", "2147483647", "2147483648", "9007199254740993", "007"]
_LITERALS += [
    "0.1",
    "0.3",
    "0.5",
    "1.0",
    "1.50",
    "0.99",
    ".5",
    "2.",
    "99.5",
    "0.30000000000000004",
    "123456789.123456",
]
_LITERALS += ["1e3", "1e-3", "1.5e300", "1E0", "5e-324"]
_PATTERNS = ["'%'", "'a%'", "'_'", "'%b_'", "'a\\%'", "''", "'%试_'", "'A%c'", "'z%z'", "'it''s'"]
_QUOTED = ["''", "'a'", "'ab'", "'A'", "'it''s'", "'免费试用'", "'%'", "'\U0001f926'", "'z'"]


def values(type_: pa.DataType, pick: Pick, rows: int) -> pa.Array:
    """A column of odd values."""
    pool: list[Any] = [None, True, False] if pa.types.is_boolean(type_) else FLOATS
    pool = TEXTS if pa.types.is_string(type_) else pool
    return pa.array([pick(pool) for _ in range(rows)], type_)


def number(pick: Pick, depth: int) -> str:
    """A number: double, decimal or whole."""
    if depth <= 0:
        return str(pick([pick(NUMBERS), pick(NUMBERS), pick(_LITERALS)]))
    one, more = number(pick, depth - 1), number(pick, pick([0, depth - 1]))
    kind = pick(range(22))
    if kind < 9:
        sides = [pick([text, f"({text})"]) for text in (one, more)]
        return f"{sides[0]} {pick(['+', '-', '*', '/', '+', '-', '*', '/', '%', '%', '//'])} {sides[1]}"
    if kind < 11:
        return f"-({one})" if pick([True, False]) else f"- {pick(NUMBERS + _LITERALS)}"
    if kind < 13:
        return f"{pick(['abs', 'floor', 'ceil', 'round', 'sign'])}({one})"
    if kind < 15:
        return f"{pick(['coalesce', 'greatest', 'least', 'ifnull', 'nullif'])}({one}, {more})"
    if kind == 15:
        return f"{pick(['coalesce', 'greatest', 'least'])}({one}, {more}, {pick(_LITERALS)}, NULL)"
    if kind == 16:
        return f"CAST({pick([one, truth(pick, 1)])} AS {pick(['DOUBLE', 'DOUBLE', 'INTEGER', 'BIGINT', 'SMALLINT'])})"
    if kind == 17:
        return f"if({truth(pick, depth - 1)}, {one}, {more})"
    if kind == 18:
        return pick(
            [f"length({text(pick, 1)})", f"strpos({text(pick, 1)}, {text(pick, 0)})", "sqrt(x)", "ln(y)"]
        )
    return case(pick, depth, one, more)


def case(pick: Pick, depth: int, one: str, more: str) -> str:
    """CASE with conditions, or with values."""
    last = pick(["", f" ELSE {more}"])
    if pick([True, False]):
        return f"CASE WHEN {truth(pick, depth - 1)} THEN {one} WHEN {truth(pick, 0)} THEN {more}{last} END"
    make = pick([number, text])
    whens = [f"WHEN {make(pick, 0)} THEN {pick([one, more])}" for _ in range(pick([1, 2, 3]))]
    return f"CASE {make(pick, depth - 1)} {' '.join(whens)}{last} END"


def text(pick: Pick, depth: int) -> str:
    """A text."""
    if depth <= 0:
        return str(pick([pick(WORDS), pick(_QUOTED)]))
    one, more = text(pick, depth - 1), text(pick, 0)
    return str(
        pick(
            [
                f"{one} || {more}",
                f"({one}) || {more} || {pick(WORDS)}",
                f"{pick(['lower', 'upper'])}({one})",
                f"{pick(['coalesce', 'greatest', 'least', 'nullif', 'concat'])}({one}, {more})",
                f"replace({one}, {more}, {pick(_QUOTED)})",
                f"CAST({pick([one, truth(pick, depth - 1)])} AS {pick(['VARCHAR', 'TEXT'])})",
                f"left({one}, 1)",
                case(pick, depth, one, more),
            ]
        )
    )


def truth(pick: Pick, depth: int) -> str:
    """A condition."""
    if depth <= 0:
        return str(pick([*FLAGS, "TRUE", "FALSE", "NULL", f"{number(pick, 0)} > {number(pick, 0)}"]))
    kind, other = pick(range(18)), depth - 1
    if kind < 5:
        make = pick([number, number, text, truth])
        sides = [make(pick, other), make(pick, pick([0, other]))]
        sides = [f"({side})" for side in sides] if make is truth else sides
        return (
            f" {pick(['=', '<>', '<', '<=', '>', '>=', 'IS DISTINCT FROM', 'IS NOT DISTINCT FROM'])} ".join(
                sides
            )
        )
    if kind < 9:
        parts = [truth(pick, other) for _ in range(pick([2, 2, 3]))]
        return "".join(
            f" {pick(['AND', 'OR'])} {pick(['', 'NOT '])}{pick([part, f'({part})'])}" for part in parts
        ).split(" ", 2)[2]
    if kind == 9:
        return f"NOT {pick(['{}', '({})']).format(truth(pick, other))}"
    if kind == 10:
        return f"({truth(pick, other)}) IS {pick(['', 'NOT '])}{pick(['TRUE', 'FALSE', 'NULL'])}"
    if kind == 11:
        return f"{pick([number, text])(pick, other)} IS {pick(['', 'NOT '])}NULL"
    if kind == 12:
        make = pick([number, text])
        return f"{make(pick, other)} {pick(['', 'NOT '])}BETWEEN {make(pick, 0)} AND {make(pick, 0)}"
    if kind == 13:
        make = pick([number, text])
        items = ", ".join(pick([make(pick, 0), make(pick, 0), "NULL"]) for _ in range(pick([1, 2, 3])))
        return f"{make(pick, other)} {pick(['', 'NOT '])}IN ({items})"
    if kind == 14:
        return f"{text(pick, other)} {pick(['', 'NOT '])}{pick(['LIKE', 'LIKE', 'ILIKE'])} {pick(_PATTERNS)}"
    if kind == 15:
        return f"{pick(['isnan', 'isfinite'])}({number(pick, other)})"
    if kind == 16:
        return f"{pick(['contains', 'starts_with', 'ends_with'])}({text(pick, other)}, {text(pick, 0)})"
    return case(pick, depth, truth(pick, 0), truth(pick, other))
