"""docs/write-an-adapter.md, followed line by line: its commands, the files that it writes, and what it says is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "write-an-adapter.md").read_text(encoding="utf-8")
BLOCK = re.compile(
    r"(?:<!-- file: (?P<path>\S+) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
MARK = "\x1e"
"""What stands between the outputs of two commands."""


@dataclass
class Command:
    text: str
    printed: list[str] = field(default_factory=list)
    """What the page says that it prints, line by line."""


@dataclass
class File:
    path: str
    text: str


def steps() -> list[Command | File]:
    """What the page has its reader do, in order."""
    found: list[Command | File] = []
    for block in BLOCK.finditer(PAGE):
        if block["path"]:
            found.append(File(block["path"], block["text"]))
        elif block["language"] == "console":
            for line in block["text"].splitlines():
                if line.startswith("$ "):
                    found.append(Command(line.removeprefix("$ ")))
                else:
                    found[-1].printed.append(line)  # type: ignore[union-attr]  # a block begins with a command
    return found


COMMANDS = [step for step in steps() if isinstance(step, Command)]


def test_it_is_under_fifteen_commands() -> None:
    assert [command.text.split()[0] for command in COMMANDS][:4] == ["python3", ".", "pip", "oneiric"]
    assert len(COMMANDS) == 12, "and the page's first sentence says twelve"
    assert [step.path for step in steps() if isinstance(step, File)] == [
        f"src/oneiric_local/{room}.py" for room in ("settings", "plugin", "adapter")
    ]


@pytest.mark.timeout(300)
def test_whoever_follows_it_sees_what_it_says(wheels: dict[str, Path], tmp_path: Path) -> None:
    results = followed(wheels["oneiric-core"], tmp_path)
    for command, (status, output) in zip(COMMANDS, results, strict=True):
        assert status == (1 if command.text == "pytest --exitfirst" else 0), f"{command.text}: {output}"
        missing = unprinted(command.printed, output)
        assert missing is None, f"`{command.text}` doesn't print {missing!r}, but:\n{output}"
    assert (tmp_path / "oneiric-local/src/oneiric_local/passports/local.json").exists()


def followed(core: Path, folder: Path) -> list[tuple[int, str]]:
    """Do it all in one shell, in an empty folder; each command's exit code and output."""
    script = []
    for number, step in enumerate(steps()):
        if isinstance(step, File):
            source = folder.parent / f"{folder.name}-{number}"
            source.write_text(step.text)
            script.append(f"cp {source} {step.path}")
        else:
            script.append(f"{step.text}\nprintf '{MARK}%s{MARK}' $?")
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder,
        env={
            **{name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")},
            "PATH": f"{Path(sys._base_executable).parent}:/usr/bin:/bin",  # type: ignore[attr-defined]
            "HOME": str(folder.parent),
            "COLUMNS": "100",
            "PIP_FIND_LINKS": core.parent.as_uri(),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
        check=False,
    )
    parts = done.stdout.split(MARK)
    assert len(parts) == 2 * len(COMMANDS) + 1, done.stdout
    return [(int(status), output) for output, status in zip(parts[::2], parts[1::2], strict=False)]


def unprinted(expected: list[str], output: str) -> str | None:
    """The first line of those expected that is not in the output, behind the one before it; `…` is any text, or lines."""
    lines = iter(line.rstrip() for line in output.splitlines())
    for line in expected:
        pattern = re.compile(re.escape(line.rstrip()).replace("…", ".*"))
        if line != "…" and not any(pattern.fullmatch(printed) for printed in lines):
            return line
    return None
