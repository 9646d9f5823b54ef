"""What the workers run: plain functions, of which the queue knows the names."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = 1024 * 1024


def count_repository(path: str) -> dict[str, Any]:
    """What is in a repository: its commit, files, bytes and lines, and the files of each kind. Raises FileNotFoundError."""
    repository = Path(path)
    git = repository / ".git"
    if not git.exists():
        raise FileNotFoundError(f"{path} is no git repository")
    files = lines = python_lines = size = 0
    kinds: Counter[str] = Counter()
    for file in _files(repository):
        in_bytes, in_lines = _measured(file)
        files, size, lines = files + 1, size + in_bytes, lines + in_lines
        kinds[file.suffix or file.name] += 1
        python_lines += in_lines if file.suffix == ".py" else 0
    return {
        "path": path,
        "commit": _commit(git),
        "files": files,
        "bytes": size,
        "lines": lines,
        "python_lines": python_lines,
        "kinds": dict(kinds.most_common(20)),
    }


def _files(repository: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(repository):
        folders[:] = sorted(name for name in folders if name != ".git")
        yield from (file for name in sorted(names) if (file := Path(folder) / name).is_file() and not file.is_symlink())


def _measured(file: Path) -> tuple[int, int]:
    """Bytes and lines; of a file that can't be read neither."""
    size = lines = 0
    try:
        with file.open("rb") as opened:
            while piece := opened.read(_PIECE):
                size, lines = size + len(piece), lines + piece.count(b"\n")
    except OSError:
        pass
    return size, lines


def _commit(git: Path) -> str | None:
    """The commit that is checked out; None where there is none yet, or git keeps it in another way than in files."""
    head = _text(git / "HEAD")
    if not head.startswith("ref: "):
        return head or None
    ref = head.removeprefix("ref: ")
    packed = (line.split(" ", 1) for line in _text(git / "packed-refs").splitlines() if " " in line)
    return _text(git / ref) or next((commit for commit, name in packed if name == ref), None)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
