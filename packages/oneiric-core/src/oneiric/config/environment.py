"""The layers of variables, by pydantic-settings' convention: `ONEIRIC_ADAPTERS__ORDERS__DSN=…` there or in `.env`."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dotenv import dotenv_values
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from oneiric.config.text_file import Unreadable, decoded, read_bytes
from oneiric.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic.fields import FieldInfo


_VARIABLE = "ONEIRIC_ADAPTERS"
_MAX_DOTENV = 256 * 1024
"""How many bytes a `.env` may have."""
_HINT = f"One setting is named as {_VARIABLE}__ORDERS__DSN."


class _Layer(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="ONEIRIC_", env_nested_delimiter="__", extra="ignore")

    adapters: dict[str, dict[str, Any]] = {}


class _Source(EnvSettingsSource):
    """Pydantic-settings' own reading of an environment that need not be this process's."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {name.lower(): value for name, value in environ.items()}
        super().__init__(_Layer)

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Read JSON objects and arrays only: `123456` is a password as well as a number."""
        if value[:1] not in ("{", "["):
            raise ValueError("not an object or array")
        try:
            return super().decode_complex_value(field_name, field, value)
        except RecursionError:
            raise ValueError("nested too deeply") from None

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._environ


def read_environment(environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The settings of each instance that the environment names, by the instance's name in lower case.

    A value that is a JSON object or array is read as one; any other is a string, which the settings class will parse.
    Raises ConfigError, with the variable's name, for one that is neither an instance nor a setting of one.
    """
    try:
        adapters = _Source(environ)().get("adapters", {})
    except SettingsError:
        adapters = None
    if not isinstance(adapters, dict):
        raise ConfigError(
            f"`{_VARIABLE}` should be a JSON object of instances and their settings.", hint=_HINT
        ) from None
    instances = {name: _parsed(values) for name, values in adapters.items()}
    for name, values in instances.items():
        if not isinstance(values, dict):
            variable = f"{_VARIABLE}__{name.upper()}"
            raise ConfigError(f"`{variable}` should be a JSON object of settings.", hint=_HINT)
    return instances


def variable_of(keys: Sequence[str], environ: Mapping[str, str]) -> str:
    """The variable that sets the value at these keys: its own, or one further up that holds it as JSON."""
    names = {name.upper(): name for name in environ}
    wanted = ["__".join((_VARIABLE, *keys[:length])).upper().replace("-", "_") for length in range(len(keys), -1, -1)]
    return next((names[name] for name in wanted if name in names), wanted[0])


def dotenv_of(config_file: Path | None) -> Path:
    """The `.env` that goes with a config file: beside it, or in this folder where there is none."""
    return (config_file.parent if config_file else Path()) / ".env"


def read_dotenv(path: Path) -> dict[str, str]:
    """The variables of a `.env` file; none where there is no such file. Raises ConfigError where it can't be read."""
    if path.is_dir():  # a virtual environment may have that name
        return {}
    try:
        text = decoded(read_bytes(path, _MAX_DOTENV)).removeprefix("\ufeff")
    except FileNotFoundError:
        return {}
    except Unreadable as error:
        raise ConfigError(f"{path} can't be read: {error}.") from None
    if len(text) > _MAX_DOTENV:
        raise ConfigError(f"{path} is larger than {_MAX_DOTENV // 1024} KiB, too large for a file of variables.")
    return {name: value for name, value in dotenv_values(stream=StringIO(text)).items() if value is not None}


def _parsed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _parsed(item) for key, item in value.items()}
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value
