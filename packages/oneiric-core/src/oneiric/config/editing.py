"""Changing a YAML file and nothing else in it: new text is put in at the places that the parser's marks give.

Not by ruamel's round trip, which reformats what it wasn't asked to change, and moves comments from one key to another.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ruamel.yaml.nodes import CollectionNode, MappingNode, ScalarNode, SequenceNode

from oneiric.config.emission import block, inline, is_branch, pair
from oneiric.config.patch import same

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ruamel.yaml.nodes import Node

    from oneiric.config.yaml_file import YamlFile

_NEWLINE = re.compile(r"\r\n|\r|\n")
_COLON = re.compile(r"[ \t]*:")
_BLOCK_HEADER = re.compile(r"[|>][-+0-9]*")
_STEP = 2
"""How many spaces a level is indented by where the file doesn't show it."""


class CantEdit(Exception):
    """This file can't be changed so without touching more than the change; `line` is where."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class _Entry(NamedTuple):
    key: Node
    value: Node


class _Splice(NamedTuple):
    start: int
    end: int
    text: str = ""


def edited(file: YamlFile, content: Mapping[str, Any]) -> str:
    """The file's text with what is needed for it to hold `content`.

    What is the same object in both contents is not looked at. Raises CantEdit where an alias or another unusual form is
    in the way; whether the result is right must be seen by parsing it.
    """
    text = _Text(file.text)
    editor = _Editor(text, _step(file.node))
    editor.root(file.node, file.content, content)
    return text.spliced(editor.splices)


class _Text:
    """The text of a file, with a newline at its end while it is worked on."""

    def __init__(self, text: str) -> None:
        newline = _NEWLINE.search(text)
        self.newline = newline[0] if newline else "\n"
        self._added = "" if not text.removeprefix("\ufeff") or text.endswith(("\n", "\r")) else self.newline
        self.text = text + self._added

    def spliced(self, splices: Iterable[_Splice]) -> str:
        """The text with the splices made; of two insertions at one place, the one that was asked for first comes first."""
        parts, position = list[str](), 0
        for start, end, new in sorted(splices, key=lambda splice: splice[:2]):
            parts += (self.text[position:start], new)
            position = end
        parts.append(self.text[position:])
        return "".join(parts).removesuffix(self._added)

    def next_line(self, index: int) -> int:
        """Where the line after the one of `index` begins."""
        newline = _NEWLINE.search(self.text, index)
        return newline.end() if newline else len(self.text)

    def before(self, index: int) -> str:
        """What stands on the line before `index`."""
        return _NEWLINE.split(self.text[:index])[-1]

    def lines(self, lines: Iterable[str]) -> str:
        return "".join(line + self.newline for line in lines)

    def column(self, node: Node) -> int:
        """How far a node stands from the start of its line; a byte order mark doesn't count."""
        return len(self.before(_start(node)).removeprefix("\ufeff"))

    def end_of(self, node: Node) -> int:
        """Where the last character of a node's content is past; what follows, comments too, is not the node's."""
        while isinstance(node, CollectionNode) and not node.flow_style and node.value:
            node = _last(node)
        if not _is_block_scalar(node):
            return _end(node)
        source = self.text[_start(node) : _end(node)]
        header = _BLOCK_HEADER.search(source)
        if header and "+" in header[0]:  # the empty lines are its content
            return _start(node) + max(newline.start() for newline in _NEWLINE.finditer(source))
        return _start(node) + len(source.rstrip())


class _Editor:
    """Collects the splices that lead from one content to another."""

    def __init__(self, text: _Text, step: int) -> None:
        self.text = text
        self.step = step
        self.splices: list[_Splice] = []

    def root(self, node: Node | None, old: Mapping[Any, Any], new: Mapping[Any, Any]) -> None:
        """Change the file's mapping, or make one in place of nothing, `null` or `{}`."""
        if isinstance(node, MappingNode) and node.value:
            self.mapping(node, old, new)
            return
        if same(old, new):
            return
        start, end = (_start(node), _end(node)) if node else (len(self.text.text),) * 2
        lines = self.text.lines(block(new, 0, self.step))
        on_new_line = self.text.newline if self.text.before(start).removeprefix("\ufeff") else ""
        self._splice(start, end, on_new_line + (lines if start == end else lines.removesuffix(self.text.newline)))

    def mapping(self, node: MappingNode, old: Mapping[Any, Any], new: Mapping[Any, Any]) -> None:
        """Change, remove and add keys of a mapping that has some."""
        entries = {_key_in(old, key): _Entry(key, value) for key, value in node.value}
        changed = {key for key in old if not (key in new and same(old[key], new[key]))}
        if changed - entries.keys():
            raise CantEdit(_line(node))  # they come by a merge key
        for key in entries:
            if key in changed and key in new:
                self._change(entries[key], old[key], new[key], in_flow=bool(node.flow_style))
        removed = [entry for key, entry in entries.items() if key in changed and key not in new]
        added = {key: value for key, value in new.items() if key not in old}
        (self._flow if node.flow_style else self._block)(node, removed, added)

    def _block(self, node: MappingNode, removed: list[_Entry], added: Mapping[Any, Any]) -> None:
        for entry in removed:
            self._remove_entry(entry)
        if added:
            end = self.text.next_line(self.text.end_of(node))
            self._splice(end, end, self.text.lines(block(added, self.text.column(node), self.step)))

    def _flow(self, node: MappingNode, removed: list[_Entry], added: Mapping[Any, Any]) -> None:
        if not (removed or added):
            return
        entries = [_Entry(*entry) for entry in node.value]
        for entry in entries:
            _refuse_alias(entry)
        kept = [index for index, entry in enumerate(entries) if entry not in removed]
        end = _end(entries[kept[-1]].value) if kept else _start(entries[0].key)
        text = ", ".join(pair(key, value) for key, value in added.items())
        if text:
            self._splice(end, end, f", {text}" if kept else text)
        for index, entry in enumerate(entries):
            if kept and index < kept[-1] and entry in removed:
                self._splice(_start(entry.key), _start(entries[index + 1].key))
        self._splice(end, max(end, _end(entries[-1].value)))

    def _change(self, entry: _Entry, old: Any, new: Any, *, in_flow: bool) -> None:
        _refuse_alias(entry)
        node = entry.value
        if isinstance(node, MappingNode) and node.value and is_branch(old) and is_branch(new):
            self.mapping(node, old, new)
        elif in_flow:
            self._replace_in_flow(entry, new)
        elif isinstance(node, MappingNode) and not node.flow_style and is_branch(old) and new == {}:
            self._empty(entry, node)
        elif is_branch(new):
            self._replace_by_block(entry, new)
        else:
            self._replace_by_line(entry, new)

    def _replace_in_flow(self, entry: _Entry, new: Any) -> None:
        start, end = _start(entry.value), _end(entry.value)
        colon = ": " if start == _end(entry.key) else " " if start == end else ""
        self._splice(start, end, colon + inline(new, in_flow=True))

    def _replace_by_line(self, entry: _Entry, new: Any) -> None:
        """Put a value that takes one line where the old one is."""
        node, start, end = entry.value, _start(entry.value), _end(entry.value)
        if _is_block_scalar(node):
            header = self._end_of_header(node)
            self._splice(start, header, inline(new))  # a comment behind the header stays
            self._remove_lines(header, self.text.end_of(node))
        elif isinstance(node, SequenceNode) and not node.flow_style and isinstance(new, list) and new:
            first = start - len(self.text.before(start))
            items = self.text.lines(f"{' ' * self.text.column(node)}- {inline(item, in_flow=True)}" for item in new)
            self._splice(first, self.text.next_line(self.text.end_of(node)), items)
        elif _is_block(node):
            colon = self._colon(entry)
            self._splice(colon, colon, f" {inline(new)}")
            self._remove_lines(colon, self.text.end_of(node))
        else:
            self._splice(start, end, (" " if start == end else "") + inline(new))

    def _replace_by_block(self, entry: _Entry, new: Mapping[Any, Any]) -> None:
        """Put a mapping, a line for each key, where the old value is; what stands behind the key's colon stays."""
        node, colon = entry.value, self._colon(entry)
        following = self.text.next_line(colon)
        if _is_block_scalar(node):
            self._splice(colon, self._end_of_header(node))
            self._remove_lines(colon, self.text.end_of(node))
        elif _is_block(node):
            self._remove_lines(colon, self.text.end_of(node))
        elif _end(node) < following:
            self._splice(colon, _end(node))
        else:  # it is on lines of its own, with comments around it
            self._splice(_start(node), _end(node), inline(new))
            return
        column = self.text.column(entry.key) + self.step
        self._splice(following, following, self.text.lines(block(new, column, self.step)))

    def _empty(self, entry: _Entry, node: MappingNode) -> None:
        """Take all keys from a block, and leave the comments between them."""
        colon = self._colon(entry)
        self._splice(colon, colon, " {}")
        for inner in node.value:
            self._remove_entry(_Entry(*inner))

    def _remove_entry(self, entry: _Entry) -> None:
        _refuse_alias(entry)
        start = _start(entry.key) - self.text.column(entry.key)
        if self.text.before(_start(entry.key)).strip(" \ufeff"):
            raise CantEdit(_line(entry.key))  # `? key`
        self._splice(start, self.text.next_line(self.text.end_of(entry.value)))

    def _remove_lines(self, start: int, end: int) -> None:
        """Remove the lines after that of `start`, through that of `end`."""
        first, last = self.text.next_line(start), self.text.next_line(end)
        if first < last:
            self._splice(first, last)

    def _colon(self, entry: _Entry) -> int:
        """Where the colon after a key is past."""
        colon = _COLON.match(self.text.text, _end(entry.key))
        if colon is None:
            raise CantEdit(_line(entry.key))  # `? key`
        return colon.end()

    def _end_of_header(self, node: Node) -> int:
        header = _BLOCK_HEADER.search(self.text.text, _start(node), _end(node))
        if header is None:
            raise CantEdit(_line(node))
        return header.end()

    def _splice(self, start: int, end: int, text: str = "") -> None:
        self.splices.append(_Splice(start, end, text))


def _last(node: CollectionNode) -> Node:
    """The last value in a block."""
    if isinstance(node, MappingNode):
        entry = _Entry(*node.value[-1])
        _refuse_alias(entry)
        return entry.value
    last: Node = node.value[-1]
    if _start(last) < (_end(node.value[-2]) if len(node.value) > 1 else _start(node)):
        raise CantEdit(_line(node))  # an alias
    return last


def _refuse_alias(entry: _Entry) -> None:
    """An alias has the node, and the marks, of what it stands for, which is earlier in the file."""
    if _start(entry.value) < _end(entry.key):
        raise CantEdit(_line(entry.key))


def _key_in(values: Mapping[Any, Any], node: Node) -> object:
    """The key of `values` that a node stands for; where none is found, something that no key equals."""
    if not isinstance(node, ScalarNode):
        return node
    if str(node.tag).endswith(":str"):
        return node.value
    return next((key for key in values if not isinstance(key, str) and str(key) == node.value), node)


def _step(node: Node | None) -> int:
    """How many spaces the file indents its first level by."""
    if isinstance(node, MappingNode) and not node.flow_style:
        for key, value in node.value:
            if isinstance(value, MappingNode) and _is_block(value) and _start(value) > _end(key):
                return max(1, int(value.value[0][0].start_mark.column - key.start_mark.column))
    return _STEP


def _start(node: Node) -> int:
    return int(node.start_mark.index)


def _end(node: Node) -> int:
    return int(node.end_mark.index)


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _is_block(node: Node) -> bool:
    return isinstance(node, CollectionNode) and not node.flow_style and bool(node.value)


def _is_block_scalar(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.style in ("|", ">")
