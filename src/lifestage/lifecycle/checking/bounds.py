"""What a policy's comparisons compare with: its own thresholds, and those that contradict each other."""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from sqlglot import exp

from lifestage.lifecycle.columns import Published

COUNTS = (
    *("orders", "refunds", "events", "cases", "sessions", "answers", "terms", "types"),
    *("categories", "channels", "streaks", "step", "flag"),
)
SCALES = {"nps": (0.0, 10.0), "csat": (1.0, 5.0), "review": (1.0, 5.0)}
"""Of answers, by the beginning of the column's name."""
SHARES = ("probability", "percentile")
_FLIPPED: dict[type[exp.Expression], type[exp.Expression]] = {
    **{exp.GT: exp.LT, exp.LT: exp.GT, exp.GTE: exp.LTE, exp.LTE: exp.GTE, exp.EQ: exp.EQ}
}
Range: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A column of which a condition asks what no value is."""

    column: str
    asked: str
    """The comparisons, as written."""
    why: str
    whole: bool
    """No customer can satisfy the whole condition; else one of its alternatives only."""


def number(node: exp.Expression) -> float | None:
    """The number that a literal stands for, else None."""
    if isinstance(node, exp.Paren):
        return number(node.this)
    if isinstance(node, exp.Neg):
        inner = number(node.this)
        return None if inner is None else -inner
    if isinstance(node, exp.Literal) and not node.is_string:
        return float(node.this)
    return None


def counted(name: str, published: Published) -> bool:
    """Whether a column holds whole numbers only."""
    expected = name.startswith("expected_")
    return (published.unit in COUNTS and not expected) or name.endswith(
        ("_count", "purchase_days", "active_days", "_last", "_score")
    )


def possible(name: str, published: Published) -> Range:
    """The values a column of a customer's can have at all; a policy's own columns may hold anything."""
    if published.unit in SHARES or name.endswith("_share"):
        return 0.0, 1.0
    if published.unit == "score":
        return SCALES.get(name.split("_", maxsplit=1)[0], (1.0, 5.0))
    if published.unit in ("flag", "points"):
        return 0.0, 1.0 if published.unit == "flag" else 100.0
    if "change" in name or "slope" in name:
        return -math.inf, math.inf
    never_below = (*COUNTS, "days", "hours", "ratio", "currency", "nats")
    return (0.0, math.inf) if published.unit in never_below else (-math.inf, math.inf)


def flat(node: exp.Expression, kind: type[exp.Expression]) -> Iterator[exp.Expression]:
    """The parts of a chain of ANDs, or of ORs."""
    if isinstance(node, exp.Paren):
        yield from flat(node.this, kind)
    elif isinstance(node, kind):
        yield from flat(node.this, kind)
        yield from flat(node.expression, kind)
    else:
        yield node


def _limits(node: exp.Expression) -> Iterator[tuple[str, type[exp.Expression], float]]:
    """(column, comparison, number) of a plain comparison."""
    if isinstance(node, exp.Between) and isinstance(node.this, exp.Column):
        low, high = number(node.args["low"]), number(node.args["high"])
        if low is not None and high is not None:
            yield str(node.this.name), exp.GTE, low
            yield str(node.this.name), exp.LTE, high
    elif type(node) in _FLIPPED:
        left, right = node.this, node.expression
        value = number(right)
        if isinstance(left, exp.Column) and value is not None:
            yield str(left.name), type(node), value
        value = number(left)
        if isinstance(right, exp.Column) and value is not None:
            yield str(right.name), _FLIPPED[type(node)], value


def _empty(low: float, low_open: bool, high: float, high_open: bool, whole: bool) -> bool:
    if whole and math.isfinite(low):
        low, low_open = (math.floor(low) + 1, False) if low_open else (math.ceil(low), False)
    if whole and math.isfinite(high):
        high, high_open = (math.ceil(high) - 1, False) if high_open else (math.floor(high), False)
    return low > high or (low == high and (low_open or high_open))


def contradictions(
    tree: exp.Expression,
    published: Mapping[str, Published],
    whole: bool = True,
    named: Collection[str] = (),
) -> Iterator[Contradiction]:
    """Columns of which the parts of one AND ask what no value is; none found does not mean there are none.

    A condition that consists of alternatives is impossible as a whole only where all of them are. `named` are the
    policy's own columns, of whose values nothing is known.
    """
    options = list(flat(tree, exp.Or))
    if len(options) > 1:
        found = [list(contradictions(option, published, True, named)) for option in options]
        all_ = all(any(c.whole for c in one) for one in found)
        for one in found:
            for c in one:
                yield Contradiction(c.column, c.asked, c.why, whole and c.whole and all_)
        return
    limits: dict[str, list[tuple[type[exp.Expression], float, str]]] = {}
    for part in flat(tree, exp.And):
        if len(list(flat(part, exp.Or))) > 1:
            yield from contradictions(part, published, whole, named)
        for column, kind, value in _limits(part):
            limits.setdefault(column, []).append((kind, value, part.sql(dialect="duckdb").replace('"', "")))
    for column, asked in limits.items():
        if (found_one := _judge(column, asked, published[column], column in named)) is not None:
            yield Contradiction(column, *found_one, whole)


def _judge(
    column: str, asked: list[tuple[type[exp.Expression], float, str]], published: Published, named: bool
) -> tuple[str, str] | None:
    bottom, top = (-math.inf, math.inf) if named else possible(column, published)
    low, low_open, high, high_open = -math.inf, False, math.inf, False
    for kind, value, _ in asked:
        if kind in (exp.GT, exp.GTE, exp.EQ) and (value, kind is exp.GT) > (low, low_open):
            low, low_open = value, kind is exp.GT
        if kind in (exp.LT, exp.LTE, exp.EQ) and (value, kind is not exp.LT) < (high, not high_open):
            high, high_open = value, kind is exp.LT
    whole = not named and counted(column, published)
    texts = " AND ".join(dict.fromkeys(text for *_, text in asked))
    if _empty(low, low_open, high, high_open, whole):
        close = whole and not _empty(low, low_open, high, high_open, False)
        return texts, f"no number is all of that{', as it counts whole ones' if close else ''}"
    if _empty(max(low, bottom), low_open and low >= bottom, min(high, top), high_open and high <= top, whole):
        hint = "; write a share, e.g. 0.9 for 90 %" if top == 1.0 else ""
        upto = f"between {bottom:g} and {top:g}" if math.isfinite(top) else f"{bottom:g} or more"
        return texts, f"{column} is always {upto}{hint}"
    return None
