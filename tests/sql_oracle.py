"""A slow second reading of SQL conditions, for tests: plain Python, no code of the product and none of its parser's.

A condition is parsed by hand (recursive descent) into a function of one customer's row. Values are None (NULL), bool,
float or str; logic has three values; NaN is greater than every number and equal to itself, as in DuckDB.
"""

import math
import re
from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
Rule = Callable[[Row], Any]
_TOKEN = re.compile(
    r"\s*(?:(\d+\.?\d*|\.\d+)|'((?:[^']|'')*)'|([A-Za-z_][A-Za-z_0-9]*)|(<>|!=|<=|>=|[-+*/()=<>,]))"
)


def _key(x: Any) -> Any:
    if isinstance(x, str):
        return x
    return (1, 0.0) if math.isnan(x) else (0, float(x))


def _divided(a: float, b: float) -> float:
    if b == 0:
        return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)
    return a / b


def _like(text: str, pattern: str) -> bool:
    parts = {"%": ".*", "_": "."}
    return re.fullmatch("".join(parts.get(c, re.escape(c)) for c in pattern), text, re.DOTALL) is not None


def _greatest(values: list[Any], sign: int) -> Any:
    known = [v for v in values if v is not None]
    found = None
    for v in known:
        if found is None or (_key(v) > _key(found) if sign > 0 else _key(v) < _key(found)):
            found = v
    return found


def _floor(x: float) -> float:
    return float(math.floor(x)) if math.isfinite(x) else x


FUNCTIONS: dict[str, Callable[[list[Any]], Any]] = {
    "coalesce": lambda v: next((x for x in v if x is not None), None),
    "least": lambda v: _greatest(v, -1),
    "greatest": lambda v: _greatest(v, 1),
    "floor": lambda v: None if v[0] is None else _floor(v[0]),
    "lower": lambda v: None if v[0] is None else v[0].lower(),
}
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: _key(a) == _key(b),
    "<>": lambda a, b: _key(a) != _key(b),
    "<": lambda a, b: _key(a) < _key(b),
    "<=": lambda a, b: _key(a) <= _key(b),
    ">": lambda a, b: _key(a) > _key(b),
    ">=": lambda a, b: _key(a) >= _key(b),
}
ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divided,
}


def _strict(f: Callable[..., Any], *parts: Rule) -> Rule:
    """A function that is NULL where any of its operands is."""

    def value(row: Row) -> Any:
        values = [part(row) for part in parts]
        return None if any(v is None for v in values) else f(*values)

    return value


def _all(parts: list[Rule]) -> Rule:
    def value(row: Row) -> Any:
        values = [part(row) for part in parts]
        return False if any(v is False for v in values) else None if any(v is None for v in values) else True

    return value


def _any(parts: list[Rule]) -> Rule:
    def value(row: Row) -> Any:
        values = [part(row) for part in parts]
        return True if any(v is True for v in values) else None if any(v is None for v in values) else False

    return value


def _case(whens: list[tuple[Rule, Rule]], otherwise: Rule) -> Rule:
    def value(row: Row) -> Any:
        return next((then(row) for when, then in whens if when(row) is True), otherwise)

    def full(row: Row) -> Any:
        found = value(row)
        return otherwise(row) if found is otherwise else found

    return full


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, Any]] = []
        end = 0
        text = text.strip()
        while end < len(text):
            match = _TOKEN.match(text, end)
            assert match, f"the oracle cannot read {text[end:]!r}"
            number, quoted, word, sign = match.groups()
            if number is not None:
                self.tokens.append(("value", float(number)))
            elif quoted is not None:
                self.tokens.append(("value", quoted.replace("''", "'")))
            elif word is not None:
                self.tokens.append(("word", word))
            else:
                self.tokens.append(("sign", "<>" if sign == "!=" else sign))
            end = match.end()

    def take(self, *wanted: str) -> str | None:
        """The next token if it is one of these words or signs."""
        if self.tokens and self.tokens[0][0] != "value" and str(self.tokens[0][1]).upper() in wanted:
            return str(self.tokens.pop(0)[1]).upper()
        return None

    def need(self, wanted: str) -> None:
        assert self.take(wanted), f"expected {wanted} at {self.tokens[:5]}"

    def either(self) -> Rule:
        parts = [self.both()]
        while self.take("OR"):
            parts.append(self.both())
        return _any(parts) if len(parts) > 1 else parts[0]

    def both(self) -> Rule:
        parts = [self.negated()]
        while self.take("AND"):
            parts.append(self.negated())
        return _all(parts) if len(parts) > 1 else parts[0]

    def negated(self) -> Rule:
        return _strict(lambda a: not a, self.negated()) if self.take("NOT") else self.compared()

    def compared(self) -> Rule:
        left = self.sum()
        if sign := self.take(*COMPARE):
            return _strict(COMPARE[sign], left, self.sum())
        if self.take("IS"):
            negative = bool(self.take("NOT"))
            word = self.take("NULL", "TRUE", "FALSE")
            assert word
            wanted = {"NULL": None, "TRUE": True, "FALSE": False}[word]
            return lambda row: (left(row) is wanted) is not negative
        negative = bool(self.take("NOT"))
        found: Rule | None = None
        if self.take("IN"):
            self.need("(")
            items = self.arguments()
            found = _any([_strict(COMPARE["="], left, item) for item in items])
        elif self.take("BETWEEN"):
            low = self.sum()
            self.need("AND")
            found = _all([_strict(COMPARE[">="], left, low), _strict(COMPARE["<="], left, self.sum())])
        elif self.take("LIKE"):
            found = _strict(_like, left, self.sum())
        if found is None:
            assert not negative
            return left
        return _strict(lambda a: not a, found) if negative else found

    def sum(self) -> Rule:
        value = self.product()
        while sign := self.take("+", "-"):
            value = _strict(ARITHMETIC[sign], value, self.product())
        return value

    def product(self) -> Rule:
        value = self.unary()
        while sign := self.take("*", "/"):
            value = _strict(ARITHMETIC[sign], value, self.unary())
        return value

    def unary(self) -> Rule:
        return _strict(lambda a: -a, self.unary()) if self.take("-") else self.primary()

    def arguments(self) -> list[Rule]:
        items = [self.either()]
        while self.take(","):
            items.append(self.either())
        self.need(")")
        return items

    def primary(self) -> Rule:
        if self.tokens[0][0] == "value":
            constant = self.tokens.pop(0)[1]
            return lambda _: constant
        if self.take("("):
            inner = self.either()
            self.need(")")
            return inner
        if word := self.take("TRUE", "FALSE", "NULL"):
            known = {"TRUE": True, "FALSE": False, "NULL": None}[word]
            return lambda _: known
        if self.take("CASE"):
            whens = []
            while self.take("WHEN"):
                when = self.either()
                self.need("THEN")
                whens.append((when, self.either()))
            otherwise: Rule = self.either() if self.take("ELSE") else lambda _: None
            self.need("END")
            return _case(whens, otherwise)
        kind, name = self.tokens.pop(0)
        assert kind == "word", name
        if self.take("("):
            parts, function = self.arguments(), FUNCTIONS[name.lower()]
            return lambda row: function([part(row) for part in parts])
        return lambda row: row[name]


def rule(text: str) -> Rule:
    """The function of a row that an expression stands for."""
    parser = _Parser(text)
    made = parser.either()
    assert not parser.tokens, f"left over: {parser.tokens} of {text}"
    return made
