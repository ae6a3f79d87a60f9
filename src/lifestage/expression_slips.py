"""Numbers as people write them and SQL does not: 90%, 60 days, 1,000. What was meant is told with the place."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlglot.tokens import Token, TokenType

_UNITS = re.compile(
    r"(?:d|h|min|mins|minutes?|hours?|days?|weeks?|months?|years?|orders?|times|points?|percent|pct"
    r"|eur|usd|cny|rmb|gbp|€|天|日|周|个?月|年|小时|元|块|单|次|笔|分|个|倍)",
    re.IGNORECASE,
)
_SHARES = ("percent", "pct")
_GROUPS = re.compile(r"\d{1,3}(?:,\d{3})+(?![\d,])")
_DECIMAL = re.compile(r"(\d+),(\d+)(?![\d,])")
_SPACED = re.compile(r"\d{1,3}(?: \d{3})+(?!\d)")
_AFTER = (TokenType.NUMBER, TokenType.L_PAREN, TokenType.VAR, TokenType.IDENTIFIER)
"""What may follow a % that divides."""


class Slip(NamedTuple):
    """One number that is none."""

    offset: int
    problem: str


def number_slip(text: str, tokens: Sequence[Token]) -> Slip | None:
    """The first number of an expression that does not read, written as people do; None where there is none."""
    return next(_slips(text, tokens), None)


def _slips(text: str, tokens: Sequence[Token]) -> Iterator[Slip]:
    for token, after, then in zip(tokens, [*tokens[1:], None], [*tokens[2:], None, None], strict=False):
        if token.token_type != TokenType.NUMBER or after is None:
            continue
        start, number = int(token.start), token.text
        rest = text[start:]
        percent = after.text.lower() in _SHARES
        if percent or (after.text == "%" and (then is None or then.token_type not in _AFTER)):
            yield Slip(
                start,
                f"'{number}{'' if percent else '%'}{' ' + after.text if percent else ''}' is no number; write a share: "
                f"{_share(number)}",
            )
        elif _UNITS.fullmatch(after.text):
            written = text[start : int(after.end) + 1]
            yield Slip(
                start,
                f"'{written}' is no number; write the number alone: {number} (its unit is that of the column)",
            )
        elif after.text == "," and (found := _GROUPS.match(rest)):
            yield Slip(
                start, f"'{found[0]}' is no number; write it without commas: {found[0].replace(',', '')}"
            )
        elif after.text == "," and (found := _DECIMAL.match(rest)):
            yield Slip(start, f"'{found[0]}' is no number; write a decimal point: {found[1]}.{found[2]}")
        elif after.token_type == TokenType.NUMBER and (found := _SPACED.match(rest)):
            yield Slip(
                start,
                f"'{found[0]}' is no number; write a number without spaces: {found[0].replace(' ', '')}",
            )


def _share(number: str) -> str:
    try:
        return f"{float(number) / 100:.10g}"
    except ValueError:
        return "e.g. 0.9"
