"""What the README shows, done, each command in a process of its own."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_commands_and_the_code_run_as_they_stand(tmp_path: Path) -> None:
    for config in blocks("yaml"):
        name = config.partition("\n")[0].removeprefix("# ")
        # A start of PostgreSQL may take longer than its ten seconds on a machine that does much else.
        (tmp_path / name).write_text(re.sub(r"(dsn: .*)", r"\1\n    connect_timeout: 30", config))
    (commands,), (code,) = blocks("sh"), blocks("python")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "HOME": str(tmp_path)}

    def run(*command: str) -> list[str]:
        ran = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.splitlines()

    _, before, moved, after, latest = [run(*shlex.split(line)) for line in commands.splitlines()]
    assert moved == ["reflections was moved: 1 reflections", "memory was moved: 1 reflections"]
    assert before == after
    assert [line.split(" ", 1)[1] for line in before] == latest
    assert latest[0].endswith("Redis is silent: give each wait a deadline #redis")
    assert run(sys.executable, "-c", code) == ["A pool that is reset each time is half as fast."]
