"""From an instance's values to its adapter, not initialised yet: references resolved, settings validated, class imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from oneiric.config import has_references, is_reference, problems_of, resolved, schemes_of, spec_of
from oneiric.errors import ConfigError, DeadlineExceeded, InitFailed, OneiricError, UnresolvedReference
from oneiric.lifecycle.patience import Late, called
from oneiric.lifecycle.service import Service, hide_or_replace
from oneiric.masking import secrets_in
from oneiric.validation import check

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from oneiric.adapters.base import Adapter, AdapterSettings
    from oneiric.config import Instance, Resolver
    from oneiric.discovery import Catalog
    from oneiric.spec import AdapterSpec


async def build(instance: Instance, catalog: Catalog, variables: Mapping[str, str], timeout: float) -> Service:
    """Make the adapter of an instance. `timeout` (seconds) bounds the resolving of references.

    Raises UnknownAdapter, ConfigError, UnresolvedReference, DeadlineExceeded, AdapterUnavailable, or InitFailed for a class
    that raises.
    """
    spec = spec_of(instance, catalog)
    settings, found = await _settings(instance, spec, schemes_of(catalog.hooks, variables), timeout)
    adapter_class = spec.load()
    # What is a part of these names is public, and the names would be masked in every error.
    secrets = frozenset(secret for secret in found if secret not in instance.name and secret not in spec.name)
    try:
        adapter = _made(adapter_class, settings, instance.name)
    except BaseException as error:
        hide_or_replace(error, secrets, instance.name)
        raise
    return Service(adapter, instance, secrets)


def _made(adapter_class: type[Adapter], settings: AdapterSettings, name: str) -> Adapter:
    try:
        adapter = adapter_class(settings)
        adapter.name = name
    except OneiricError:
        raise
    except Exception as error:
        sentence = f"Making the {adapter_class.__name__} of `{name}` raised {type(error).__name__}."
        raise InitFailed(sentence, adapter=name) from error
    return adapter


async def _settings(
    instance: Instance, spec: AdapterSpec, schemes: Mapping[str, Resolver], timeout: float
) -> tuple[AdapterSettings, Collection[str]]:
    """The instance's settings, and the secrets in them, what references were resolved to included.

    Here, and nowhere else, references become secrets: after all else was found right.
    """
    problems = problems_of(spec.settings, instance.values, schemes)
    if not problems:
        values = await _resolved(instance, schemes, timeout)
        settings, problems = check(spec.settings, values)
        if settings is not None:
            settings._referenced = secrets_in([*referenced(instance.values, values)])  # noqa: SLF001 - its settings' own
            return settings, secrets_in(settings) | settings._referenced  # noqa: SLF001
    raise ConfigError(f"The config of `{instance.name}` is wrong.", problems=problems, adapter=instance.name)


async def _resolved(instance: Instance, schemes: Mapping[str, Resolver], timeout: float) -> Mapping[str, Any]:
    if not has_references(instance.values):
        return instance.values
    try:
        # In a thread: a resolver may ask a vault over the network.
        values: Mapping[str, Any] = await called(resolved, instance.values, schemes, seconds=timeout)
    except Late:
        sentence = f"The references of `{instance.name}` were not resolved within {timeout:.3g} s."
        raise DeadlineExceeded(sentence, adapter=instance.name) from None
    except UnresolvedReference as error:
        error.adapter = instance.name
        raise
    return values


def referenced(written: Any, values: Any) -> Iterator[SecretStr]:
    """What stands in the place of each reference, whatever the type of its setting."""
    if isinstance(written, Mapping):
        if is_reference(written):
            yield SecretStr(str(values))
        else:
            for key, item in written.items():
                yield from referenced(item, values[key])
    elif isinstance(written, list):
        for item, value in zip(written, values, strict=True):
            yield from referenced(item, value)
