"""New values as the text that stands for them in a YAML file."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from io import StringIO
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.representer import SafeRepresenter

from oneiric.config.references import is_reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ruamel.yaml.nodes import ScalarNode


_MISTAKEN = ("?", ":")
"""Ruamel leaves these unquoted in `[…]`, where it can't read them again."""


class _Representer(SafeRepresenter):
    """On one line whatever a string holds, and without anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True

    def represent_line(self, data: str) -> ScalarNode:
        style = '"' if not data.isprintable() or data.startswith(_MISTAKEN) else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Representer.add_representer(str, _Representer.represent_line)


def is_branch(value: object) -> bool:
    """Whether a value is written as a block with a line for each key."""
    return isinstance(value, Mapping) and bool(value) and not is_reference(value)


def block(values: Mapping[Any, Any], indent: int, step: int) -> Iterator[str]:
    """The lines of a mapping as a block; references and lists stand on the line of their key."""
    for key, value in values.items():
        start = " " * indent + scalar(key, is_key=True) + ":"
        if is_branch(value):
            yield start
            yield from block(value, indent + step, step)
        else:
            yield f"{start} {inline(value)}"


def inline(value: Any, *, in_flow: bool = False) -> str:
    """A value on one line, as it stands in a block or `in_flow`, inside of `{…}` or `[…]`."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(pair(key, item) for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(inline(item, in_flow=True) for item in value) + "]"
    return scalar(value, in_flow=in_flow)


def pair(key: Any, value: Any) -> str:
    """`key: value` as it stands inside of `{…}`."""
    return f"{scalar(key, in_flow=True)}: {inline(value, in_flow=True)}"


def scalar(value: Any, *, in_flow: bool = False, is_key: bool = False) -> str:
    """A single value, quoted where it has to be."""
    if in_flow:
        return _dumped([value], default_flow_style=True)[1:-1]
    if is_key:
        return _dumped({value: 0}).removesuffix(": 0")
    return _dumped({"k": value}).removeprefix("k:").strip(" ")


def _dumped(value: Any, *, default_flow_style: bool = False) -> str:
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = default_flow_style
    yaml.allow_unicode = True
    yaml.width = sys.maxsize
    stream = StringIO()
    yaml.dump(value, stream)
    return stream.getvalue().removesuffix("\n")
