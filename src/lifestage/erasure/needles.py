"""What counts as a trace of a person: an id where ids stand, or its bytes anywhere.

Bytes are looked for only where an id has LEAST of them: the characters of a shorter one ("7") stand everywhere by
chance. A hit that is part of another customer's longer id ("C-1000017" holds "C-100001") is none, nor are the digits of
an id of digits within a longer number of a text.
"""

import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from mmap import mmap

Data = bytes | mmap
LEAST = 6
"""Bytes of an id from which on its bytes are looked for."""


@dataclass(frozen=True)
class Needles:
    """Ids to look for."""

    ids: frozenset[str]
    """Every id of the people; they are looked for where ids stand."""
    others: tuple[str, ...] = ()
    """Ids of other customers that hold one of them."""

    @cached_property
    def long(self) -> frozenset[str]:
        """Those that are looked for as bytes."""
        return frozenset(name for name in self.ids if len(name.encode()) >= LEAST)

    def mentioned(self, data: Data, *, text: bool) -> bool:
        """Whether the bytes of a long id stand there; `text` = in a text, where numbers are digits."""
        return self._pattern is not None and any(self._hits(data, text=text))

    def said(self, value: str) -> bool:
        """Whether a text holds a long id."""
        return self.mentioned(value.encode(), text=True)

    def _hits(self, data: Data, *, text: bool) -> Iterator[bool]:
        assert self._pattern is not None
        for match in self._pattern.finditer(data):
            start, found = match.start(), match[1]
            if text and found.isdigit() and _within_number(data, start, start + len(found)):
                continue
            if not any(
                bytes(data[max(0, start - at) : start - at + len(name)]) == name
                for name in self._around
                for at in _places(name, found)
                if start >= at
            ):
                yield True

    @cached_property
    def _around(self) -> list[bytes]:
        return [name.encode() for name in self.others]

    @cached_property
    def _pattern(self) -> re.Pattern[bytes] | None:
        spelt: set[bytes] = set()
        for name in self.long:
            spelt |= {name.encode(), json.dumps(name)[1:-1].encode(), html.escape(name).encode()}
        return re.compile(b"(?=(" + _alternatives(spelt) + b"))", re.DOTALL) if spelt else None


def holding(ids: frozenset[str], others: Iterable[str]) -> tuple[str, ...]:
    """Those of the other customers' ids that hold one of `ids`, which they are not."""
    needles = Needles(ids)
    if not needles.long:
        return ()
    return tuple(
        sorted({name for name in others if name not in ids and needles.mentioned(name.encode(), text=False)})
    )


def _within_number(data: Data, start: int, end: int) -> bool:
    """Digits that go on to the left or to the right, beyond a decimal point as well."""
    before, after = bytes(data[max(0, start - 2) : start]), bytes(data[end : end + 2])
    return bool(re.search(rb"\d\.?$", before) or re.match(rb"\.?\d", after))


def _places(name: bytes, part: bytes) -> Iterator[int]:
    at = name.find(part)
    while at >= 0:
        yield at
        at = name.find(part, at + 1)


def _alternatives(words: set[bytes]) -> bytes:
    """A pattern of any of the words that shares their beginnings: thousands are looked for at once."""
    heads: dict[bytes, set[bytes]] = {}
    for word in words - {b""}:
        heads.setdefault(word[:1], set()).add(word)
    parts = []
    for head in sorted(heads):
        shared = _shared(heads[head])
        rest = {word[len(shared) :] for word in heads[head]} - {b""}
        optional = b"" if shared not in heads[head] else b"?"
        parts.append(re.escape(shared) + (_alternatives(rest) + optional if rest else b""))
    return b"(?:" + b"|".join(parts) + b")"


def _shared(words: set[bytes]) -> bytes:
    """The beginning that all the words have."""
    first, last = min(words), max(words)
    same = (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(same, min(len(first), len(last)))]
