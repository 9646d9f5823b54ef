"""`embedded:` URLs: which server of which data is meant. Nothing is opened here."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote_to_bytes

from oneiric.errors import ConfigError

_SCHEME = "embedded:"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_FORMS = (
    "Write `embedded:///path/of/a/directory` or `embedded:///~/directory` for data that is kept, `embedded://` for data "
    "that isn't, or `embedded://NAME` for such data apart."
)


def is_embedded(url: str) -> bool:
    """Whether the URL asks for an embedded server, rightly written or not."""
    return url.lower().startswith(_SCHEME)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an embedded server's data is: all who name the same place, and the same engine, share one server."""

    path: str | None = None
    """The directory of data that is kept, absolute or beginning with `~`; None where the data ends with the last member."""
    name: str = ""
    """What tells data that isn't kept from other such data."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises ConfigError, which says what to write and repeats nothing of the URL: it may hold a password."""
        if not is_embedded(url):
            raise ConfigError("This is no URL of an embedded server.", hint=_FORMS)
        slashes, rest = url[len(_SCHEME) :][:2], url[len(_SCHEME) + 2 :]
        if slashes != "//":
            raise ConfigError("The URL of an embedded server begins with `embedded://`.", hint=_FORMS)
        if "?" in rest or "#" in rest:
            hint = "Leave out what begins with `?` or `#`; in a path, write `%3F` and `%23` for these."
            raise ConfigError("The URL of an embedded server has no options.", hint=hint)
        if rest.startswith("/"):
            return cls(path=_path(rest))
        if rest and not _NAME.fullmatch(rest):
            hint = "Give 1 to 40 of a-z, 0-9, `-` and `_`. A path begins with a third slash: `embedded:///…`."
            raise ConfigError("The name in the URL of an embedded server can't be.", hint=hint)
        return cls(name=rest)

    @property
    def is_kept(self) -> bool:
        """Whether the data outlives its members."""
        return self.path is not None


def _path(quoted: str) -> str:
    try:
        path = os.fsdecode(unquote_to_bytes(quoted))
    except UnicodeError:
        raise ConfigError("The path in the URL of an embedded server is no text.", hint=_FORMS) from None
    if not path.isprintable():
        raise ConfigError("The path in the URL of an embedded server holds a control character.", hint=_FORMS)
    if not path.strip("/"):
        raise ConfigError("The URL of an embedded server names no directory.", hint=_FORMS)
    return path[1:] if path == "/~" or path.startswith("/~/") else path
