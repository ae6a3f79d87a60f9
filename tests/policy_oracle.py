"""A slow second reading of a policy, for tests: plain Python over the YAML itself, no code of the product.

A condition is parsed by hand (recursive descent) into a function of one customer's row. Values are None (NULL), bool,
float or str; logic has three values; NaN is greater than every number and equal to itself, as in DuckDB. A NaN that
is handed in counts as missing, as the policy language says.
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml

Row = dict[str, Any]
Rule = Callable[[Row], Any]
LEVELS = ("high", "medium", "low")
_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*|\.\d+)|'((?:[^']|'')*)'|([A-Za-z_][A-Za-z_0-9]*)|(<>|!=|<=|>=|[-+*/()=<>,]))")


def _key(x: Any) -> Any:
    if isinstance(x, str):
        return x
    return (1, 0.0) if x != x else (0, float(x))


def _divided(a: float, b: float) -> float:
    if b == 0:
        return math.nan if a == 0 or a != a else math.copysign(math.inf, a) * math.copysign(1.0, b)
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
            return lambda row: constant
        if self.take("("):
            inner = self.either()
            self.need(")")
            return inner
        if word := self.take("TRUE", "FALSE", "NULL"):
            known = {"TRUE": True, "FALSE": False, "NULL": None}[word]
            return lambda row: known
        if self.take("CASE"):
            whens = []
            while self.take("WHEN"):
                when = self.either()
                self.need("THEN")
                whens.append((when, self.either()))
            otherwise: Rule = self.either() if self.take("ELSE") else lambda row: None
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


def _fifth(percentile: float) -> int:
    return next((n for n in (1, 2, 3, 4) if percentile * 5 < n), 5)


def segment(row: Row, grouping: str) -> str:
    """The group by R, F and M; those who never bought have no rank."""
    ranks = [row.get(f"{what}_percentile") for what in ("recency", "frequency", "monetary")]
    if any(rank is None for rank in ranks):
        return "prospects"
    recency, frequency, monetary = ranks
    if grouping == "rfm_8":
        value = "high_value" if monetary >= 0.5 else "low_value"
        often = "_frequent" if frequency >= 0.5 else ""
        return f"{value}{often}_{'recent' if recency < 0.5 else 'lapsing'}"
    r, fm = 6 - _fifth(recency), (_fifth(frequency) + _fifth(monetary)) / 2
    if r >= 3 and fm >= 4:
        return "champions" if r == 5 else "loyal"
    if r >= 3 and fm >= 3:
        return "active"
    if r >= 3:
        return "needs_attention" if r == 3 else "new" if r == 5 and fm < 2 else "promising"
    if r == 2:
        return "at_risk" if fm >= 3 else "almost_lost"
    return "previously_loyal" if fm >= 3 else "dormant"


def _first(cases: list[tuple[str, Rule]], row: Row) -> str | None:
    return next((name for name, when in cases if when(row) is True), None)


class Oracle:
    """A policy as this module reads it."""

    def __init__(self, source: str) -> None:
        self.document = yaml.safe_load(source)
        self.columns = [(c["name"], rule(c["value"])) for c in self.document.get("columns", [])]
        self.tiers = [
            (t["name"], rule(t["when"]) if "when" in t else rule(f"clv_percentile >= {t['min_percentile']}"))
            for t in self.document.get("tiers", [])
        ]
        self.signals = [
            (s["name"], [(level, rule(s[level])) for level in LEVELS if level in s])
            for s in self.document.get("signals", [])
        ]
        self.health = [(p["name"], p["weight"], rule(p["points"])) for p in self.document.get("health", [])]
        self.risk = [(r["name"], rule(r["when"])) for r in self.document.get("risk", [])]
        self.stages = [dict(stage, **_compiled(stage)) for stage in self.document["stages"]]

    def decide(self, given: Row, was: str | None, days_in_stage: float | None) -> Row:
        """What becomes of one customer."""
        row = {k: None if isinstance(v, float) and v != v else v for k, v in given.items()}
        row |= {"previous_stage": was, "days_in_stage": days_in_stage}
        for name, value in self.columns:
            row[name] = value(row)
        row["tier"] = _first(self.tiers, row)
        row["segment"] = segment(row, self.document.get("segments", "rfm_11"))
        on = {name: _first(levels, row) for name, levels in self.signals}
        row |= {f"signal_{name}": level is not None for name, level in on.items()}
        row["health"] = self._health(row)
        row["risk"] = _first(self.risk, row)
        stage = self._stage(row, was)
        fired = _first(stage["rules"], row)
        stays = was == stage["name"] and self._stays(stage, row)
        return {
            "stage": stage["name"],
            "rule": f"{stage['name']}.{fired or ('stays' if stays else 'default')}",
            "action": _first(stage["chosen"], row),
            "signals": [{"name": name, "level": level} for name, level in on.items() if level],
            **{name: row[name] for name in ("tier", "segment", "risk", "health")},
        }

    def _stage(self, row: Row, was: str | None) -> Row:
        """The four rules of the language, in words of their own."""
        for stage in self.stages:
            if stage.get("preempts") and _first(stage["rules"], row):
                return stage
        for stage in self.stages:
            if stage["name"] == was and self._stays(stage, row):
                return stage
        for stage in self.stages:
            if _first(stage["rules"], row):
                return stage
        return next(stage for stage in self.stages if stage["name"] == self.document["default"])

    @staticmethod
    def _stays(stage: Row, row: Row) -> bool:
        if stage["leave"] is None:
            return _first(stage["rules"], row) is not None
        return stage["leave"](row) is not True

    def _health(self, row: Row) -> float | None:
        total = weights = 0.0
        for _, weight, points in self.health:
            value = points(row)
            if value is not None and value == value:
                total += weight * min(max(value, 0.0), 100.0)
                weights += weight
        return total / weights if weights else None


def _compiled(stage: Row) -> Row:
    enter = stage["enter"]
    named = [("enter", enter)] if isinstance(enter, str) else [(r["rule"], r["when"]) for r in enter]
    actions = [a if isinstance(a, dict) else {"name": a} for a in stage.get("actions", [])]
    return {
        "rules": [(name, rule(text)) for name, text in named],
        "leave": rule(stage["exit"]) if "exit" in stage else None,
        "chosen": [(a["name"], rule(a.get("when", "TRUE"))) for a in actions],
    }


def numbers(source: str) -> Iterator[float]:
    """Every number that stands in a policy: where its thresholds are."""
    for text in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", source):
        yield float(text)
