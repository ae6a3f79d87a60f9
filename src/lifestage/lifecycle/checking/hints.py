"""A mistake in a policy file told with the line it stands on, and with the usual slip behind it."""

import re
from collections.abc import Iterator

_LINE = re.compile(r"[,(] ?line (\d+), column (\d+)")
_KNOWN = re.compile(r"(unknown column '.*'); known are: .*")
_WIDE = "＞＜＝（），、；：‘’“”≥≤≠　％"
_PLAIN = {"≥": ">=", "≤": "<=", "≠": "<>", "、": ",", "‘": "'", "’": "'", "“": "'", "”": "'", "　": " "}
_WORDS = re.compile(r"\b(more|less|greater|bigger|smaller|older|at least|at most)\b", re.IGNORECASE)


def explained(message: str, text: str) -> str:
    """The message of mistakes, after each line of it the line of the file and a hint where one is known."""
    lines = text.splitlines()
    told = []
    for part in message.split("\n"):
        short = _KNOWN.sub(r"\1; 'python -m training.policy columns' lists all", part)
        told.append(short)
        found = _LINE.search(part)
        if found and int(found[1]) <= len(lines):
            line = lines[int(found[1]) - 1]
            told.append(f"    line {found[1]}: {line.strip()}")
            if "YAML" not in part:
                told += [f"    hint: {hint}" for hint in _hints(part, line)]
    return "\n".join(told)


def _hints(message: str, line: str) -> Iterator[str]:
    if "full-width" in message:
        return
    if wide := [c for c in dict.fromkeys(line.split("#", maxsplit=1)[0]) if c in _WIDE and c in message]:
        yield f"write plain signs: {', '.join(f'{_plain(c)} instead of {c}' for c in wide)}"
        return
    wrong = message.rsplit(": ", maxsplit=1)[-1]
    slips = (
        (re.search(r"=[<>]", line) and "read as" in wrong, "write >= or <=, the equals sign last"),
        (
            _WORDS.search(line) and "read as" in wrong,
            "write > or >= for 'more than' or 'at least', < or <= for 'less than' or 'at most'",
        ),
        ("Chained" in message, "write both ends apart: 0 < order_count AND order_count < 5"),
        (
            "Could not convert string" in message,
            "a number stands without quotation marks and without its unit, e.g. days_since_last_order > 180",
        ),
        ("valid string" in message or "valid tuple" in message, "write a condition, e.g. order_count > 0"),
    )
    yield from (hint for found, hint in slips if found)
    if (unknown := re.search(r"unknown column '([^']+)'", message)) is not None:
        name = unknown[1]
        if name == "stage":
            yield "the stage of now is not decided yet; the one before is previous_stage"
        elif re.search(rf"(=|<>|IN \(|,)\s*[\"']?{re.escape(name)}\b", line, re.IGNORECASE):
            yield f"if {name} is a text and no column, put it in single quotation marks: '{name}'"


def _plain(sign: str) -> str:
    return _PLAIN.get(sign) or chr(ord(sign) - 0xFEE0)
