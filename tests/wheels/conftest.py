"""What the tests of wheels share: the wheels, each built once, and empty venvs to install them into."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent.parent


def run(*command: str | Path, cwd: Path, timeout: float = 600) -> str:
    """Run a command to its success, in an environment without this test's own venv; returns its standard output."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**environment, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert result.returncode == 0, f"{command}:\n{result.stdout}\n{result.stderr}"
    return result.stdout


def uv() -> str:
    found = shutil.which("uv", path=str(Path(sys.executable).parent))
    assert found, "uv is not installed beside this Python"
    return found


class Venv:
    """An empty virtual environment to install wheels into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        run(uv(), "venv", "--python", sys.executable, folder, cwd=folder.parent)

    def pip(self, *arguments: str | Path) -> str:
        return run(uv(), "pip", *arguments, "--python", self.folder / "bin" / "python", cwd=self.folder)

    def oneiric(self, *arguments: str) -> Any:
        return json.loads(run(self.folder / "bin" / "oneiric", *arguments, "--json", cwd=self.folder))


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("wheels")
    for project in (ROOT / "packages").glob("*/pyproject.toml"):
        run(uv(), "build", "--wheel", "--out-dir", folder, project.parent, cwd=folder)
    return {path.name.partition("-")[0].replace("_", "-"): path for path in folder.glob("*.whl")}


@pytest.fixture
def venv(tmp_path: Path) -> Venv:
    """An empty one."""
    return Venv(tmp_path / "venv")


@pytest.fixture(scope="session")
def new_venv() -> type[Venv]:
    """The class above."""
    return Venv


@pytest.fixture(name="run")
def run_fixture() -> Callable[..., str]:
    """The function above."""
    return run
