"""The files of a new adapter's package."""

from __future__ import annotations

import textwrap
from importlib.metadata import version
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from packaging.version import Version

from oneiric.errors import OneiricError
from oneiric.scaffold.contract import Contract, import_of
from oneiric.scaffold.source import WIDTH, import_lines, unwritten_method

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oneiric.scaffold.names import Names

_TEMPLATES = {
    "README.md": "README.md",
    "ci.yml": ".github/workflows/ci.yml",
    "gitignore": ".gitignore",
    "pyproject.toml": "pyproject.toml",
    "module.py": "src/$module/__init__.py",
    "plugin.py": "src/$module/plugin.py",
    "settings.py": "src/$module/settings.py",
    "adapter.py": "src/$module/adapter.py",
    "test_conformance.py": "tests/test_conformance.py",
    "test_plugin.py": "tests/test_plugin.py",
}
"""Where what each template makes belongs."""


def package_files(names: Names) -> dict[str, str]:
    """The text of each file, by its path in the package's folder."""
    contract = Contract.of(names.type)
    if names.stem in ("Adapter", contract.adapter.__name__.removesuffix("Adapter")):
        raise OneiricError(
            f"{names.adapter!r} is the name of the contract.", hint="Name the adapter for what it adapts: `red-panda`."
        )
    words = _words(names, contract)
    made = {
        Template(path).substitute(words): Template(_template(name)).substitute(words)
        for name, path in _TEMPLATES.items()
    }
    return {**made, f"src/{names.module}/py.typed": ""}


def _template(name: str) -> str:
    return files(__package__).joinpath("templates", f"{name}.template").read_text(encoding="utf-8")


def _words(names: Names, contract: Contract) -> Mapping[str, str]:
    return {
        "adapter": names.adapter,
        "type": names.type,
        "distribution": names.distribution,
        "module": names.module,
        "stem": names.stem,
        "core": _core_range(),
        "width": str(WIDTH),
        "contract": contract.adapter.__name__,
        "contract_home": contract.home,
        "suite": contract.suite,
        "capabilities": _about_capabilities(contract),
        "methods": "\n\n".join(unwritten_method(method) for method in contract.methods),
        "imports": import_lines(_runtime_imports(contract)),
        "typing": import_lines(_typing(contract)),
        "typing_imports": _typing_imports(contract),
    }


def _runtime_imports(contract: Contract) -> Iterator[tuple[str, str]]:
    yield contract.home, contract.adapter.__name__
    for method in contract.methods:
        yield from ((import_of(name, method.home), name) for name in method.names_in_defaults)


def _typing(contract: Contract) -> set[tuple[str, str]]:
    """What of `typing` the adapter's module uses."""
    of_annotations = {each for each in _in_annotations(contract) if each[0] == "typing"}
    return of_annotations | {("typing", "TYPE_CHECKING"), ("typing", "ClassVar")}


def _typing_imports(contract: Contract) -> str:
    """What only annotations use: the standard library's first, then ours, as ruff sorts them."""
    found = _in_annotations(contract) - {*_runtime_imports(contract)} - _typing(contract)
    ours = {each for each in found if each[0].startswith("oneiric.")}
    return textwrap.indent("\n\n".join(filter(None, map(import_lines, (found - ours, ours)))), "    ")


def _in_annotations(contract: Contract) -> set[tuple[str, str]]:
    methods = contract.methods
    return {(import_of(name, method.home), name) for method in methods for name in method.names_in_annotations}


def _about_capabilities(contract: Contract) -> str:
    """A comment that names what can be declared; nothing where the contract has no capabilities."""
    if not contract.capabilities:
        return ""
    text = (
        f"Declare what it can do, with constants of {contract.home}: {', '.join(contract.capabilities)}. The conformance "
        "kit proves each of them, and that the others are refused with Unsupported."
    )
    return textwrap.fill(text, WIDTH, initial_indent=" " * 12 + "# ", subsequent_indent=" " * 12 + "# ") + "\n"


def _core_range() -> str:
    """The versions of oneiric-core that the package goes with: those of the edition that is installed here."""
    core = Version(version("oneiric-core"))
    return f">={core.major}.{core.minor},<{core.major}.{core.minor + 1}"
