"""Where the parts of a YAML file begin and end in its text, by the marks that the parser gives its nodes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ruamel.yaml.nodes import CollectionNode, MappingNode, ScalarNode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from ruamel.yaml.nodes import Node

_NEWLINE = re.compile(r"\r\n|\r|\n")
_COLON = re.compile(r"[ \t]*:")
_BLOCK_HEADER = re.compile(r"[|>][-+0-9]*")
_MARK = "\ufeff"
"""The byte order mark, which some editors put in front of a text."""


class CantEdit(Exception):
    """A file can't be changed so without touching more than the change; `line` is where."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a mapping, or an item of a list, and its value."""

    key: Node
    value: Node
    floor: int
    """Where what comes before the value is past."""
    colon: int | None
    """Where the colon behind the key is past; None where there is none, as after `? key`."""
    start: int
    """Of the value. The parser's mark of one that isn't there may be lines away."""
    end: int
    """Where a value that is not a block is past."""

    @property
    def line(self) -> int:
        """Of the key, from 1."""
        return int(self.key.start_mark.line) + 1

    @property
    def is_block(self) -> bool:
        """Whether the value is a mapping or list with lines of its own."""
        return isinstance(self.value, CollectionNode) and not self.value.flow_style and bool(self.value.value)

    @property
    def is_block_scalar(self) -> bool:
        """Whether the value is a text behind `|` or `>`."""
        return isinstance(self.value, ScalarNode) and self.value.style in ("|", ">")

    def refuse_alias(self) -> None:
        """Raises CantEdit for an alias: it has the node, and the marks, of what it stands for, earlier in the file."""
        if self.start < self.floor:
            raise CantEdit(self.line)


class Text:
    """The text of a file, with a newline at its end while it is worked on."""

    def __init__(self, text: str) -> None:
        newline = _NEWLINE.search(text)
        self.newline = newline[0] if newline else "\n"
        self._added = "" if not text.removeprefix(_MARK) or text.endswith(("\n", "\r")) else self.newline
        self.text = text + self._added

    def spliced(self, splices: Iterable[tuple[int, int, str]]) -> str:
        """The text with these put in place of what is from a start to an end.

        Of two insertions at one place, the one that is given first comes first.
        """
        parts, position = list[str](), 0
        for start, end, new in sorted(splices, key=lambda splice: splice[:2]):
            parts += (self.text[position:start], new)
            position = max(position, end)
        parts.append(self.text[position:])
        return "".join(parts).removesuffix(self._added)

    def lines(self, lines: Iterable[str]) -> str:
        """These lines as a text."""
        return "".join(line + self.newline for line in lines)

    def next_line(self, index: int) -> int:
        """Where the line after that of `index` begins."""
        newline = _NEWLINE.search(self.text, index)
        return newline.end() if newline else len(self.text)

    def before(self, index: int) -> str:
        """What stands on the line before `index`, but for a byte order mark."""
        return _NEWLINE.split(self.text[max(0, self.text.rfind("\n", 0, index)) : index])[-1].removeprefix(_MARK)

    def column(self, node: Node) -> int:
        """How far a node stands from the start of its line."""
        return len(self.before(node.start_mark.index))

    def entries(self, node: MappingNode) -> list[Entry]:
        """The keys and values of a mapping, in order."""
        return [self._entry(key, value) for key, value in node.value]

    def _entry(self, key: Node, value: Node) -> Entry:
        match = _COLON.match(self.text, key.end_mark.index)
        colon = match.end() if match else None
        start, end = int(value.start_mark.index), int(value.end_mark.index)
        if start == end:  # there is none
            start = end = int(key.end_mark.index) if colon is None else colon
        return Entry(key, value, int(key.end_mark.index), colon, start, end)

    def end_of_header(self, entry: Entry) -> int:
        """Where the `|` or `>` of a text, and what belongs to it, is past."""
        header = _BLOCK_HEADER.search(self.text, entry.start, entry.end)
        if header is None:
            raise CantEdit(entry.line)
        return header.end()

    def end_of(self, entry: Entry) -> int:
        """Where a value's last character is past. What follows, comments too, belongs to nobody, or to what comes next."""
        entry.refuse_alias()
        if isinstance(entry.value, CollectionNode) and entry.is_block:
            return self.end_of(self._last(entry.value))
        if not entry.is_block_scalar:
            return entry.end
        source = self.text[entry.start : entry.end]
        header = self.end_of_header(entry)
        if "+" in self.text[entry.start : header]:  # empty lines at the end are content
            return entry.start + max(newline.start() for newline in _NEWLINE.finditer(source))
        return entry.start + len(source.rstrip())

    def _last(self, node: CollectionNode) -> Entry:
        if isinstance(node, MappingNode):
            return self._entry(*node.value[-1])
        item = node.value[-1]
        floor = node.value[-2].end_mark.index if len(node.value) > 1 else node.start_mark.index
        return Entry(item, item, floor, None, int(item.start_mark.index), int(item.end_mark.index))


def key_in(values: Mapping[Any, Any], node: Node) -> object:
    """The key of `values` that a node stands for; where none is found, something that no key equals."""
    if not isinstance(node, ScalarNode):
        return node
    if str(node.tag).endswith(":str"):
        return node.value
    return next((key for key in values if not isinstance(key, str) and str(key) == node.value), node)
