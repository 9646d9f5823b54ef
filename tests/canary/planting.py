"""From a settings class to a config with a canary in the place of every secret."""

from __future__ import annotations

import dataclasses
import re
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints
from urllib.parse import quote, urlsplit

from oneiric.masking import is_secret
from pydantic import BaseModel, Secret, SecretBytes, SecretStr
from typing_extensions import is_typeddict

Plant = Callable[[str, str], Any]
"""From where a value is and its text to what is written there; it may be a reference to the text."""

_SOUNDS_LIKE_A_DSN = re.compile(r"(^|[._])(dsn|url|uri|urls|connection_string|conninfo|broker|backend)$")
_NOWHERE = "127.0.0.1:9"
"""Nobody answers there."""

_SCHEMES = ("postgresql", "redis", "amqp", "http")
URLS = (
    f"{{scheme}}://app:{{password}}@{_NOWHERE}/x?timeout=1",
    *(f"{scheme}://app:{{password}}@{_NOWHERE}/0" for scheme in _SCHEMES),
    *(f"{scheme}://{_NOWHERE}/0" for scheme in _SCHEMES),
)
"""Ways to write a URL with a password, or without for who takes it in a setting of its own; `{scheme}` is the example's."""


class Planter:
    """Fills settings with canaries. `text_at` makes one for a place, `plant` writes it down.

    With `plain_too`, settings of plain text get one as well: such a setting is a secret once a reference stands there.
    """

    def __init__(
        self, text_at: Callable[[str], str], plant: Plant, *, plain_too: bool = False, url: str | None = None
    ) -> None:
        self._text_at = text_at
        self._plant = plant
        self._plain_too = plain_too
        self._url = url or URLS[0]

    def config(self, settings: type[BaseModel], example: Mapping[str, Any]) -> dict[str, Any]:
        """The example with a canary in each setting that can hold one; every one that holds a secret must."""
        planted = self._model(settings, example, "")
        secret = {name for name, field in settings.model_fields.items() if is_secret(field.annotation)}
        assert secret <= planted.keys(), f"no canary in {secret - planted.keys()}: teach the planter this type"
        return {**example, **planted}

    def _model(self, model: type[BaseModel], example: Mapping[str, Any], path: str) -> dict[str, Any]:
        values = {
            name: self._value(
                field.annotation, f"{path}.{name}", example.get(name, None if field.is_required() else field.default)
            )
            for name, field in model.model_fields.items()
        }
        return {name: value for name, value in values.items() if value is not None}

    def _value(self, annotation: Any, path: str, example: object) -> Any:
        """What to write where this type is wanted; None where it can't hold a secret."""
        annotation = _plain_type(annotation)
        inner = get_args(annotation)
        origin = get_origin(annotation)
        if origin in (Union, types.UnionType):
            return next((found for each in inner if (found := self._value(each, path, example)) is not None), None)
        if origin in (dict, Mapping) and inner:
            found = self._value(inner[1], f"{path}.key", None)
            return None if found is None else {"key": found}
        if origin in (list, tuple, set, frozenset) and inner:
            found = self._value(inner[0], f"{path}[0]", None)
            return None if found is None else [found]
        kind = origin or annotation
        if not isinstance(kind, type):
            return None
        if issubclass(kind, SecretStr | SecretBytes | Secret):
            return self._plant(path, self._text_at(path))
        if issubclass(kind, BaseModel):
            return self._model(kind, example if isinstance(example, Mapping) else {}, path) or None
        if dataclasses.is_dataclass(kind) or is_typeddict(kind):
            hints = get_type_hints(kind, include_extras=True)
            values = {name: self._value(hint, f"{path}.{name}", None) for name, hint in hints.items()}
            return {name: value for name, value in values.items() if value is not None}
        return self._text(kind, path, example)

    def _text(self, kind: type, path: str, example: object) -> Any:
        is_url = "Url" in kind.__name__ or "Dsn" in kind.__name__
        if not (kind is str or is_url):
            return None
        shown = example if isinstance(example, str) else ""
        if "=" in shown or "host=" in shown:
            return self._plant(path, _keywords(self._text_at(path)))
        if is_url or "://" in shown or _SOUNDS_LIKE_A_DSN.search(path):
            scheme = urlsplit(shown).scheme or {"PostgresDsn": "postgresql", "RedisDsn": "redis"}.get(
                kind.__name__, "http"
            )
            password = quote(self._text_at(path), safe="")
            return self._plant(path, self._url.format(scheme=scheme, password=password))
        return self._plant(path, self._text_at(path)) if self._plain_too else None


def _plain_type(annotation: Any) -> Any:
    """The type without a name or remarks of its own."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif hasattr(annotation, "__value__"):
            annotation = annotation.__value__
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        else:
            return annotation


def _keywords(password: str) -> str:
    escaped = password.replace("\\", "\\\\").replace("'", "\\'")
    return f"host=127.0.0.1 port=9 user=app password='{escaped}' connect_timeout=1"


def mistyped(config: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """The config with each of these values as another type than it should be."""
    return {key: [{"value": value}] if key in keys else value for key, value in config.items()}


def misspelled(config: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """The config with a letter too many in each of these keys."""
    return {f"{key}x" if key in keys else key: value for key, value in config.items()}


def unescaped(scheme: str, password: str) -> str:
    """A URL as people write it who don't know that a password must be quoted in one."""
    return f"{scheme}://app@tenant:{password}@{_NOWHERE}/x"
