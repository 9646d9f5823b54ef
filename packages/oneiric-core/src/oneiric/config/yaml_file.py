"""Finding and reading `oneiric.yaml`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_config_path
from ruamel.yaml import YAML

from oneiric.config import text_file
from oneiric.config.text_file import Unreadable, decoded
from oneiric.config.yaml_errors import described
from oneiric.config.yaml_nodes import Lines, MarkedConstructor, check_merges
from oneiric.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ruamel.yaml.nodes import Node

FILE_NAME = "oneiric.yaml"
FILE_VARIABLE = "ONEIRIC_CONFIG"
MAX_FILE_SIZE = 256 * 1024
"""How many characters a config file may have."""


def find_file(path: str | os.PathLike[str] | None = None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The file to read: `path`, else `$ONEIRIC_CONFIG`, else `./oneiric.yaml`, else the user's; None where there is none.

    A file that is named and isn't there is a ConfigError; one that is only looked for need not be.
    """
    named = path or environ.get(FILE_VARIABLE)
    if named:
        return Path(named)
    candidates = (Path(FILE_NAME), user_config_path("oneiric") / FILE_NAME)
    return next((candidate for candidate in candidates if _is_file(candidate)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a user's folder that a service may not look into
        return False


@dataclass(frozen=True, slots=True)
class YamlFile:
    """What a config file holds, and on which lines."""

    path: Path
    content: dict[str, Any] = field(repr=False)
    text: str = field(default="", repr=False)
    """The file as it stands: line ends and a byte order mark too."""
    node: Node | None = field(default=None, repr=False)
    """The same as the parser's nodes, whose marks count the text's characters; None for an empty file."""

    lines: Lines = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", Lines(self.node))

    def locate(self, keys: Sequence[str]) -> str:
        """`oneiric.yaml:7` for the value that these keys lead to; with `<<`, for as far as they lead in the text."""
        return f"{self.path}:{self.lines.of(keys)}"


def read_file(path: Path) -> YamlFile:
    """Read a file. Raises ConfigError with the file and the line; an empty file holds an empty mapping."""
    return parse(path, read_bytes(path))


def read_bytes(path: Path) -> bytes:
    """The bytes of a config file, and not many more than one may have. Raises ConfigError where it can't be read."""
    try:
        return text_file.read_bytes(path, 4 * MAX_FILE_SIZE)
    except FileNotFoundError as error:
        reason = error.strerror
    except Unreadable as error:
        reason = str(error)
    raise ConfigError(f"The config file {path} can't be read: {reason}.")


def parse(path: Path, data: bytes) -> YamlFile:
    """What these bytes, which are or will be in that file, hold. Raises ConfigError with the file and the line."""
    text = _decoded(path, data)
    node, content = _read(text, path)
    if content is None:
        content = {}
    if not isinstance(content, Mapping):
        raise ConfigError(f"{path} is not a mapping: it should start with `adapters:`.")
    return YamlFile(path, dict(content), text, node)


def read_value(text: str, what: str) -> Any:
    """A text as YAML. Raises ConfigError, which calls the text `what`."""
    return _read(text, what)[1]


def _read(text: str, what: Path | str) -> tuple[Node | None, Any]:
    try:
        # A warning of the parser's would show lines of the file.
        with warnings.catch_warnings(action="ignore"):
            node = YAML(typ="safe", pure=True).compose(text)
            check_merges(node)
            return node, _loader().load(text)
    except Exception as error:  # noqa: BLE001 - the parser raises whatever its parts raise
        line, sentence = described(error, text)
    where = f"{what} line {line}" if line else f"{what}"
    # Out here, so that it doesn't lead to the parser's own error, whose message may quote a value.
    raise ConfigError(f"{where} is not valid YAML: {sentence}")


def _loader() -> YAML:
    loader = YAML(typ="safe", pure=True)
    loader.Constructor = MarkedConstructor
    return loader


def _decoded(path: Path, data: bytes) -> str:
    try:
        if len(data) <= 4 * MAX_FILE_SIZE and len(text := decoded(data)) <= MAX_FILE_SIZE:
            return text
    except Unreadable as error:
        raise ConfigError(f"The config file {path} can't be read: {error}.") from None
    raise ConfigError(f"{path} is larger than {MAX_FILE_SIZE // 1024} KiB, too large for a config file.")
