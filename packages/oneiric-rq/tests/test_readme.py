"""What the README shows, done."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_example_runs_as_it_stands(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in blocks] == ["tasks.py", "app.py"]
    for name, text in blocks:
        # An embedded broker of its own: the one of `embedded://` is shared by all who run at the same time.
        (tmp_path / name).write_text(text.replace("embedded://", f"embedded://readme-{os.getpid()}"))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "app.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PATH": path},
    )
    ours = [
        line for line in done.stdout.splitlines() if not re.match(r"\d\d:\d\d:\d\d ", line)
    ]  # the others are RQ's log
    assert (ours, done.returncode) == (["3", "ValueError: no such luck"], 0), done.stderr
