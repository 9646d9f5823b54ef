"""A YAML file as the parser's nodes: where each key stands, and whether merges would make more of it than it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, SequenceNode

from oneiric.config.yaml_errors import NO_SUCH_VALUE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from ruamel.yaml.nodes import Node

MAX_MERGED = 100_000
"""How many keys all `<<` of a file may bring together. Each may merge what merges others, and so double them."""

_MERGE = "tag:yaml.org,2002:merge"


class MarkedConstructor(SafeConstructor):
    """The safe constructor, whose every error has the place: `!!int ''` is an IndexError otherwise, and nothing more."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """Make what a node stands for."""
        try:
            return super().construct_object(node, deep)
        except (YAMLError, RecursionError):
            raise
        except Exception:  # noqa: BLE001 - `!!bool maybe` is a KeyError, `2024-13-45` a ValueError
            raise ConstructorError(None, None, NO_SUCH_VALUE, node.start_mark) from None


class Lines:
    """On which line each key of a file stands."""

    def __init__(self, node: Node | None) -> None:
        self._node = node
        self._known: dict[int, dict[str, tuple[int, Node]]] = {}

    def of(self, keys: Sequence[str]) -> int:
        """The line of the value that these keys lead to, from 1; with `<<`, for as far as they lead in the text."""
        node, line = self._node, 1
        for key in keys:
            found = self._keys_of(node).get(key)
            if found is None:
                break
            line, node = found
        return line

    def _keys_of(self, node: Node | None) -> dict[str, tuple[int, Node]]:
        if not isinstance(node, MappingNode):
            return {}
        if id(node) not in self._known:
            pairs = reversed(node.value)  # of a key that is there twice, the first
            self._known[id(node)] = {str(key.value): (key.start_mark.line + 1, value) for key, value in pairs}
        return self._known[id(node)]


def check_merges(node: Node | None) -> None:
    """Raise ConstructorError, as the parser would, where the merges of a file bring more keys than anybody means."""
    sizes: dict[int, int] = {}
    total = 0
    for mapping in _mappings(node):
        total += _size(mapping, sizes) if any(key.tag == _MERGE for key, _ in mapping.value) else 0
        if total > MAX_MERGED:
            raise ConstructorError(None, None, f"merges bring more than {MAX_MERGED} keys", mapping.start_mark)


def _size(mapping: MappingNode, sizes: dict[int, int]) -> int:
    """How many keys a mapping has when all is merged; one that merges itself brings itself nothing."""
    if id(mapping) not in sizes:
        sizes[id(mapping)] = 0
        merged = [inner for key, value in mapping.value if key.tag == _MERGE for inner in _merged(value)]
        sizes[id(mapping)] = len(mapping.value) + sum(_size(inner, sizes) for inner in merged)
    return sizes[id(mapping)]


def _merged(value: Node) -> Iterable[MappingNode]:
    candidates = value.value if isinstance(value, SequenceNode) else [value]
    return [candidate for candidate in candidates if isinstance(candidate, MappingNode)]


def _mappings(node: Node | None) -> Iterator[MappingNode]:
    """Every mapping, once, whatever aliases there are of it."""
    waiting, seen = [node] if node else [], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen or not isinstance(one, MappingNode | SequenceNode):
            continue
        seen.add(id(one))
        if isinstance(one, MappingNode):
            yield one
            waiting += [inner for pair in one.value for inner in pair]
        else:
            waiting += one.value
