"""What docs/diagnostics.md shows, done."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(
    r"^```\n(.*?)^```$", (ROOT / "docs" / "diagnostics.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
)


def oneiric(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ONEIRIC_")}
    return subprocess.run(
        [sys.executable, "-m", "oneiric", *arguments],
        cwd=cwd,
        env={**environ, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_the_commands_run(tmp_path: Path) -> None:
    (tmp_path / "oneiric.yaml").write_text("adapters:\n  orders:\n    adapter: sqlite\n    path: orders.db\n")
    commands = [line.partition("#")[0].split()[1:] for line in BLOCKS[0].splitlines()]
    assert {command[0] for command in commands} == {"doctor", "test", "health"}
    for command in commands:
        done = oneiric(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_error_is_as_it_is_shown(tmp_path: Path) -> None:
    text = "adapters:\n  orders:\n    adapter: postgres\n    password: hunter2: x\n"
    (tmp_path / "oneiric.yaml").write_text(text)
    assert oneiric("test", "orders", cwd=tmp_path).stderr == BLOCKS[1]
