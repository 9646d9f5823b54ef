"""What docs/embedded.md shows, done."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import time
from pathlib import Path

PAGE = (Path(__file__).parent.parent / "docs" / "embedded.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
CONSOLE = re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_example_counts_its_runs(tmp_path: Path) -> None:
    (tmp_path / "count.py").write_text(PYTHON[0], encoding="utf-8")
    commands = re.findall(r"^\$ python (.*)\n(.*)\n", CONSOLE[0], re.MULTILINE)
    assert len(commands) == 2
    for arguments, answer in commands:
        done = subprocess.run(
            [sys.executable, *arguments.split()],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.stdout, done.stderr) == (f"{answer}\n", "")
    deadline = time.monotonic() + 20
    while (tmp_path / "count" / "run").exists():
        assert time.monotonic() < deadline, "the server runs on"
        time.sleep(0.02)


def test_the_sketch_for_authors_is_python() -> None:
    assert len(PYTHON) == 2
    ast.parse(PYTHON[1])
