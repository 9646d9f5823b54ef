"""Whether an adapter could be imported, found out without importing it.

A listing must not import drivers, and yet say which adapters would fail for want of one. So the adapter's source is parsed,
and what its package imports at the top level is looked for. What only shows when it is run (a driver that is installed and
broken) comes out at the first use, as AdapterUnavailable.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec

    from oneiric.errors import AdapterUnavailable
    from oneiric.spec import AdapterSpec


def why_unavailable(spec: AdapterSpec) -> AdapterUnavailable | None:
    """The error that using this adapter would raise as far as that can be told without running its code, or None."""
    module_name, _, class_name = spec.adapter.partition(":")
    if _is_bound(module_name, class_name):
        return None
    module = find(module_name)
    if module is None:
        return spec.unavailable(f"Its module `{module_name}` can't be found.")
    tree = _parse(module)
    if isinstance(tree, SyntaxError):
        return spec.unavailable(f"Its module `{module_name}` has a syntax error at line {tree.lineno}.")
    missing = next(_missing_imports(module_name, seen=set()), None)
    if missing is not None:
        requirement = _requirement(spec.distribution, missing)
        hint = f"Run: pip install {requirement}" if requirement else None
        return spec.unavailable(f"It needs `{missing}`, which is not installed.", hint)
    if tree is not None and not _may_bind(tree, class_name):
        return spec.unavailable(f"Its module `{module_name}` has no class `{class_name}`.")
    return None


def _is_bound(module_name: str, name: str) -> bool:
    """Whether a module that is already imported has the name, or a `__getattr__` that may make it."""
    module = sys.modules.get(module_name)
    return module is not None and bool({name, "__getattr__"} & vars(module).keys())


def find(module_name: str) -> ModuleSpec | None:
    """Where a module is. Not `importlib.util.find_spec`, which imports the parents, and a parent may import the driver."""
    module, path = None, None
    name = ""
    for part in module_name.split("."):
        name = f"{name}.{part}" if name else part
        module = _loaded(name) or _search(name, path)
        path = module.submodule_search_locations if module else None
        if module is None or (path is None and name != module_name):
            return None
        if module.origin is None and path is not None:
            import_module(name)  # A namespace package has no code to run, and one in another is found only in this way.
    return module


def _loaded(name: str) -> ModuleSpec | None:
    return getattr(sys.modules.get(name), "__spec__", None)


def _search(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    for finder in sys.meta_path:
        try:
            module = finder.find_spec(name, path)
        except Exception:  # noqa: BLE001 - a finder may be anybody's
            module = None
        if module is not None:
            return module
    return None


def _parse(module: ModuleSpec) -> ast.Module | SyntaxError | None:
    """The module's source as a tree; None where it has none, as an extension module."""
    if not (module.has_location and module.origin and module.origin.endswith(".py")):
        return None
    try:
        with warnings.catch_warnings(action="ignore"):  # such as of an invalid escape: not the lister's business
            return ast.parse(Path(module.origin).read_bytes())
    except SyntaxError as error:
        return error
    except (OSError, ValueError) as error:
        return SyntaxError(str(error))
    except (RecursionError, MemoryError):  # nested too deeply for the parser, which the import will say
        return None


def _missing_imports(module_name: str, seen: set[str]) -> Iterator[str]:
    """The top-level packages that aren't there and that a module needs, its parents, or what it imports of its own package."""
    parent, _, _ = module_name.rpartition(".")
    if parent and parent not in seen:
        yield from _missing_imports(parent, seen)
    seen.add(module_name)
    module = None if module_name in sys.modules else find(module_name)
    tree = _parse(module) if module else None
    if module is None or not isinstance(tree, ast.Module):
        return
    package = module_name if module.submodule_search_locations is not None else parent
    root = module_name.partition(".")[0]
    for imported in _imports(tree, package):
        top = imported.partition(".")[0]
        if top != root and not is_installed(top):
            yield top
        elif top == root and imported not in seen:
            yield from _missing_imports(imported, seen)


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    """What a module imports whenever it is imported itself: not under `if` or `try`, where it may do without."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names if alias.name != "*")


@cache
def is_installed(package: str) -> bool:
    """Whether a top-level package is there; remembered until `is_installed.cache_clear()`."""
    return find(package) is not None


def _may_bind(tree: ast.Module, name: str) -> bool:
    """Whether importing the module may bind `name`: by `class`, `def`, `import` or `=`, or in a way that can't be seen."""
    bound = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            bound.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Name):
            bound.add(node.id)
    return bool({name, "*", "__getattr__"} & bound)


def _requirement(distribution: str | None, package: str) -> str | None:
    """How the distribution that ships the adapter asks for the package, quoted for a shell; None where it doesn't."""
    try:
        requirements = requires(distribution) if distribution else None
    except PackageNotFoundError:
        requirements = None
    for requirement in requirements or ():
        name = re.match(r"[\w.-]+", requirement)
        if name and re.sub(r"[-.]", "_", name[0]).lower() == package.lower() and "extra ==" not in requirement:
            return f'"{requirement.partition(";")[0].strip()}"'
    return None
