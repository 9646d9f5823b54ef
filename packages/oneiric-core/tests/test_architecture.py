"""The floors of the house: imports only go down, in no circle, and are where they can be seen."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import oneiric
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(oneiric.__file__).parent

FLOORS = [
    "oneiric.testing",
    "oneiric.__main__",
    "oneiric.cli",
    "oneiric.scaffold",
    "oneiric.inspection",
    "oneiric.passport",
    "oneiric.diagnostics",
    "oneiric.lifecycle",
    "oneiric.config",
    "oneiric.discovery",
    "oneiric.hookspecs",
    "oneiric.spec",
    "oneiric.adapters.database",
    "oneiric.adapters.vector",
    "oneiric.adapters.queue",
    "oneiric.adapters.messaging",
    "oneiric.adapters.base",
    "oneiric.adapters.lasting",
    "oneiric.embedded",
    "oneiric.adapters.cancellation",
    "oneiric.adapters.event_loops",
    "oneiric.adapters.payload",
    "oneiric.adapters.targets",
    "oneiric.validation",
    "oneiric.own_words",
    "oneiric.masking",
    "oneiric.errors",
]
"""From the top to the ground; `oneiric` itself and `oneiric.adapters` are faces, and on no floor."""
FACES = {"oneiric", "oneiric.adapters"}
LATE_IMPORTS = {
    ("oneiric.diagnostics.packages", "from packaging.requirements import Requirement"),
    # Every application that discovers its adapters imports the plugin, and few need a command line.
    ("oneiric.testing.plugin", "from oneiric.cli.new import new"),
    ("oneiric.testing.plugin", "from oneiric.testing.conformance.command import conformance"),
    # pytest explains the assertions of what it imports itself, once it is about to collect.
    ("oneiric.testing.conformance.session", "from oneiric.testing.conformance.suites import suite_of"),
}
"""(module, what it imports inside a function); each needs a reason."""


def modules() -> dict[str, ast.Module]:
    found = {}
    for file in ROOT.rglob("*.py"):
        name = ".".join(("oneiric", *file.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        found[name] = ast.parse(file.read_text(encoding="utf-8"))
    return found


MODULES = modules()


def floor(module: str) -> int:
    (which,) = (n for n, name in enumerate(FLOORS) if module == name or module.startswith(f"{name}."))
    return which


def imports(name: str, *, at_runtime: bool = True) -> Iterator[str]:
    """The modules of ours that one imports, those for the type checker only left out where `at_runtime`."""
    skipped = set[ast.AST]()
    for node in ast.walk(MODULES[name]):
        if at_runtime and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            skipped.update(ast.walk(node))
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "oneiric")
        elif isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "oneiric":
            assert not node.level, f"{name} imports relatively"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in MODULES else str(node.module)


@pytest.mark.parametrize("name", sorted(MODULES.keys() - FACES))
def test_every_module_is_on_a_floor_and_imports_only_what_is_below_or_beside_it(name: str):
    for imported in imports(name):
        assert imported not in FACES, f"{name} imports the face {imported}"
        assert floor(imported) >= floor(name), f"{name} imports {imported}, which is above it"


def test_there_is_no_circle_of_imports():
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"a circle: {' → '.join((*path, name))}"
        if name not in done:
            for imported in imports(name):
                visit(imported, (*path, name))
            done.add(name)

    for name in MODULES:
        visit(name, ())
    assert done == MODULES.keys()


def test_the_errors_import_nothing():
    assert [*imports("oneiric.errors")] == []


@pytest.mark.parametrize("name", sorted(MODULES))
def test_no_import_hides_in_a_function(name: str):
    functions = [node for node in ast.walk(MODULES[name]) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    late = {
        (name, ast.unparse(node))
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert late <= LATE_IMPORTS


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_file_is_short(name: str):
    """About 300 lines; 600 is a lot."""
    assert max((getattr(node, "end_lineno", 0) for node in MODULES[name].body), default=0) <= 400


def test_neither_knows_the_other():
    for name in MODULES:
        assert not [other for other in imports(name, at_runtime=False) if other.startswith("oneiric_")]
