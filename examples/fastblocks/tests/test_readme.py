"""What the README shows, done: config, worker, application and code, each in a process of its own."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent.parent
README = (HERE / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_commands_and_the_code_run_as_they_stand(tmp_path: Path) -> None:
    (config,), (worker, app), (code,) = blocks("yaml"), blocks("sh"), blocks("python")
    (tmp_path / "fastblocks").mkdir()
    file = tmp_path / "oneiric.yaml"
    file.write_text(config)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "HOME": str(tmp_path), "ONEIRIC_CONFIG": str(file)}

    def run(*command: str) -> str:
        ran = subprocess.run(
            command, cwd=HERE, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    serving = subprocess.Popen(shlex.split(worker), cwd=HERE, env=environment, stderr=subprocess.DEVNULL)
    try:
        render, search = (shlex.split(line) for line in app.splitlines())
        assert run(*render).splitlines()[-1] == "3 pages in the library"
        assert run(*search).split()[1] == "garden:"
        assert run(sys.executable, "-c", code).splitlines() == [
            "<h1>Hello &lt;you></h1>",
            "{'step': 'checksum', 'done': 4, 'of': 4}",
        ]
    finally:
        serving.terminate()
        serving.wait(20)
