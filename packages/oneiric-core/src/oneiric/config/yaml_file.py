"""Finding and reading `oneiric.yaml`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_config_path
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode

from oneiric.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ruamel.yaml.nodes import Node

FILE_NAME = "oneiric.yaml"
FILE_VARIABLE = "ONEIRIC_CONFIG"
_QUOTES_NO_VALUE = re.compile(r"""([^'"]|(['"])(\\?.|<[a-z ]+>)\2)*""")
"""A sentence of the parser with nothing in quotes but single characters and the names of tokens."""

MAX_FILE_SIZE = 1024 * 1024
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

    def locate(self, keys: Sequence[str]) -> str:
        """`oneiric.yaml:7` for the value that these keys lead to; with `<<`, for as far as they lead in the text."""
        node, line = self.node, 1
        for key in keys:
            pairs = node.value if isinstance(node, MappingNode) else ()
            found = next(((name, value) for name, value in pairs if str(name.value) == key), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        return f"{self.path}:{line}"


def read_file(path: Path) -> YamlFile:
    """Read a file. Raises ConfigError with the file and the line; an empty file holds an empty mapping."""
    return parse(path, read_bytes(path))


def read_bytes(path: Path) -> bytes:
    """The bytes of a config file, and not many more than one may have. Raises ConfigError where it can't be read."""
    try:
        with path.open("rb") as file:
            return file.read(4 * MAX_FILE_SIZE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "its name is none"
        raise ConfigError(f"The config file {path} can't be read: {reason}.") from error


def parse(path: Path, data: bytes) -> YamlFile:
    """What these bytes, which are or will be in that file, hold. Raises ConfigError with the file and the line."""
    text = _decoded(path, data)
    try:
        content = YAML(typ="safe", pure=True).load(text)
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        # From None: the parser's own message may quote a value, and a traceback would show it.
        raise ConfigError(f"{path}{line} is not valid YAML: {_unquoted(error)}.") from None
    except Exception as error:  # noqa: BLE001 - `!!bool maybe` is a KeyError, `!!int ''` an IndexError
        raise ConfigError(f"{path} is not valid YAML ({type(error).__name__}).") from None
    if content is None:
        content = {}
    if not isinstance(content, Mapping):
        raise ConfigError(f"{path} is not a mapping: it should start with `adapters:`.")
    return YamlFile(path, dict(content), text, node)


def _decoded(path: Path, data: bytes) -> str:
    try:
        if len(data) <= 4 * MAX_FILE_SIZE and len(text := data.decode()) <= MAX_FILE_SIZE:
            return text
    except UnicodeDecodeError:
        # From None: the codec's error holds the bytes.
        raise ConfigError(f"The config file {path} can't be read: it is not UTF-8 text.") from None
    raise ConfigError(f"{path} is larger than {MAX_FILE_SIZE // 1024} KiB, too large for a config file.")


def _unquoted(error: MarkedYAMLError) -> str:
    """What the parser says is wrong, without what it quotes of the file: `password: *hunter2` is an undefined alias."""
    problem = error.problem or error.context or "it can't be parsed"
    duplicate = re.match(r'found duplicate key "(.*?)" with value', problem)
    if duplicate:
        return f"the key `{duplicate[1][:100]}` is there twice"
    return problem if _QUOTES_NO_VALUE.fullmatch(problem) else re.split("['\"]", problem)[0].strip()
