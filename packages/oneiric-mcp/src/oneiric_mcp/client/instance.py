"""From an instance's config as the server shows it to an Instance that can be started here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oneiric.config import Instance, LayerName, Source, is_reference
from oneiric.masking import MASK

from oneiric_mcp.client.errors import ValueMasked, WrongAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric_mcp.instance_config import ConfigValue, InstanceConfig


def instance_of(config: InstanceConfig, url: str) -> Instance:
    """The instance, with the values that somebody has given: of defaults, the settings class here has its own.

    Raises ValueMasked with every value that the server has masked, and WrongAnswer for keys that contradict each other.
    """
    given = [value for value in config.values if value.layer != LayerName.DEFAULT and value.key != "adapter"]
    hidden = [value.key for value in given if _is_masked(value.value)]
    if hidden:
        keys = ", ".join(f"`{key}`" for key in hidden)
        hint = "In the config there, put a reference in place of the secret: {$env: NAME} or {$file: PATH}."
        raise ValueMasked(f"The server masks {keys} of `{config.instance}`.", adapter=config.instance, hint=hint)
    values: dict[str, Any] = {}
    for value in given:
        if not _put(values, value):
            raise WrongAnswer(f"The config of `{config.instance}` from {url} has `{value.key[:100]}` in two ways.")
    return Instance(config.instance, config.adapter, values, dict(_sources(config, url)))


def _put(values: dict[str, Any], value: ConfigValue) -> bool:
    """Put it where its key says; whether that was free."""
    *parents, last = value.key.split(".")
    branch: Any = values
    for key in parents:
        branch = branch.setdefault(key, {}) if isinstance(branch, dict) and not is_reference(branch) else None
    if not isinstance(branch, dict) or last in branch:
        return False
    branch[last] = value.value
    return True


def _sources(config: InstanceConfig, url: str) -> Iterator[tuple[tuple[str, ...], Source]]:
    for value in config.values:
        if value.layer != LayerName.DEFAULT:
            yield tuple(value.key.split(".")), Source(LayerName.OVERRIDE, f"{url} ({value.location or value.layer})")


def _is_masked(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_is_masked, value.values()))
    if isinstance(value, list):
        return any(map(_is_masked, value))
    return isinstance(value, str) and MASK in value
