"""The README's code runs, and its commands print what it shows. `…` stands for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Site

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
ELSEWHERE = ("pip", "pytest", "oneiric demo")
"""Commands that were run to get here, or have a test of their own."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@contextmanager
def background(command: str) -> Iterator[None]:
    with subprocess.Popen(
        f"exec {command.removesuffix('&')}", shell=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield
        finally:
            process.terminate()


def address(log: Path) -> str:
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        if log.exists() and (found := re.search(r"Serving MCP on (http://\S+)", log.read_text(encoding="utf-8"))):
            return found[1]
        time.sleep(0.02)
    raise TimeoutError("the MCP server does not serve")


def test_its_code_and_commands_run(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.add_repository("one")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    server, application = blocks("yaml")
    name = f"mv-{uuid4().hex[:12]}"
    (site.folder / "oneiric.yaml").write_text(server.replace("embedded://", f"embedded://{name}"), encoding="utf-8")
    (site.folder / "mahavishnu.yaml").write_text(application.replace("~/", ""), encoding="utf-8")
    commands = [part.partition("\n") for part in re.split(r"^\$ ", blocks("console")[0], flags=re.MULTILINE)[1:]]
    assert len(commands) == 7
    with ExitStack() as stack:
        for command, _, shown in commands:
            if command.startswith(ELSEWHERE):
                continue
            if command.endswith("&"):
                stack.enter_context(background(command.replace("--http", "--http --port 0")))
                if "mcp.log" in command:
                    monkeypatch.setenv("MAHAVISHNU_ONEIRIC_MCP_URL", address(site.folder / "mcp.log"))
                continue
            output = subprocess.run(command, shell=True, check=True, capture_output=True, text=True, timeout=50).stdout
            assert re.match(".*".join(map(re.escape, shown.split("…"))), output, re.DOTALL), output
        program = [sys.executable, "-c", blocks("python")[0]]
        code = subprocess.run(program, check=True, stdout=subprocess.PIPE, text=True, timeout=50)
    assert code.stdout.splitlines()[1:] == [
        "RedisQueueAdapter {'queue': True, 'messages': True, 'repositories': True}",
        "1 {}",
    ]
