"""The face of the package."""

from __future__ import annotations

import importlib
import pkgutil

import oneiric
import pytest

PACKAGES = [
    "oneiric",
    *(found.name for found in pkgutil.walk_packages(oneiric.__path__, "oneiric.") if found.ispkg),
]


@pytest.mark.parametrize("name", PACKAGES)
def test_all_is_what_a_package_gives(name: str):
    package = importlib.import_module(name)
    names = getattr(package, "__all__", [])
    assert len(set(names)) == len(names)
    assert all(hasattr(package, each) for each in names)
    submodules = {found.name for found in pkgutil.iter_modules(package.__path__)}
    public = {each for each in vars(package) if not each.startswith(("_", "@")) and each not in submodules}
    assert public == set(names)


def test_every_error_is_public():
    from oneiric import errors

    kinds = {name for name, it in vars(errors).items() if isinstance(it, type) and issubclass(it, errors.OneiricError)}
    assert kinds <= set(oneiric.__all__)


@pytest.mark.parametrize("name", PACKAGES)
def test_every_module_says_what_it_is(name: str):
    package = importlib.import_module(name)
    for found in pkgutil.iter_modules(package.__path__):
        if found.name != "__main__":
            assert importlib.import_module(f"{name}.{found.name}").__doc__
