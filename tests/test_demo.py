"""`oneiric demo`, with every package of this repository installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import pytest
from oneiric.discovery import discover

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)

LIFE = [
    "discover",
    "explain",
    "validate",
    "validate a bad config",
    "test",
    "initialise",
    "use",
    "swap",
    "check health",
    "clean up",
]


def run_demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "COLUMNS": "120"}
    command = [sys.executable, "-m", "oneiric", "demo", *options]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def test_every_installed_adapter_goes_through_its_whole_life(tmp_path: Path) -> None:
    result = run_demo(tmp_path, "--json")
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["ok"] is True
    steps = {}
    for step in answer["steps"]:
        assert step["ok"], step
        steps.setdefault(step["adapter"], []).append(step["step"])
    assert steps == {spec.name: LIFE for spec in discover()}
    assert "sqlite" in steps


def test_it_ends_with_a_table_and_leaves_nothing_behind(tmp_path: Path) -> None:
    result = run_demo(tmp_path)
    assert result.returncode == 0, result.stderr
    assert "MCP server, over stdio" in result.stdout
    assert "rows, a file of an installed package each" in " ".join(result.stdout.replace("│", " ").split())
    assert result.stdout.rstrip().endswith("┘")
    assert list(tmp_path.iterdir()) == []


def test_every_entry_point_of_this_repository_is_loaded() -> None:
    statuses = {plugin.name: plugin.status for plugin in discover(refresh=True).plugins}
    assert statuses == {entry.name: "loaded" for entry in entry_points(group="oneiric")}
    assert {"mcp", "sqlite"} <= statuses.keys()
