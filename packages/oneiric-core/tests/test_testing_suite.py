"""The suite of every adapter, run against a right one of a backend on the network, as authors may have set up pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


@pytest.mark.parametrize(
    ("mode", "scope", "only"),
    [("auto", "session", ""), ("strict", "module", "cancelled or twenty or refused or importing")],
)
def test_a_right_adapter_passes_whatever_the_author_has_set(mode: str, scope: str, only: str, tmp_path: Path):
    (tmp_path / "pytest.ini").write_text(
        f"[pytest]\nasyncio_mode={mode}\nfilterwarnings = error\n"
        f"asyncio_default_test_loop_scope={scope}\nasyncio_default_fixture_loop_scope={scope}\n"
    )
    (tmp_path / "test_echo.py").write_text("from mutants.echo import TestEcho\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", only],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
