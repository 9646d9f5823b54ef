"""What is installed and configured, in the form in which the CLI and the MCP server show it.

Each function takes a Catalog and a config and imports no driver; each model is what `--json` prints and what a tool returns.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json, to_json

from oneiric.config import problems_of, schemes_of
from oneiric.passport import Passport, passport_of
from oneiric.validation import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.adapters.base import AdapterSettings
    from oneiric.config import Instance
    from oneiric.discovery import Catalog
    from oneiric.spec import AdapterSpec


_MAX_SCHEMA = 128 * 1024
"""How many bytes of JSON the schema of one adapter's config may have; a listing shows those of all."""


class AdapterStatus(StrEnum):
    """Whether an adapter can be used, and whether the config uses it."""

    AVAILABLE = "available"
    CONFIGURED = "configured"
    ERROR = "error"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class AdapterSummary(_Model):
    """One installed adapter, as a listing shows it."""

    name: str
    type: str
    """`database`, `vector`, `queue`, `messaging`, or a type that a plugin brings."""
    status: AdapterStatus
    """`available`: can be used; `configured`: the config has an instance of it; `error`: see `error`."""
    summary: str
    capabilities: list[str]
    settings_schema: dict[str, Any]
    """The JSON Schema of its config."""
    error: str | None = None
    """Why it can't be used and what mends that, where the status is `error`."""


class AdapterInfo(_Model):
    """One installed adapter, whole."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    name: str
    type: str
    status: AdapterStatus
    description: str
    adapter_class: str = Field(alias="class")
    """`module:Class` of the adapter."""
    settings_class: str
    """`module:Class` of its settings."""
    settings_schema: dict[str, Any]
    """The JSON Schema of its config."""
    capabilities: list[str]
    example_config: dict[str, Any]
    """A config that validates and works on a laptop."""
    documentation_link: str | None
    distribution: str | None
    """The pip package that brings it."""
    version: str | None
    """That package's version."""
    instances: list[str]
    """The configured instances of it."""
    passport: Passport | None = None
    """What its run of the conformance kit has shown, as it is packaged with it."""
    passport_problem: str | None = None
    """Why there is a passport that can't be read, or why it doesn't speak for what is installed."""
    error: str | None = None
    """Why it can't be used and what mends that, where the status is `error`."""


class ConfigProblem(_Model):
    """One thing that is wrong with a config."""

    path: str
    """Where, as `pool.size`; empty for the config as a whole."""
    message: str
    """What, in a sentence that never repeats the value."""
    suggestion: str | None = None
    """The nearest right key, for a key that is not a setting."""

    def __str__(self) -> str:
        return str(Problem(self.path, self.message, self.suggestion))


class ConfigValidation(_Model):
    """Whether a config is right."""

    valid: bool
    errors: list[ConfigProblem]
    """Everything that is wrong, at once."""
    warnings: list[str]
    """What would keep a right config from working."""


def summarise(spec: AdapterSpec, catalog: Catalog, config: Mapping[str, Instance]) -> AdapterSummary:
    """The adapter as a listing shows it."""
    status, error = _status(spec, catalog, config)
    return AdapterSummary(
        name=spec.name,
        type=spec.type,
        status=status,
        summary=spec.summary,
        capabilities=sorted(spec.capabilities),
        settings_schema=_schema(spec.settings)[0],
        error=error,
    )


def describe(spec: AdapterSpec, catalog: Catalog, config: Mapping[str, Instance]) -> AdapterInfo:
    """The adapter, whole."""
    status, error = _status(spec, catalog, config)
    passport, passport_problem = passport_of(spec)
    return AdapterInfo(
        name=spec.name,
        type=spec.type,
        status=status,
        description=spec.summary,
        adapter_class=spec.adapter,
        settings_class=f"{spec.settings.__module__}:{spec.settings.__qualname__}",
        settings_schema=_schema(spec.settings)[0],
        capabilities=sorted(spec.capabilities),
        example_config=dict(spec.example),
        documentation_link=spec.docs_url,
        distribution=spec.distribution,
        version=spec.version,
        instances=[name for name, instance in config.items() if instance.adapter == spec.name],
        passport=passport,
        passport_problem=passport_problem,
        error=error,
    )


def validate(spec: AdapterSpec, catalog: Catalog, config: object) -> ConfigValidation:
    """Check a config against the adapter's settings; nothing is opened, and no driver imported."""
    problems = problems_of(spec.settings, config, schemes_of(catalog.hooks))
    unavailable = catalog.why_unavailable(spec)
    return ConfigValidation(
        valid=not problems,
        errors=[ConfigProblem(path=p.path, message=p.message, suggestion=p.suggestion) for p in problems],
        warnings=[str(unavailable)] if unavailable else [],
    )


def _status(spec: AdapterSpec, catalog: Catalog, config: Mapping[str, Instance]) -> tuple[AdapterStatus, str | None]:
    unavailable = catalog.why_unavailable(spec)
    error = str(unavailable) if unavailable else _schema(spec.settings)[1]
    if error:
        return AdapterStatus.ERROR, error
    is_configured = any(instance.adapter == spec.name for instance in config.values())
    return AdapterStatus.CONFIGURED if is_configured else AdapterStatus.AVAILABLE, None


@cache
def _schema(settings: type[AdapterSettings]) -> tuple[dict[str, Any], str | None]:
    """The settings' JSON Schema, or an empty one and why there is none: a third party's class may hold anything."""
    try:
        text = to_json(settings.model_json_schema())
        schema = from_json(text)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001
        return {}, f"{settings.__qualname__} has no JSON Schema ({type(error).__name__}): its package needs mending."
    if not _has_properties(schema):
        return {}, f"{settings.__qualname__} has a JSON Schema that is not one of an object: its package needs mending."
    if len(text) > _MAX_SCHEMA:
        return (
            {},
            f"{settings.__qualname__} has a JSON Schema of more than {_MAX_SCHEMA // 1024} KiB, too much to show.",
        )
    return schema, None


def _has_properties(schema: object) -> bool:
    properties = schema.get("properties", {}) if isinstance(schema, dict) else None
    return isinstance(properties, dict) and all(isinstance(field, dict) for field in properties.values())
