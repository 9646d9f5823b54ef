"""docs/write-an-adapter.md, followed line by line: its commands, the files that it writes, and what it says is printed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from walkthrough import Command, File, check, steps

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "write-an-adapter.md").read_text(encoding="utf-8")
COMMANDS = [step for step in steps(PAGE) if isinstance(step, Command)]


def test_it_is_under_fifteen_commands() -> None:
    assert [command.text.split()[0] for command in COMMANDS][:4] == ["python3", ".", "pip", "oneiric"]
    assert len(COMMANDS) == 12, "and the page's first sentence says twelve"
    assert [step.path for step in steps(PAGE) if isinstance(step, File)] == [
        f"src/oneiric_local/{room}.py" for room in ("settings", "plugin", "adapter")
    ]


@pytest.mark.timeout(300)
def test_whoever_follows_it_sees_what_it_says(wheels: dict[str, Path], tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")},
        "PATH": f"{Path(sys._base_executable).parent}:/usr/bin:/bin",  # type: ignore[attr-defined]
        "HOME": str(tmp_path.parent),
        "COLUMNS": "100",
        "PIP_FIND_LINKS": wheels["oneiric-core"].parent.as_uri(),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    check(PAGE, tmp_path, environment, failing={"pytest --exitfirst": 1}, timeout=280)
    assert (tmp_path / "oneiric-local/src/oneiric_local/passports/local.json").exists()
