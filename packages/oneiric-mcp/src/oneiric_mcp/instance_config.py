"""The config of an instance, in the form in which the server shows it and its client reads it."""

from __future__ import annotations

from typing import Any

from oneiric.inspection import ConfigProblem
from oneiric.lifecycle import State
from pydantic import BaseModel, ConfigDict


class ConfigValue(BaseModel):
    """A value that takes effect, and where it comes from."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    key: str
    """`pool.size`"""
    value: Any
    """Secrets and the passwords of URLs are masked; references stand as they are."""
    layer: str
    """`default`, `file`, `.env`, `environment` or `override`: the highest that has it."""
    location: str | None
    """The file and line, or the variable's name."""


class InstanceConfig(BaseModel):
    """The config of one instance."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    instance: str
    adapter: str
    adapter_class: str | None = None
    """`module:Class` of the adapter, as its plugin declares it."""
    values: list[ConfigValue]
    problems: list[ConfigProblem]
    """Everything that is wrong with it."""
    state: State
    """Of the instance in this server, which initialises it when initialize_adapter is called."""
