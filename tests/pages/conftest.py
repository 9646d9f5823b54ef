"""What the tests of pages share: the environment of a reader who has installed every package of this repository."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

PIP = f"""#!{sys.executable}
# Installs nothing: fails where what a page has its reader install isn't there, or hasn't that extra.
import sys
from importlib.metadata import metadata
from packaging.requirements import Requirement

assert sys.argv[1] == "install", sys.argv
for requirement in map(Requirement, (argument for argument in sys.argv[2:] if not argument.startswith("-"))):
    found = metadata(requirement.name)
    missing = requirement.extras - set(found.get_all("Provides-Extra") or ())
    assert found["Version"] in requirement.specifier and not missing, requirement
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Variables of a reader's shell; his home is apart from the folder in which he works."""
    programs, home = tmp_path / "programs", tmp_path / "home"
    programs.mkdir()
    home.mkdir()
    (programs / "pip").write_text(PIP)
    (programs / "pip").chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ONEIRIC_", "PYTHON", "OTEL_"))}
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**kept, "PATH": path, "HOME": str(home), "COLUMNS": "100", "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where he works."""
    work = tmp_path / "work"
    work.mkdir()
    return work
