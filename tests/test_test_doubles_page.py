"""What docs/test-doubles.md shows, done."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parent.parent / "docs" / "test-doubles.md").read_text(encoding="utf-8")


def test_the_example_runs_as_it_stands_and_imports_no_pytest(tmp_path: Path) -> None:
    match = re.search(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert match
    program = f"{match[1]}\nimport sys\nassert not {{'pytest', 'hypothesis'}} & sys.modules.keys()\n"
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("1 2\n['b']\n", 0), done.stderr
