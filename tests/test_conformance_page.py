"""What docs/conformance.md shows, done; and the passports of the adapters that are here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from oneiric import discover
from oneiric.passport import passport_of

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "conformance.md").read_text("utf-8")
PACKAGES = {path.name for path in (ROOT / "packages").iterdir()}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_command_runs_and_the_adapter_is_conformant(tmp_path: Path) -> None:
    command = blocks("")[0].split()
    assert command[0] == "oneiric"
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("block", "tests", "outcome"),
    [
        (0, "cleanup or capabilities", "passed"),
        (1, "cancelled_where_it_waits_ends_as_cancelled", "1 xfailed"),
        (2, "prevented or succeeded", "passed"),
    ],
)
def test_the_classes_can_be_run(block: int, tests: str, outcome: str, tmp_path: Path) -> None:
    (tmp_path / "test_page.py").write_text(blocks("python")[block])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k", tests],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert re.search(outcome, done.stdout.splitlines()[-1]), done.stdout


def test_the_adapters_here_have_a_passport_that_speaks_for_them() -> None:
    specs = [spec for spec in discover() if spec.distribution in PACKAGES]
    assert "sqlite" in {spec.name for spec in specs}
    for spec in specs:
        passport, problem = passport_of(spec)
        assert passport is not None, f"{problem} Run: oneiric conformance {spec.name} --write"
        assert (passport.conformant, problem) == (True, None)
