"""Values worth trying of each column that a policy reads: around its own thresholds, typical ones, missing."""

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache

import pyarrow as pa
from sqlglot import exp

from lifestage.lifecycle.checking.bounds import COUNTS, SHARES, counted, number, possible
from lifestage.lifecycle.checking.written import behind, of, written
from lifestage.lifecycle.columns import Published
from lifestage.lifecycle.plan import plan
from lifestage.lifecycle.policy import Policy
from lifestage.lifecycle.staging import columns_read

TYPICAL: dict[str, tuple[float, ...]] = {
    "days": (0, 0.5, 1, 3, 7, 14, 21, 30, 45, 60, 90, 120, 180, 270, 365, 500, 730, 1500),
    "currency": (0, 1, 10, 25, 50, 100, 200, 500, 1000, 5000),
    "ratio": (0, 0.1, 0.5, 0.9, 1, 1.25, 1.5, 2, 3, 5, 10),
    **dict.fromkeys(SHARES, (0, 0.1, 0.25, 0.3, 0.5, 0.7, 0.75, 0.9, 0.95, 0.99, 1)),
    **dict.fromkeys(COUNTS, (0, 1, 2, 3, 4, 5, 8, 12, 20, 50)),
}
"""By unit."""
STEP: dict[str, float] = {"days": 0.5, "currency": 0.01, "ratio": 0.01, **dict.fromkeys(SHARES, 0.001)}
"""What "just above" means, by unit; of any other number 0.1, of counts 1."""
OTHER_TEXT = "other"
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In, exp.Like, exp.ILike)


def drawn_columns(policy: Policy) -> tuple[str, ...]:
    """The columns a generated customer has: what the policy reads, and what it derives from."""
    more = {"days_in_stage"} & set(plan(policy).inputs)
    return (*columns_read(policy), "previous_stage", *sorted(more))


@lru_cache(maxsize=16)
def _near(policy: Policy) -> Mapping[str, tuple[frozenset[float], frozenset[str]]]:
    """Numbers and texts that each column is compared with."""
    numbers: dict[str, set[float]] = {}
    texts: dict[str, set[str]] = {}
    for expression in written(policy):
        for node in expression.tree.find_all(*_COMPARISONS):
            names = {n for c in node.find_all(exp.Column) for n in _roots(policy, str(c.name))}
            for literal in node.find_all(exp.Literal):
                if literal.is_string:
                    for name in names:
                        texts.setdefault(name, set()).add(str(literal.this).strip("%"))
                    continue
                negative = isinstance(literal.parent, exp.Neg)
                value = number(literal.parent if negative else literal)
                factor = literal.parent if isinstance(literal.parent, exp.Mul) else None
                for name in names:
                    if value is not None:
                        numbers.setdefault(name, set()).add(value)
                        if factor is not None and value:
                            others = [number(x) for x in node.find_all(exp.Literal) if x is not literal]
                            numbers[name] |= {o / value for o in others if o is not None}
    bounds = (tier.min_percentile for tier in policy.tiers if tier.min_percentile is not None)
    numbers.setdefault("clv_percentile", set()).update(bounds)
    for name in ("recency_percentile", "frequency_percentile", "monetary_percentile"):
        numbers.setdefault(name, set()).update((0.2, 0.4, 0.6, 0.8))
    keys = numbers.keys() | texts.keys()
    return {k: (frozenset(numbers.get(k, ())), frozenset(texts.get(k, ()))) for k in keys}


def _roots(policy: Policy, name: str) -> tuple[str, ...]:
    """The column itself, and those that a named one is made of."""
    return (name, *behind(policy, of(policy, "columns", name)))


def around(value: float, name: str, published: Published) -> Iterator[float]:
    """Just below, at and just above a threshold."""
    step = 1.0 if counted(name, published) else STEP.get(published.unit, 0.1)
    yield from (value - step, value, value + step)


def candidates(policy: Policy, name: str) -> tuple[float | str | None, ...]:
    """Values of one column, ascending, None (missing) last; true and false are 1 and 0."""
    if name == "previous_stage":
        return (*(stage.name for stage in policy.stages), None)
    published = policy.base[name]
    numbers, texts = _near(policy).get(name, (frozenset(), frozenset()))
    if pa.types.is_boolean(published.type):
        return (0.0, 1.0, None)
    if pa.types.is_string(published.type):
        return (*sorted(texts), OTHER_TEXT, None)
    low, high = possible(name, published)
    found = {v for n in numbers for v in around(n, name, published)}
    unit = "orders" if counted(name, published) else published.unit
    found |= set(TYPICAL.get(unit, (0, 1, 2, 5, 10, 50, 100)))
    if not math.isfinite(low):
        found |= {-v for v in list(found)[:: 2 if published.unit == "currency" else 1]}
    if counted(name, published):
        found = {float(round(v)) for v in found}
    return (*sorted(float(v) for v in found if low <= v <= high), None)
