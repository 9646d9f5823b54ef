"""The README's example of pgvector, run as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_the_example_of_pgvector_runs_as_it_stands(tmp_path: Path) -> None:
    section = README.read_text(encoding="utf-8").partition("\n## pgvector\n")[2]
    code = re.search(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert code
    (tmp_path / "example.py").write_text(code[1])
    command = [sys.executable, "-X", "dev", "-W", "error", "example.py"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert (result.stdout, result.returncode) == ("b 0.994 {'year': 2026, 'topic': 'tea'}\n", 0), result.stderr
