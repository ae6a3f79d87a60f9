"""Sentences of a policy with {column} places, filled for each customer: why someone is where they are."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from string import Formatter

import pyarrow as pa

from lifestage.errors import InputError
from lifestage.lifecycle.columns import Published

_FORMATS = {
    "days": ("%.0f", 1.0),
    "orders": ("%.0f", 1.0),
    "refunds": ("%.0f", 1.0),
    "events": ("%.0f", 1.0),
    "sessions": ("%.0f", 1.0),
    "cases": ("%.0f", 1.0),
    "terms": ("%.0f", 1.0),
    "score": ("%.0f", 1.0),
    "points": ("%.0f", 1.0),
    "currency": ("%.2f", 1.0),
    "probability": ("%.0f%%", 100.0),
    "percentile": ("%.0f%%", 100.0),
}
"""How a number of each unit reads in a sentence, and its factor; any other number has one decimal."""
_COUNTED = re.compile(r" (day|order|refund|event|ticket)s\b")
"""English counts one thing in the singular."""


@dataclass(frozen=True, slots=True)
class Place:
    """A customer's value in a sentence: a column, for a number its format and factor."""

    column: str
    shape: str | None
    factor: float

    @property
    def _value(self) -> str:
        return f'"{self.column}"' if self.factor == 1 else f'"{self.column}" * {self.factor}'

    @property
    def sql(self) -> str:
        """SQL of the value as it reads."""
        return (
            f"CAST({self._value} AS VARCHAR)"
            if self.shape is None
            else f"printf('{self.shape}', {self._value})"
        )

    @property
    def is_one(self) -> str:
        """SQL: whether a whole number reads as 1."""
        return f"{self._value} > 0.5 AND {self._value} < 1.5"  # both ends are rounded to the even neighbour

    @property
    def known(self) -> str:
        """SQL: whether there is a value to tell."""
        quoted = f'"{self.column}"'
        return f"{quoted} IS NOT NULL" if self.shape is None else f"isfinite({quoted})"


@dataclass(frozen=True, slots=True)
class Sentence:
    """Texts and places in their order."""

    parts: tuple[str | Place, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it tells."""
        return tuple(part.column for part in self.parts if isinstance(part, Place))

    def sql(self, when: str) -> str:
        """SQL of the text, NULL for whom the condition `when` is not true or a value is missing or infinite."""
        return f"CASE {self.case(when)} END"

    def case(self, when: str) -> str:
        """The same as one case of several: WHEN ... THEN ..."""
        pieces: list[str] = []
        before: Place | None = None
        for part in self.parts:
            if isinstance(part, Place):
                pieces.append(part.sql)
                before = part
                continue
            counted = _COUNTED.match(part) if before is not None and before.shape == "%.0f" else None
            if before is not None and counted is not None:
                one, many = _literal(f" {counted[1]}"), _literal(counted[0])
                pieces.append(f"CASE WHEN {before.is_one} THEN {one} ELSE {many} END")
            rest = part[counted.end() :] if counted is not None else part
            if rest:
                pieces.append(_literal(rest))
            before = None
        known = "".join(f" AND {part.known}" for part in self.parts if isinstance(part, Place))
        return f"WHEN {when}{known} THEN {' || '.join(pieces)}"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def sentence(template: str, columns: Mapping[str, Published], where: str) -> Sentence:
    """The sentence of a template whose {column} places stand for a customer's values.

    Raises InputError for anything but a published column between braces.
    """
    try:
        parts = list(Formatter().parse(template))
    except ValueError:
        raise InputError(f"{where}: '{template}' has a brace without its pair; write {{column}}") from None
    found: list[str | Place] = []
    for literal, name, spec, conversion in parts:
        if literal:
            found.append(literal)
        if name is None:
            continue
        if name not in columns or spec or conversion:
            written = name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            close = get_close_matches(written, list(columns), n=1, cutoff=0.5)
            hint = f"did you mean '{{{close[0]}}}'?" if close else "name a published column"
            raise InputError(f"{where}: unknown place '{{{written}}}'; {hint}")
        number = pa.types.is_floating(columns[name].type)
        shape, factor = _FORMATS.get(columns[name].unit, ("%.1f", 1.0)) if number else (None, 1.0)
        found.append(Place(name, shape, factor))
    return Sentence(tuple(found))
