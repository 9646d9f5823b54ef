"""From an instance's values to its adapter, not initialised yet: references resolved, settings validated, class imported."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from oneiric.config import has_references, problems_of, resolved
from oneiric.errors import ConfigError, DeadlineExceeded, InitFailed, OneiricError, UnresolvedReference
from oneiric.validation import check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.adapters.base import Adapter, AdapterSettings
    from oneiric.config import Instance, Resolver
    from oneiric.spec import AdapterSpec


async def build(instance: Instance, spec: AdapterSpec, schemes: Mapping[str, Resolver], timeout: float) -> Adapter:
    """Make the adapter of an instance. `timeout` (seconds) bounds the resolving of references.

    Raises ConfigError, UnresolvedReference, DeadlineExceeded, AdapterUnavailable, or InitFailed for a class that raises.
    """
    settings = await _settings(instance, spec, schemes, timeout)
    adapter_class = spec.load()
    try:
        adapter = adapter_class(settings)
        adapter.name = instance.name
    except OneiricError:
        raise
    except Exception as error:
        sentence = f"Making the {adapter_class.__name__} of `{instance.name}` raised {type(error).__name__}."
        raise InitFailed(sentence, adapter=instance.name) from error
    return adapter


async def _settings(
    instance: Instance, spec: AdapterSpec, schemes: Mapping[str, Resolver], timeout: float
) -> AdapterSettings:
    """The instance's settings; here, and nowhere else, references become secrets: after all else was found right."""
    problems = problems_of(spec.settings, instance.values, schemes)
    if not problems:
        values = await _resolved(instance, schemes, timeout)
        settings, problems = check(spec.settings, values)
        if settings is not None:
            return settings
    raise ConfigError(f"The config of `{instance.name}` is wrong.", problems=problems, adapter=instance.name)


async def _resolved(instance: Instance, schemes: Mapping[str, Resolver], timeout: float) -> Mapping[str, Any]:
    if not has_references(instance.values):
        return instance.values
    try:
        async with asyncio.timeout(timeout):
            # In a thread: a resolver may ask a vault over the network.
            return cast("Mapping[str, Any]", await asyncio.to_thread(resolved, instance.values, schemes))
    except TimeoutError:
        sentence = f"The references of `{instance.name}` were not resolved within {timeout:g} s."
        raise DeadlineExceeded(sentence, adapter=instance.name) from None
    except UnresolvedReference as error:
        error.adapter = instance.name
        raise
