"""Python source as ruff would format it: a method that is still to be written, and lines of imports."""

from __future__ import annotations

import json
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import inspect
    from collections.abc import Iterable, Iterator

    from oneiric.scaffold.contract import Method

WIDTH = 120
"""The longest line, as the new package's pyproject.toml says it too."""


def unwritten_method(method: Method) -> str:
    """A method with the contract's signature and sentence, that says it is not written yet."""
    lines = ["@property"] if method.is_property else []
    lines += _signature(method)
    lines += [f'    """{method.summary}"""', f'    raise NotImplementedError(TO_WRITE.format("{method.name}"))']
    return "\n".join(f"    {line}" for line in lines)


def import_lines(found: Iterable[tuple[str, str]]) -> str:
    """`from module import names`, for pairs of a module and a name, sorted as ruff does."""
    names: dict[str, set[str]] = {}
    for module, name in found:
        names.setdefault(module, set()).add(name)
    return "\n".join(_import(module, sorted(names[module], key=_rank)) for module in sorted(names))


def _import(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in names), ")"])


def _rank(name: str) -> tuple[int, str]:
    """Constants first, then classes, then functions."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def _signature(method: Method) -> list[str]:
    start = f"{'async ' if method.is_async else ''}def {method.name}("
    parameters = list(_parameters(method.parameters))
    end = f") -> {method.returns}:"
    whole = ", ".join(parameters)
    if len(f"    {start}{whole}{end}") <= WIDTH:
        return [f"{start}{whole}{end}"]
    if len(f"        {whole}") <= WIDTH:
        return [start, f"    {whole}", end]
    return [start, *(f"    {parameter}," for parameter in parameters), end]


def _parameters(parameters: Iterable[inspect.Parameter]) -> Iterator[str]:
    """Each as text, with `/` and `*` where they belong."""
    before: inspect.Parameter | None = None
    for each in parameters:
        if before is not None and before.kind is each.POSITIONAL_ONLY and each.kind is not each.POSITIONAL_ONLY:
            yield "/"
        if each.kind is each.KEYWORD_ONLY and (
            before is None or before.kind not in (each.VAR_POSITIONAL, each.KEYWORD_ONLY)
        ):
            yield "*"
        yield _parameter(each)
        before = each


def _parameter(each: inspect.Parameter) -> str:
    stars = "*" if each.kind is each.VAR_POSITIONAL else "**" if each.kind is each.VAR_KEYWORD else ""
    annotation = "" if each.annotation is each.empty else f": {each.annotation}"
    if each.default is each.empty:
        return f"{stars}{each.name}{annotation}"
    equals = " = " if annotation else "="
    return f"{each.name}{annotation}{equals}{_default(each.default)}"


def _default(value: object) -> str:
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
