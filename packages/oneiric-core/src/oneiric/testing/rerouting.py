"""A config as it is, but for where its backend is: behind another port, or out of reach."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from oneiric.validation import check

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from oneiric.adapters.base import AdapterSettings
    from oneiric.adapters.targets import Targets

_HURRIED = 2.0
_HOST_OF_URL = re.compile(r"(?P<before>[A-Za-z][\w+.-]*://(?:[^/?#]*@)?)(?P<host>\[[^\]]*\]|[^/?#:@\[]+)(?::\d+)?")


def targets_of(settings: type[AdapterSettings], config: Mapping[str, Any]) -> Targets | None:
    """What the settings of that config say that they would reach."""
    return settings.model_validate(dict(config)).targets()


def to_port(config: Mapping[str, Any], host: str, port: int) -> dict[str, Any]:
    """The config with the host and port of its first URL replaced, or its settings `host` and `port`."""
    for name, value in config.items():
        if isinstance(value, str) and _HOST_OF_URL.match(value):
            return {**config, name: _HOST_OF_URL.sub(rf"\g<before>{host}:{port}", value, count=1)}
    return {**config, "host": host, "port": port}


def to_impossible_file(config: Mapping[str, Any], file: str, folder: Path) -> dict[str, Any] | None:
    """The config with its file in a folder that can't be, as its name is a file's; None where no setting is that file."""
    (folder / "a-file").write_text("This is no folder.")
    found = {name: str(folder / "a-file" / "x") for name, value in config.items() if str(value) == file}
    return {**config, **found} if found else None


def hurried(config: Mapping[str, Any], settings: type[AdapterSettings]) -> dict[str, Any]:
    """The config with every setting named `timeout` or `…_timeout` at two seconds, where the settings take that."""
    return with_timeouts(config, settings, _HURRIED)


def with_timeouts(config: Mapping[str, Any], settings: type[AdapterSettings], seconds: float) -> dict[str, Any]:
    """The same with other seconds."""
    changed = dict(config)
    for name in settings.model_fields:
        if name == "timeout" or name.endswith("_timeout"):
            attempt = {**changed, name: seconds}
            if check(settings, attempt)[0] is not None:
                changed = attempt
    return changed
