"""Jinja, for templates that anybody may have written: sandboxed, escaped, and bounded in what they give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import DictLoader, StrictUndefined, TemplateError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from fastblocks.block import Block, InvalidBlock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2.runtime import Context

MAX_HTML = 2_000_000
"""Characters of a page."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's own sandbox: no attribute that leads to Python, no file, `range` up to 100,000.

    Escapes everything, refuses names that nobody has defined, and multiplications that would fill the memory.
    """

    intercepted_binops = frozenset({"*", "**"})

    def __init__(self, templates: Mapping[str, str]) -> None:
        super().__init__(loader=DictLoader(dict(templates)), autoescape=True, undefined=StrictUndefined)
        self.globals.pop("lipsum")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """`*` and `**`, of small numbers, and of texts and lists to a size that a page may have."""
        if operator == "**" and not (abs(left) <= 1_000 and abs(right) <= 100):
            raise SecurityError("A template takes only small numbers to small powers.")
        for sequence, times in ((left, right), (right, left)):
            if isinstance(sequence, str | list | tuple) and len(sequence) * times > MAX_HTML:
                raise SecurityError("A template multiplies a text or a list to more than a page may hold.")
        return super().call_binop(context, operator, left, right)


def check(block: Block) -> None:
    """Raises InvalidBlock where a template of the block can't be parsed."""
    sandbox = Sandbox({})
    for name, source in {**block.partials, block.name: block.template}.items():
        try:
            sandbox.parse(source, name)
        except TemplateError as error:
            raise InvalidBlock(f"The template `{name}` can't be parsed: {error}") from None


def render(block: Block) -> str:
    """The block's HTML. Raises what Jinja raises, and InvalidBlock for one that is too large."""
    sandbox = Sandbox(block.partials)
    pieces, size = list[str](), 0
    for piece in sandbox.from_string(block.template).generate(dict(block.context)):
        size += len(piece)
        if size > MAX_HTML:
            raise InvalidBlock(f"The page of `{block.name}` has more than {MAX_HTML:,} characters.")
        pieces.append(piece)
    return "".join(pieces)
