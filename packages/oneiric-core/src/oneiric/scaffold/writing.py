"""A new package put where it belongs, wholly or not at all."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from oneiric.errors import OneiricError

if TYPE_CHECKING:
    from collections.abc import Mapping


def write_package(files: Mapping[str, str], folder: Path) -> None:
    """Write files, given by their path in the folder, which may be there when it is empty.

    Raises OneiricError where it is not, or can't be written; nothing is left there then.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise OneiricError(f"{folder} is there already, and not empty.", hint="Give another folder by --directory.")
        folder.parent.mkdir(parents=True, exist_ok=True)
        _write(files, folder)
    except OSError as error:
        raise OneiricError(
            f"{folder} can't be written: {error.strerror}.", hint="Give another by --directory."
        ) from error


def _write(files: Mapping[str, str], folder: Path) -> None:
    is_there = folder.exists()
    with TemporaryDirectory(prefix=".oneiric-new-", dir=folder if is_there else folder.parent) as stage:
        package = Path(stage, "package")
        for path, text in files.items():
            file = package / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
        if is_there:  # a shell may stand in it: it stays the folder that it is
            for entry in [*package.iterdir()]:
                entry.rename(folder / entry.name)
        else:
            package.rename(folder)
