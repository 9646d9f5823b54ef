"""Every package of the repository is laid out alike, and as a third party's would be."""

from __future__ import annotations

import tomllib
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = sorted(path for path in (ROOT / "packages").iterdir() if (path / "pyproject.toml").exists())
NOT_ADAPTERS = {"oneiric-core", "oneiric-mcp", "oneiric-otel"}


def project(package: Path) -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return content


@pytest.fixture(params=PACKAGES, ids=lambda path: path.name)
def package(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_the_packages_are_found() -> None:
    assert {path.name for path in PACKAGES} >= {"oneiric-core", "oneiric-mcp", "oneiric-sqlite"}


def test_it_has_its_rooms(package: Path) -> None:
    module = "oneiric" if package.name == "oneiric-core" else package.name.replace("-", "_")
    rooms = ["LICENSE", "README.md", "tests", f"src/{module}/__init__.py", f"src/{module}/py.typed"]
    if package.name not in NOT_ADAPTERS:
        rooms += [f"src/{module}/{room}.py" for room in ("plugin", "settings", "adapter")]
    assert [room for room in rooms if not (package / room).exists()] == []
    assert (package / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert len((package / "README.md").read_text(encoding="utf-8")) > 300


def test_it_declares_what_all_declare(package: Path) -> None:
    declared = project(package)
    assert declared["name"] == package.name
    assert declared["requires-python"] == ">=3.11"
    assert declared["license"] == "BSD-3-Clause"
    supported = {entry.rpartition(" ")[2] for entry in declared["classifiers"] if "Python :: 3." in entry}
    assert supported == {"3.11", "3.12", "3.13"}


def test_it_depends_on_core_by_range_and_on_no_neighbour(package: Path) -> None:
    ours = [entry for entry in project(package)["dependencies"] if entry.startswith("oneiric")]
    assert ours == ([] if package.name == "oneiric-core" else ["oneiric-core>=0.1,<0.2"])


def test_it_has_a_tox_env_for_the_first_python_and_the_last(package: Path) -> None:
    tox = ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    short = package.name.removeprefix("oneiric-")
    generated = next(line for line in tox["tox"]["env_list"].splitlines() if line.startswith("py313-"))
    assert short in generated.partition("-")[2].strip("{}").split(",")
    assert generated.replace("py313", "py311") + "-oldest" in tox["tox"]["env_list"].splitlines()
    command = next(line for line in tox["testenv"]["commands"].splitlines() if line.startswith(f"{short}: pytest "))
    assert command.endswith(f" packages/{package.name}/tests {{posargs}}")


def test_plugins_hold_the_hooks_and_nothing_else(package: Path) -> None:
    plugin = next(package.glob("src/*/plugin.py"), None)
    if plugin is None:
        assert package.name == "oneiric-core"
    else:
        assert len(plugin.read_text(encoding="utf-8").splitlines()) < 60
