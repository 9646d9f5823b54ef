"""From an instance to what a connection test needs of it: settings checked, references resolved, targets known."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from oneiric.adapters.targets import Endpoint, Targets
from oneiric.config import has_references, problems_of, resolved
from oneiric.diagnostics.guard import unguarded
from oneiric.errors import ConfigError, DeadlineExceeded, OneiricError, UnresolvedReference
from oneiric.lifecycle.patience import Late, called
from oneiric.masking import secrets_in
from oneiric.validation import check

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oneiric.adapters.base import AdapterSettings
    from oneiric.config import Instance, Resolver
    from oneiric.diagnostics.allowed import AllowedTargets
    from oneiric.discovery import Catalog
    from oneiric.spec import AdapterSpec


@dataclass(frozen=True, slots=True)
class Prepared:
    """An instance whose config is right."""

    instance: Instance
    """With every reference resolved: not for showing."""
    targets: Targets | None
    """What it would reach; None where its settings class doesn't say."""
    secrets: frozenset[str] = field(repr=False)
    """Everything in it that must not be shown."""


async def prepare(
    instance: Instance,
    spec: AdapterSpec,
    schemes: Mapping[str, Resolver],
    seconds: float,
    allowed: AllowedTargets | None = None,
) -> Prepared:
    """Check the config, and where it is right resolve its references. `seconds` bounds that.

    Raises ConfigError, TargetRefused, UnresolvedReference, DeadlineExceeded.
    """
    problems = problems_of(spec.settings, instance.values, schemes)
    if not problems:
        if allowed is not None:
            allowed.check_values(instance)
        values = await _resolved(instance, schemes, seconds)
        settings, problems = check(spec.settings, values)
        if settings is not None:
            secrets = secrets_in([*_revealed(instance.values, values)]) | _secrets_of(settings)
            return Prepared(replace(instance, values=values), targets_of(settings), secrets)
    raise ConfigError(f"The config of `{instance.name}` is wrong.", problems=problems, adapter=instance.name)


async def stored_targets(
    stored: Sequence[Instance], catalog: Catalog, schemes: Mapping[str, Resolver], seconds: float
) -> list[tuple[Instance, Targets]]:
    """What the stored instances reach, as far as they say and their configs are right."""

    async def of(instance: Instance) -> tuple[Instance, Targets] | None:
        if instance.adapter not in catalog:
            return None
        try:
            prepared = await prepare(instance, catalog[instance.adapter], schemes, seconds)
        except OneiricError:
            return None
        return (instance, prepared.targets) if prepared.targets else None

    return [found for found in await asyncio.gather(*map(of, stored)) if found]


def targets_of(settings: AdapterSettings) -> Targets | None:
    """What settings would reach; None where their class doesn't say, or says what can't be."""
    try:
        targets: object = settings.targets()
    except Exception:  # noqa: BLE001 - a third party's own code
        return None
    if not isinstance(targets, Targets):
        return None
    endpoints: tuple[Any, ...] = targets.endpoints
    are_endpoints = all(
        isinstance(each, Endpoint) and (type(each.host), type(each.port)) == (str, int) for each in endpoints
    )
    files: tuple[Any, ...] = targets.files
    return targets if are_endpoints and all(isinstance(file, str) for file in files) else None


async def _resolved(instance: Instance, schemes: Mapping[str, Resolver], seconds: float) -> Mapping[str, Any]:
    if not has_references(instance.values):
        return instance.values
    try:
        with unguarded():
            values: Mapping[str, Any] = await called(resolved, instance.values, schemes, seconds=seconds)
    except Late:
        message = f"The references of `{instance.name}` were not resolved within {seconds:g} s."
        raise DeadlineExceeded(message, adapter=instance.name, hint="Check what they name.") from None
    except UnresolvedReference as error:
        error.adapter = instance.name
        raise
    return values


def _revealed(before: Any, after: Any) -> Iterator[SecretStr]:
    """What stands where references stood."""
    if isinstance(before, Mapping) and isinstance(after, str):
        yield SecretStr(after)
    elif isinstance(before, Mapping):
        for key, value in before.items():
            yield from _revealed(value, after[key])
    elif isinstance(before, list):
        for one, other in zip(before, after, strict=True):
            yield from _revealed(one, other)


def _secrets_of(settings: AdapterSettings) -> frozenset[str]:
    try:
        return secrets_in(settings)
    except Exception:  # noqa: BLE001 - a third party's own class
        return frozenset()
