"""The suite of an installed adapter: the one that its spec names, or the kit's of its type."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import pytest

from oneiric.discovery import discover
from oneiric.testing.conformance.homes import kits_path, path_of_suite
from oneiric.testing.guard import Guarded
from oneiric.testing.suite import AdapterSuite

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from oneiric.spec import AdapterSpec


def suite_of(name: str, given: Mapping[str, Any] | None) -> type[AdapterSuite]:
    """The suite of the adapter of that name, in an empty folder for each test, with `given` as its config where that is one.

    Raises TypeError where what the spec names is no suite of the kit's for its type.
    """
    spec = discover()[name]
    suite = _loaded(path_of_suite(spec))
    contract = _loaded(kits_path(spec.type))
    if not issubclass(suite, contract):
        raise TypeError(
            f"{spec.conformance} is no subclass of {contract.__name__}, the suite of every {spec.type} adapter."
        )
    if given is None and spec.conformance is None:
        given = spec.example

    @pytest.fixture(autouse=True)
    def _in_an_empty_folder(_self: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)

    @pytest.fixture(name="spec")
    def installed(_self: object) -> AdapterSpec:
        return spec

    @pytest.fixture
    def config(_self: object, _in_an_empty_folder: None) -> Mapping[str, Any]:
        return dict(given or {})

    namespace: dict[str, Any] = {
        "__module__": "oneiric_conformance",  # not the kit's own, which may do what an author may not
        "adapter_name": name,
        "_in_an_empty_folder": _in_an_empty_folder,
        "spec": installed,
    }
    if given is not None:
        namespace["config"] = config
    return cast("type[AdapterSuite]", Guarded("TestInstalled", (suite,), namespace))


def _loaded(path: str) -> type[AdapterSuite]:
    module, _, name = path.partition(":")
    found: Any = getattr(import_module(module), name)
    if not (isinstance(found, type) and issubclass(found, AdapterSuite)):
        raise TypeError(f"{path} is no suite of the conformance kit.")
    return found
