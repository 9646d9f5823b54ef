"""What the command line says of a change: `KEY=VALUE` and `--unset KEY`, or a file, as one merge patch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneiric.config import read_value
from oneiric.config.text_file import Unreadable, decoded, read_bytes
from oneiric.errors import ConfigError
from oneiric.validation import MAX_SIZE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAX_BYTES = 4 * MAX_SIZE
_QUOTE = "Put it in quotes, inside of those of the shell: 'KEY=\"…\"'."


def changes_of(assignments: Sequence[str], unset: Sequence[str]) -> dict[str, Any]:
    """The merge patch. Raises ConfigError, which repeats no value, for what is not `KEY=VALUE` or said twice."""
    changes: dict[str, Any] = {}
    for number, assignment in enumerate(assignments, 1):
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            raise ConfigError(f"Argument {number} after the instance is not KEY=VALUE.")
        _put(changes, key, _value(key, text))
    for key in unset:
        _put(changes, key, None)
    return changes


def changes_in(source: str) -> Mapping[str, Any]:
    """The merge patch that a file, or for `-` standard input, holds as YAML or JSON. Raises ConfigError."""
    what = "Standard input" if source == "-" else source
    changes = read_value(_read(source, what), what)
    if not isinstance(changes, dict):
        raise ConfigError(f"{what} is not a mapping of settings.")
    return changes


def _put(changes: dict[str, Any], key: str, value: Any) -> None:
    *outer, last = key.split(".")
    for part in outer:
        changes = changes.setdefault(part, {})
        if not isinstance(changes, dict):
            raise ConfigError(f"`{key}` and what it is a part of are both set.")
    if not last or "" in outer:
        raise ConfigError(
            f"`{key}` is not a key.", hint="Keys of settings in settings are joined by dots: `pool.size`."
        )
    if last in changes:
        raise ConfigError(f"`{key}`, or a part of it, is set twice.")
    changes[last] = value


def _value(key: str, text: str) -> Any:
    if not text:
        raise ConfigError(f"`{key}` has no value.", hint=f"--unset {key} removes it; '{key}=\"\"' sets an empty text.")
    try:
        value = read_value(text, f"The value of `{key}`")
    except ConfigError:  # from None: it shows where in the text, and this may be a secret's
        raise ConfigError(f"The value of `{key}` is not valid YAML.", hint=_QUOTE) from None
    if value is None:
        raise ConfigError(f"`{key}` can't be null.", hint=f"--unset {key} removes it.")
    if isinstance(value, str) and value != text and text[0] not in "'\"":
        raise ConfigError(f"The value of `{key}` is more than it is read as: there is a comment, say.", hint=_QUOTE)
    return value


def _read(source: str, what: str) -> str:
    try:
        data = (sys.stdin.buffer.read(_MAX_BYTES + 1) if sys.stdin else b"") if source == "-" else _bytes(source)
        if len(data) <= _MAX_BYTES:
            return decoded(data)
    except (OSError, Unreadable) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{what} can't be read: {reason}.") from None
    raise ConfigError(f"{what} is larger than {_MAX_BYTES // 1024} KiB, too large for a config.")


def _bytes(source: str) -> bytes:
    return read_bytes(Path(source), _MAX_BYTES)
