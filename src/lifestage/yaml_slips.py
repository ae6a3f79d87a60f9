"""What a person most often did where YAML stops reading: the line at fault, and what to write instead."""

import re
from collections.abc import Sequence
from typing import NamedTuple

_WIDE_COLON = re.compile(r"(?:^\s*(?:- +)?|[{,]\s*)[\"']?[A-Za-z_]\w*[\"']?\s*(：)")
_QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:''|[^'])*'|#.*$")
_OPENING = re.compile(r"(?:[:,{\[]\s*|^\s*-\s+)([\"'])")
_BRACE_FIRST = re.compile(r":\s*\{\s*\w+\s*\}[^{}\"']*$")
_STRUCTURE = ("could not find expected", "mapping values", "expected <block end>", "expected ',' or")
_QUOTES = (*_STRUCTURE, "unexpected end of stream", "cannot start any token")


class Slip(NamedTuple):
    """Where (counted from 0) and what."""

    line: int
    column: int
    hint: str
    sure: bool
    """The hint says it all; else it is added to YAML's own words."""


def yaml_slip(lines: Sequence[str], line: int, column: int, problem: str) -> Slip | None:
    """The usual slip behind YAML's `problem` at a place of the text; None where none is recognised."""
    line = min(line, len(lines) - 1)
    here = lines[line]
    if any(words in problem for words in _STRUCTURE):
        for number in range(line, -1, -1):
            if found := _WIDE_COLON.search(_blanked(lines[number])):
                hint = "'：' is a full-width colon; write ':' and a space after a key, not '：'"
                return Slip(number, found.start(1), hint, True)
    if "expected ',' or" in problem and (at := _blanked(here).rfind("，", 0, column)) >= 0:
        return Slip(line, at, "'，' is a full-width comma; write ',' and a space between two entries", True)
    if _BRACE_FIRST.search(here[:column]):
        return Slip(line, column, "a text that begins with { needs quotation marks around it", False)
    begun = _open_quote(lines, line, problem) if any(words in problem for words in _QUOTES) else None
    if begun is not None:
        return Slip(line, column, f"line {begun + 1} may lack its closing quotation mark", False)
    return None


def _blanked(line: str) -> str:
    """The line with its quoted texts and its comment as spaces."""
    return _QUOTED.sub(lambda found: " " * len(found[0]), line)


def _open_quote(lines: Sequence[str], line: int, problem: str) -> int | None:
    """The nearest line above in which a quoted text begins and does not end, unless another one ends it."""
    for number in range(line if "end of stream" in problem else line - 1, -1, -1):
        text = lines[number].replace('\\"', "").split(" #", maxsplit=1)[0]
        begun = _OPENING.search(text)
        if begun and text.count(begun[1]) % 2:
            return number
        if text.count('"') % 2:
            return None
    return None
