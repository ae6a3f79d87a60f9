"""What counts as a trace of a person: an id where ids stand, as a whole word of a text, or its bytes anywhere.

How far it is looked for depends on what stands everywhere by chance. A short id ("7") and a plain word ("loyal") are
looked for where ids stand alone; others of LEAST bytes as whole words of texts, too; their bytes in files that are no
texts only where they hold more than digits, or SURE digits: cells of numbers as text lie there without a gap between
them. A hit that is part of another customer's longer id ("C-1000017" holds "C-100001") is none, nor are the digits of
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
"""Bytes of an id from which on it is looked for in texts."""
SURE = 12
"""Digits of an id of digits from which on its bytes are looked for in files that are no texts."""
_WORDS = re.compile(r"[A-Za-z]+(?:[ _-][A-Za-z]+)*")
_ESCAPED = re.compile(rb"\\(?:[bfnrt]|u[0-9a-fA-F]{4})$")


@dataclass(frozen=True)
class Needles:
    """Ids to look for."""

    ids: frozenset[str]
    """Every id of the people; they are looked for where ids stand."""
    others: tuple[str, ...] = ()
    """Ids of other customers that hold one of them."""

    @cached_property
    def long(self) -> frozenset[str]:
        """Those that are looked for in texts."""
        return frozenset(n for n in self.ids if len(n.encode()) >= LEAST and not _WORDS.fullmatch(n))

    @cached_property
    def rare(self) -> frozenset[str]:
        """Those whose bytes stand nowhere by chance: looked for in every file."""
        return frozenset(n for n in self.long if len(n) >= SURE or not (n.isascii() and n.isdigit()))

    def mentioned(self, data: Data, *, text: bool) -> bool:
        """Whether an id stands there: a long one in a `text`, as a whole word; else the bytes of a rare one."""
        return any(self._hits(data, text=text))

    def said(self, value: str) -> bool:
        """Whether a text holds a long id."""
        return self.mentioned(value.encode(), text=True)

    def _hits(self, data: Data, *, text: bool) -> Iterator[bool]:
        pattern = self._in_texts if text else self._in_bytes
        for match in pattern.finditer(data) if pattern is not None else ():
            start, found = match.start(), match[1]
            if text and _within_word(data, start, start + len(found)):
                continue
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
    def _in_texts(self) -> re.Pattern[bytes] | None:
        return _any_of(self.long)

    @cached_property
    def _in_bytes(self) -> re.Pattern[bytes] | None:
        return _any_of(self.rare)


def holding(ids: frozenset[str], others: Iterable[str]) -> tuple[str, ...]:
    """Those of the other customers' ids that hold one of `ids`, which they are not."""
    pattern = _any_of(Needles(ids).long)
    if pattern is None:
        return ()
    return tuple(sorted({name for name in others if name not in ids and pattern.search(name.encode())}))


def _any_of(names: Iterable[str]) -> re.Pattern[bytes] | None:
    """Where any of the names stands, as it is or as JSON and HTML write it."""
    spelt: set[bytes] = set()
    for name in names:
        spelt |= {name.encode(), json.dumps(name)[1:-1].encode(), html.escape(name).encode()}
    return re.compile(b"(?=(" + _alternatives(spelt) + b"))", re.DOTALL) if spelt else None


def _within_word(data: Data, start: int, end: int) -> bool:
    """Letters or digits that go on to the left, where no escape of JSON ends, or to the right."""
    before, after = bytes(data[max(0, start - 6) : start]), bytes(data[end : end + 1])
    first, last = bytes(data[start : start + 1]), bytes(data[end - 1 : end])
    if last.isalnum() and after.isalnum():
        return True
    return first.isalnum() and before[-1:].isalnum() and _ESCAPED.search(before) is None


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
