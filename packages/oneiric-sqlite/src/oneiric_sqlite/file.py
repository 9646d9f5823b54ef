"""The database's file: where it is, whether there can be a database, and whether it is still the same file."""

from __future__ import annotations

from pathlib import Path

from oneiric.errors import ConnectionFailed

from oneiric_sqlite.settings import MEMORY


def located(path: str) -> str:
    """The path as it is meant now, absolute; a later change of the working directory moves nothing.

    Raises ConnectionFailed where no database can be there, more plainly than SQLite does.
    """
    if path == MEMORY:
        return path
    file, is_directory, has_directory = _looked_at(path)
    if is_directory:
        raise ConnectionFailed(
            f"The path {path!r} is a directory.", hint="Give the path of a file in it.", transient=False
        )
    if not has_directory:
        raise ConnectionFailed(
            f"The directory of {path!r} does not exist.", hint="Make it first, or change `path`.", transient=False
        )
    return str(file)


def existing(path: str) -> str:
    """The URI by which SQLite opens that file and never makes it. The path is absolute."""
    return f"{Path(path).as_uri()}?mode=rw"


def identity(path: str) -> tuple[int, int] | None:
    """What tells the file from another at the same path; None where there is none."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _looked_at(path: str) -> tuple[Path, bool, bool]:
    """The absolute path, whether it is a directory, and whether it is in one."""
    try:
        file = Path(path).expanduser().absolute()
        return file, file.is_dir(), file.parent.is_dir()
    except OSError as error:
        raise ConnectionFailed(
            f"The path {path!r} can't be used: {error.strerror}.",
            hint="Check how long its names are, and that this process may enter its directories.",
            transient=False,
        ) from error
    except RuntimeError as error:
        raise ConnectionFailed(
            f"The home directory of {path!r} can't be found.", hint="Give the path without `~`.", transient=False
        ) from error
