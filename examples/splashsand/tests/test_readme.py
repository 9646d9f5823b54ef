"""The README's code runs, and its commands print what it shows. `…` stands for anything."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
ELSEWHERE = ("pip", "pytest", "oneiric demo")
"""Commands that were run to get here, or have a test of their own."""


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found
    return found[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    config = block("yaml").replace("embedded:///tmp/splashsand", f"embedded://{tmp_path}/{uuid4().hex[:8]}")
    (tmp_path / "oneiric.yaml").write_text(config, encoding="utf-8")
    return tmp_path


def test_the_code_runs(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", block("python")], check=True, capture_output=True, text=True, timeout=50
    )
    assert done.stdout == "beach-7 deployed {'version': '1.4'}\n"


def test_the_commands_print_what_it_shows(folder: Path) -> None:
    commands = re.split(r"^\$ ", block("console"), flags=re.MULTILINE)[1:]
    assert len(commands) == 5
    for command, _, shown in (each.partition("\n") for each in commands):
        if command.startswith(ELSEWHERE):
            continue
        with subprocess.Popen(f"exec {command}", shell=True, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            for line in shown.splitlines():
                pattern = ".*".join(map(re.escape, line.split("…")))
                assert re.fullmatch(pattern, process.stdout.readline().rstrip("\n"))
            process.terminate()
            assert process.wait(timeout=30) in (0, -15)
