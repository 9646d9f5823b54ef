"""A page of the docs, followed by its reader: the files that it has him write, his commands, and what it says they print.

- A block after `<!-- file: PATH -->` is a file.
- A block of `console` has commands, each after `$ `, and what they print; `…` stands for what differs, in a line or of lines.
- After `<!-- another terminal -->`, its commands go on in the background until the page ends.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*) -->\n)?^ *```(?P<language>\w*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL
)
MARK = "\x1e"
"""What stands between the outputs of two commands."""


@dataclass
class Command:
    text: str
    goes_on: bool = False
    printed: list[str] = field(default_factory=list)
    """What the page says that it prints, line by line."""


@dataclass
class File:
    path: str
    text: str


def steps(page: str) -> list[Command | File]:
    """What the page has its reader do, in order."""
    found: list[Command | File] = []
    for block in BLOCK.finditer(page):
        mark = block["mark"] or ""
        if mark.startswith("file: "):
            found.append(File(mark.removeprefix("file: "), block["text"]))
        elif block["language"] == "console":
            for line in block["text"].splitlines():
                if line.startswith("$ "):
                    found.append(Command(line.removeprefix("$ "), goes_on=mark == "another terminal"))
                else:
                    found[-1].printed.append(line)  # type: ignore[union-attr]  # a block begins with a command
    return found


def untold(page: str) -> list[str]:
    """The blocks that no step is made of, each by its mark, else its language."""
    blocks = [block for block in BLOCK.finditer(page) if block["language"] != "console"]
    return [mark for block in blocks if not (mark := block["mark"] or block["language"]).startswith("file: ")]


def write(page: str, folder: Path) -> None:
    """Every file of a page, and do nothing with them."""
    for step in steps(page):
        if isinstance(step, File):
            (folder / step.path).parent.mkdir(parents=True, exist_ok=True)
            (folder / step.path).write_text(step.text, encoding="utf-8")


def followed(page: str, folder: Path, environment: Mapping[str, str], timeout: float) -> list[tuple[int, str]]:
    """Do it all in one shell, in that folder; each command's exit code and output, of those that end."""
    script = ["trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT"]
    for number, step in enumerate(steps(page)):
        if isinstance(step, File):
            source = folder.parent / f"{folder.name}-{number}"
            source.write_text(step.text, encoding="utf-8")
            script.append(f"mkdir -p $(dirname {step.path}); cp {source} {step.path}")
        elif step.goes_on:
            script.append(f"{step.text} >{folder.parent}/{folder.name}-{number}.log 2>&1 &")
        else:
            script.append(f"{step.text}\nprintf '{MARK}%s{MARK}' $?")
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    parts = done.stdout.split(MARK)
    ended = [step for step in steps(page) if isinstance(step, Command) and not step.goes_on]
    assert len(parts) == 2 * len(ended) + 1, done.stdout
    return [(int(status), output) for output, status in zip(parts[::2], parts[1::2], strict=False)]


def unprinted(expected: list[str], output: str) -> str | None:
    """The first line of those expected that is not in the output, behind the one before it."""
    lines = iter(line.rstrip() for line in output.splitlines())
    for line in expected:
        pattern = re.compile(re.escape(line.rstrip()).replace("…", ".*"))
        if line != "…" and not any(pattern.fullmatch(printed) for printed in lines):
            return line
    return None


def check(
    page: str,
    folder: Path,
    environment: Mapping[str, str],
    *,
    failing: Mapping[str, int] | None = None,
    timeout: float = 110,
) -> None:
    """Follow a page: each command exits with 0, or as `failing` says, and prints what the page says."""
    commands = [step for step in steps(page) if isinstance(step, Command) and not step.goes_on]
    results = followed(page, folder, environment, timeout)
    for command, (status, output) in zip(commands, results, strict=True):
        assert status == (failing or {}).get(command.text, 0), f"{command.text}: {output}"
        missing = unprinted(command.printed, output)
        assert missing is None, f"`{command.text}` doesn't print {missing!r}, but:\n{output}"
