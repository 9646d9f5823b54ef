"""What an adapter of a type has to bring, read from the contract's class."""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from oneiric.adapters.base import Adapter
from oneiric.adapters.database import DatabaseAdapter
from oneiric.adapters.messaging import MessageAdapter
from oneiric.adapters.queue import QueueAdapter
from oneiric.adapters.vector import VectorAdapter

_CONTRACTS: dict[str, tuple[type[Adapter], str]] = {
    "database": (DatabaseAdapter, "DatabaseSuite"),
    "messaging": (MessageAdapter, "MessagingSuite"),
    "queue": (QueueAdapter, "QueueSuite"),
    "vector": (VectorAdapter, "VectorSuite"),
}
"""The class of each type that has a contract, and the name of its suite."""


@dataclass(frozen=True)
class Method:
    """One method, or property, of a contract."""

    name: str
    function: Any
    is_property: bool
    home: str
    """The module that it is written in."""

    @property
    def is_async(self) -> bool:
        """Whether it is a coroutine function."""
        return inspect.iscoroutinefunction(self.function)

    @cached_property
    def parameters(self) -> tuple[inspect.Parameter, ...]:
        """Its parameters, `self` first; their annotations are text."""
        return tuple(inspect.signature(self.function).parameters.values())

    @property
    def returns(self) -> str:
        """The annotation of what it returns."""
        return str(inspect.signature(self.function).return_annotation)

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @property
    def names_in_annotations(self) -> set[str]:
        """The names that its annotations use, without Python's built-in ones."""
        texts = [self.returns, *(str(each.annotation) for each in self.parameters if each.annotation is not each.empty)]
        found = {node.id for text in texts for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        return {name for name in found if not hasattr(builtins, name)}

    @property
    def names_in_defaults(self) -> set[str]:
        """The names that the defaults of its parameters use."""
        return {type(each.default).__name__ for each in self.parameters if isinstance(each.default, Enum)}


@dataclass(frozen=True)
class Contract:
    """The contract of one type."""

    adapter: type[Adapter]
    suite: str

    @classmethod
    def of(cls, adapter_type: str) -> Contract:
        """That of a type, or the one that all adapters have where the type has none here."""
        return cls(*_CONTRACTS.get(adapter_type, (Adapter, "AdapterSuite")))

    @property
    def home(self) -> str:
        """The module that an adapter imports the contract's names from."""
        return _public(self.adapter.__module__, self.adapter.__name__)

    @property
    def methods(self) -> list[Method]:
        """What an adapter has to write, in the order in which it is declared, the oldest base first."""
        found: dict[str, Method] = {}
        for base in reversed(self.adapter.__mro__):
            for name, member in vars(base).items():
                if name in self.adapter.__abstractmethods__ and name not in found:
                    function = member.fget if isinstance(member, property) else member
                    found[name] = Method(name, function, isinstance(member, property), base.__module__)
        return list(found.values())

    @property
    def capabilities(self) -> list[str]:
        """The names of the constants that an adapter may declare."""
        if self.adapter is Adapter:
            return []
        module = vars(sys.modules[self.adapter.__module__])
        return sorted(name for name, value in module.items() if name.isupper() and isinstance(value, str))


def import_of(name: str, module: str) -> str:
    """The module to import a name from that stands in an annotation or default of another module."""
    for node in ast.walk(ast.parse(inspect.getsource(sys.modules[module]))):
        if isinstance(node, ast.ImportFrom) and node.module and name in {alias.name for alias in node.names}:
            return _public(node.module, name)
    return _public(module, name)


def _public(module: str, name: str) -> str:
    """The face of a module of ours, where it gives that name."""
    package = module.rpartition(".")[0]
    is_ours = package.startswith("oneiric.")
    return package if is_ours and name in getattr(sys.modules[package], "__all__", ()) else module
