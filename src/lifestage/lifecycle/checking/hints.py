"""A mistake in a policy file told with its line, and with the usual slip behind it, to who wrote the file."""

import re
from collections.abc import Iterator

import yaml

from lifestage.lifecycle.policy import presets

_PLACE = re.compile(r"(stages|signals|risk|tiers|alerts|columns|health)\.([a-z0-9_ ]+)(?:\.([a-z0-9_]+))?")
_YAML_LINE = re.compile(r"\(line (\d+)\)")
_FULL_WIDTH = "＞＜＝（），、；：‘’“”≥≤≠　％"
_PLAIN = {"≥": ">=", "≤": "<=", "≠": "<>", "、": ",", "‘": "'", "’": "'", "“": "'", "”": "'", "　": " "}


def explained(message: str, text: str, where: str) -> str:
    """The message of a mistake, with the line of the file and a hint where one is known."""
    message = re.sub(
        r"(unknown column '.*'); known are: .*", r"\1; 'python -m training.policy columns' lists all", message
    )
    found = list(dict.fromkeys(_parts(message, text)))
    if where in presets() or not found:
        return message
    return "\n".join([message, *(f"  {part}" for part in found)])


def _parts(message: str, text: str) -> Iterator[str]:
    lines = text.splitlines()
    if (bad := _YAML_LINE.search(message)) and "not valid YAML" in message:
        number = int(bad[1])
        yield from _shown(lines, number)
        yield from _yaml_hints(lines, number)
        return
    for place in _PLACE.finditer(message.split("\n", maxsplit=1)[0]):
        node = _node(text, place[1], place[2], place[3])
        if node is not None:
            yield from _shown(lines, node.start_mark.line + 1)
            written = node.value if isinstance(node, yaml.ScalarNode) else ""
            yield from (f"hint: {hint}" for hint in _condition_hints(message, written))
        break


def _shown(lines: list[str], number: int) -> Iterator[str]:
    if 1 <= number <= len(lines):
        yield f"line {number} of the file: {lines[number - 1].strip()}"


def _yaml_hints(lines: list[str], number: int) -> Iterator[str]:
    near = lines[max(0, number - 2) : number]
    if any("\t" in line for line in near):
        yield "hint: indent with spaces, not with a tab"
    elif any(re.match(r"\s*[a-z_]+:\s+[^'\"{\[>|#].*:(\s|$)", line) for line in near):
        yield "hint: a text that holds ': ' must stand in quotation marks"
    elif any(re.match(r"\s*-?\s*[a-z_]+\s*$", line) for line in near):
        yield "hint: a key needs a colon after it, e.g. stages:"
    elif any(line.count("'") % 2 or line.count('"') % 2 for line in near):
        yield "hint: a quotation mark is opened and not closed"
    else:
        yield "hint: the keys of one stage start in the same column; look at the line and the one before it"


def _node(text: str, part: str, name: str, key: str | None) -> yaml.Node | None:
    """The YAML node of a key of the item called `name` of a list; the item's own where it lacks the key."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    items = _value(root, part)
    if not isinstance(items, yaml.SequenceNode):
        return items
    for position, item in enumerate(items.value, start=1):
        called = _value(item, "name")
        if name == f"number {position}" or (isinstance(called, yaml.ScalarNode) and called.value == name):
            return (_value(item, key) if key else None) or item
    return None


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key:
                found: yaml.Node = value
                return found
    return None


def _condition_hints(message: str, written: str) -> Iterator[str]:
    foreign = [c for c in _FULL_WIDTH if c in written]
    if foreign:
        pairs = ", ".join(f"{_plain(c)} instead of {c}" for c in foreign)
        yield f"write plain signs: {pairs}"
        return
    if re.search(r"\d,\d", written) and "," in message:
        yield "write a decimal point, e.g. 1.5 instead of 1,5, and no separator of thousands"
    if re.search(r"\d \d", written):
        yield "write a number without spaces, e.g. 1000"
    if "%" in written:
        yield "write a share, e.g. 0.7 instead of 70%"
    if re.search(r"=[<>]", written):
        yield "write >= or <=, the equals sign last"
    if re.search(r"\b(more|less|greater|bigger|smaller|older|at least|at most)\b", written, re.IGNORECASE):
        yield "write > or >= for 'more than' or 'at least', < or <= for 'less than' or 'at most'"
    if "Chained" in message:
        yield "write both ends apart: 0 < order_count AND order_count < 5"
    if "Could not convert string" in message:
        yield "a number stands without quotation marks and without its unit, e.g. days_since_last_order > 180"
    if (unknown := re.search(r"unknown column '([^']+)'", message)) is not None:
        yield from _unknown(unknown[1], written)
    if "valid string" in message:
        yield "write a condition, e.g. order_count > 0"


def _unknown(name: str, written: str) -> Iterator[str]:
    if name == "stage":
        yield "the stage a customer is in now is not decided yet; the one before is previous_stage"
    elif re.search(rf"(=|<>|IN \(|,)\s*[\"']?{re.escape(name)}\b", written, re.IGNORECASE):
        yield f"if {name} is a text and no column, put it in single quotation marks: '{name}'"


def _plain(sign: str) -> str:
    return _PLAIN.get(sign) or chr(ord(sign) - 0xFEE0)
