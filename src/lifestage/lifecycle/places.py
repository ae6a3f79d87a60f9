"""Where in a YAML file something stands: the line and column of a key, and of a character of its text."""

from collections.abc import Sequence
from typing import Any

import yaml


class Places:
    """The positions of a YAML text's nodes, found by the keys and list positions that lead to them."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._root = yaml.compose(text, Loader=yaml.SafeLoader)

    def at(self, path: Sequence[Any], offset: int | None = None) -> str:
        """ ", line L, column C" of the node at `path`, or of the nearest one above it that the file has.

        With `offset` of that character of the node's text.
        """
        node = self._node(path)
        if node is None:
            return ""
        index = self._index(node, offset)
        line, begins = self._text.count("\n", 0, index), self._text.rfind("\n", 0, index)
        return f", line {line + 1}, column {index - begins}"

    def _node(self, path: Sequence[Any]) -> yaml.Node | None:
        """The node at `path`, for a mapping or list its key; else the nearest one above."""
        node = self._root
        for step in path:
            child = None
            if isinstance(node, yaml.MappingNode):
                for key, value in node.value:
                    if key.value == str(step):
                        child = value
                        if step == path[-1] and value is not None and not isinstance(value, yaml.ScalarNode):
                            return key
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                child = node.value[step]
            if child is None:
                return node
            node = child
        return node

    def _index(self, node: yaml.Node, offset: int | None) -> int:
        """Place in the file of the node's first character, or of character `offset` of its text."""
        start, end = int(node.start_mark.index), int(node.end_mark.index)
        if offset is None or not isinstance(node, yaml.ScalarNode):
            return start
        raw = self._text[start:end]
        if node.style in ("|", ">"):
            start += raw.find("\n") + 1
        elif node.style in ("'", '"'):
            start += 1
        # Folding changes white space alone, so the n-th other character of the text is that of the file. A quotation
        # mark written twice or with a backslash counts once.
        wanted = len("".join(node.value[:offset].split()))
        index = start
        while index < end:
            sign = self._text[index]
            doubled = (node.style == "'" and self._text[index : index + 2] == "''") or (
                node.style == '"' and sign == "\\"
            )
            if not sign.isspace():
                if wanted == 0:
                    return index
                wanted -= 1
            index += 2 if doubled else 1
        return int(node.start_mark.index)
