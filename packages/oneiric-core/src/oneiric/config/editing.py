"""Changing a YAML file and nothing else in it: new text is put in at the places that the parser's marks give.

Not by ruamel's round trip, which reformats what it wasn't asked to change, and moves comments from one key to another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ruamel.yaml.nodes import MappingNode, SequenceNode

from oneiric.config.emission import block, inline, is_branch, pair
from oneiric.config.patch import same
from oneiric.config.positions import CantEdit, Text, key_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ruamel.yaml.nodes import Node

    from oneiric.config.positions import Entry
    from oneiric.config.yaml_file import YamlFile

_STEP = 2
"""How many spaces a level is indented by where the file doesn't show it."""


def edited(file: YamlFile, content: Mapping[str, Any]) -> str:
    """The file's text with what is needed for it to hold `content`.

    Raises CantEdit where an alias or another unusual form is in the way; whether the result is right must be seen by
    parsing it.
    """
    editor = _Editor(Text(file.text))
    editor.root(file.node, file.content, content)
    return editor.text.spliced(editor.splices)


class _Editor:
    """Collects the splices that lead from one content to another."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.step = _STEP
        self.splices: list[tuple[int, int, str]] = []

    def root(self, node: Node | None, old: Mapping[Any, Any], new: Mapping[Any, Any]) -> None:
        """Change the file's mapping, or make one in place of nothing, `null` or `{}`."""
        if isinstance(node, MappingNode) and node.value:
            self.step = self._step_of(node)
            self._mapping(node, old, new)
            return
        end_of_file = len(self.text.text)
        start, end = (node.start_mark.index, node.end_mark.index) if node else (end_of_file, end_of_file)
        lines = self.text.lines(block(new, 0, self.step))
        on_new_line = self.text.newline if self.text.before(start) else ""
        self._splice(start, end, on_new_line + (lines if start == end else lines.removesuffix(self.text.newline)))

    def _step_of(self, node: MappingNode) -> int:
        """How many spaces the file indents its first level by."""
        blocks = (entry for entry in self.text.entries(node) if entry.is_block and isinstance(entry.value, MappingNode))
        steps = (self.text.column(entry.value.value[0][0]) - self.text.column(entry.key) for entry in blocks)
        return next((step for step in steps if step > 0), _STEP)

    def _mapping(self, node: MappingNode, old: Mapping[Any, Any], new: Mapping[Any, Any]) -> None:
        """Change, remove and add keys of a mapping that has some."""
        entries = {key_in(old, entry.key): entry for entry in self.text.entries(node)}
        changed = {key for key in old if key not in new or not same(old[key], new[key])}
        if changed - entries.keys():
            raise CantEdit(int(node.start_mark.line) + 1)  # they come by a merge key
        for key, entry in entries.items():
            if key in changed and key in new:
                self._change(entry, old[key], new[key], in_flow=bool(node.flow_style))
        removed = {id(entry) for key, entry in entries.items() if key in changed and key not in new}
        added = {key: value for key, value in new.items() if key not in old}
        if added or removed:
            (self._flow if node.flow_style else self._block)(list(entries.values()), removed, added)

    def _block(self, entries: list[Entry], removed: set[int], added: Mapping[Any, Any]) -> None:
        for entry in entries:
            if id(entry) in removed:
                self._remove(entry)
        if added:
            end = self.text.next_line(self.text.end_of(entries[-1]))
            self._splice(end, end, self.text.lines(block(added, self.text.column(entries[0].key), self.step)))

    def _flow(self, entries: list[Entry], removed: set[int], added: Mapping[Any, Any]) -> None:
        for entry in entries:
            entry.refuse_alias()
        kept = [index for index, entry in enumerate(entries) if id(entry) not in removed]
        end = entries[kept[-1]].end if kept else entries[0].key.start_mark.index
        text = ", ".join(pair(key, value) for key, value in added.items())
        if text:
            self._splice(end, end, f", {text}" if kept else text)
        for index in range(kept[-1] if kept else 0):
            if index not in kept:
                self._splice(entries[index].key.start_mark.index, entries[index + 1].key.start_mark.index)
        self._splice(end, max(end, entries[-1].end))

    def _change(self, entry: Entry, old: Any, new: Any, *, in_flow: bool) -> None:
        entry.refuse_alias()
        node = entry.value
        if isinstance(node, MappingNode) and node.value and is_branch(old) and is_branch(new):
            self._mapping(node, old, new)
        elif in_flow:
            colon = ": " if entry.colon is None else " " if entry.start == entry.end else ""
            self._splice(entry.start, entry.end, colon + inline(new, in_flow=True))
        elif isinstance(node, MappingNode) and entry.is_block and is_branch(old) and new == {}:
            self._empty(entry, node)
        elif is_branch(new):
            self._replace_by_block(entry, new)
        else:
            self._replace_by_line(entry, new)

    def _replace_by_line(self, entry: Entry, new: Any) -> None:
        """Put a value that takes one line where the old one is."""
        colon = self._colon(entry)
        if entry.is_block_scalar:
            header = self.text.end_of_header(entry)
            self._splice(entry.start, header, inline(new))  # a comment behind the header stays
            self._remove_lines(header, self.text.end_of(entry))
        elif entry.is_block and isinstance(entry.value, SequenceNode) and isinstance(new, list) and new:
            column = self.text.column(entry.value)
            items = self.text.lines(f"{' ' * column}- {inline(item, in_flow=True)}" for item in new)
            self._splice(entry.start - column, self.text.next_line(self.text.end_of(entry)), items)
        elif entry.is_block:
            self._splice(colon, colon, f" {inline(new)}")
            self._remove_lines(colon, self.text.end_of(entry))
        else:
            self._splice(entry.start, entry.end, (" " if entry.start == entry.end else "") + inline(new))

    def _replace_by_block(self, entry: Entry, new: Mapping[Any, Any]) -> None:
        """Put a mapping, a line for each key, where the old value is; what stands behind the key's colon stays."""
        colon = self._colon(entry)
        following = self.text.next_line(colon)
        if entry.is_block_scalar:
            self._splice(colon, self.text.end_of_header(entry))
            self._remove_lines(colon, self.text.end_of(entry))
        elif entry.is_block:
            self._remove_lines(colon, self.text.end_of(entry))
        elif entry.end < following:
            self._splice(colon, entry.end)
        else:  # it is on lines of its own, with comments around it
            self._splice(entry.start, entry.end, inline(new))
            return
        column = self.text.column(entry.key) + self.step
        self._splice(following, following, self.text.lines(block(new, column, self.step)))

    def _empty(self, entry: Entry, node: MappingNode) -> None:
        """Take all keys from a block, and leave the comments between them."""
        colon = self._colon(entry)
        self._splice(colon, colon, " {}")
        for inner in self.text.entries(node):
            self._remove(inner)

    def _remove(self, entry: Entry) -> None:
        """Remove an entry of a block: its lines, and what stands on them."""
        before = self.text.before(entry.key.start_mark.index)
        if before.strip(" "):  # `? key`
            raise CantEdit(entry.line)
        start = entry.key.start_mark.index - len(before)
        self._splice(start, self.text.next_line(self.text.end_of(entry)))

    def _remove_lines(self, start: int, end: int) -> None:
        """Remove the lines after that of `start`, through that of `end`."""
        first, last = self.text.next_line(start), self.text.next_line(end)
        if first < last:
            self._splice(first, last)

    @staticmethod
    def _colon(entry: Entry) -> int:
        if entry.colon is None:
            raise CantEdit(entry.line)
        return entry.colon

    def _splice(self, start: int, end: int, text: str = "") -> None:
        self.splices.append((start, end, text))
