"""What is known beforehand of a value in a policy's query: its type as DuckDB has it, and bounds.

Whole numbers and decimals are one kind, EXACT: a whole number of units of 10^-scale with known bounds, so that no
sum or product can leave the type that DuckDB gives it. Whatever is not certain raises UncertainError.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

Row: TypeAlias = dict[str, Any]
Closure: TypeAlias = Callable[[Row], Any]
BOOLEAN, VARCHAR, DOUBLE, EXACT, NULL, TEXTS = "BOOLEAN", "VARCHAR", "DOUBLE", "EXACT", "NULL", "VARCHAR[]"
SAFE = 2**53
"""Every whole number up to here is a double."""
_SCALE = 22
"""The greatest power of ten that is a double."""


class UncertainError(Exception):
    """What DuckDB answers is not certain here, so DuckDB must be asked."""


@dataclass(frozen=True, slots=True)
class Kind:
    """The type of a value, which may always be NULL."""

    name: str
    nan: bool = False
    """DOUBLE: may be NaN."""
    scale: int = 0
    """EXACT: digits after the point."""
    low: int = 0
    high: int = 0
    """EXACT: bounds, in units of 10^-scale."""
    limit: int = SAFE
    """EXACT: what its DuckDB type holds for certain, in the same units."""


class Operand(NamedTuple):
    """A function of a row, and what is known of its value."""

    kind: Kind
    of: Closure
    fixed: bool = False
    """Whether the value is the same for every row."""


TRUTH, TEXT, NUMBER, MISSING = Kind(BOOLEAN), Kind(VARCHAR), Kind(DOUBLE), Kind(NULL)
ANY_NUMBER = Kind(DOUBLE, nan=True)


def exact(low: int, high: int, scale: int = 0, limit: int = SAFE) -> Kind:
    """The kind of numbers from `low` to `high` in units of 10^-scale. Raises UncertainError beyond `limit`."""
    if scale > _SCALE or max(abs(low), abs(high)) > min(limit, SAFE):
        raise UncertainError("a number may leave its type")
    return Kind(EXACT, scale=scale, low=low, high=high, limit=limit)


def constant(kind: Kind, value: Any) -> Operand:
    """The same value for every row."""
    return Operand(kind, lambda _: value, fixed=True)


def common(kinds: Iterable[Kind]) -> Kind:
    """The kind that DuckDB brings values of several kinds to."""
    known = [kind for kind in kinds if kind.name != NULL]
    names = {kind.name for kind in known}
    if not known:
        return MISSING
    if names == {EXACT}:
        scale = max(kind.scale for kind in known)
        same = [_rescaled(kind, scale) for kind in known]
        limit = min(kind.limit for kind in same)
        return exact(min(kind.low for kind in same), max(kind.high for kind in same), scale, limit)
    if names <= {EXACT, DOUBLE}:
        return replace(NUMBER, nan=any(kind.nan for kind in known))
    if len(names) == 1:
        return known[0]
    raise UncertainError(f"{' and '.join(sorted(names))} side by side")


def alike(*operands: Operand) -> tuple[Kind, list[Operand]]:
    """The common kind, and the operands as such."""
    kind = common(operand.kind for operand in operands)
    return kind, [brought(operand, kind) for operand in operands]


def brought(operand: Operand, to: Kind) -> Operand:
    """An operand as one of a `common` kind."""
    kind, of = operand.kind, operand.of
    if kind.name != EXACT or (to.name == EXACT and to.scale == kind.scale):
        return operand
    if to.name == EXACT:
        factor = 10 ** (to.scale - kind.scale)
        return _settled(
            Operand(to, lambda row: None if (v := of(row)) is None else v * factor, operand.fixed)
        )
    divisor = 10**kind.scale  # both sides are doubles, so the quotient is rounded once, as in DuckDB
    return _settled(Operand(to, lambda row: None if (v := of(row)) is None else v / divisor, operand.fixed))


def _settled(operand: Operand) -> Operand:
    return constant(operand.kind, operand.of({})) if operand.fixed else operand


def _rescaled(kind: Kind, scale: int) -> Kind:
    """An EXACT kind in smaller units; DuckDB's decimals are wide enough for all bounds that are."""
    factor = 10 ** (scale - kind.scale)
    return exact(kind.low * factor, kind.high * factor, scale, kind.limit if factor == 1 else SAFE)
