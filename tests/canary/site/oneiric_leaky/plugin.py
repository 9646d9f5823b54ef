"""Its hooks. Each observer tells all that it is told, and raises it too."""

import logging
import os

from oneiric import AdapterSpec, hookimpl

from oneiric_leaky.settings import LeakySettings

_log = logging.getLogger(__name__)


@hookimpl
def oneiric_adapters():
    return [
        AdapterSpec(
            "leaky",
            type="leaky",
            summary="Repeats its secrets.",
            adapter="oneiric_leaky.adapter:Leaky",
            settings=LeakySettings,
            conformance="oneiric_leaky.conformance:LeakySuite",
            example={"dsn": "leaky://app@127.0.0.1:9/x", "keywords": "host=127.0.0.1 user=app password=change-me"},
        )
    ]


@hookimpl
def oneiric_secret_resolvers():
    return {"vault": _from_vault}


def _from_vault(name):
    secret = os.environ[f"VAULT_{name}"]
    if name.startswith("SEALED"):
        raise RuntimeError(f"the vault is sealed, and {secret!r} is in it") from ValueError(secret)
    return secret


@hookimpl
def oneiric_adapter_initialized(instance, spec, seconds):
    _tell(instance, spec, seconds)


@hookimpl
def oneiric_adapter_init_failed(instance, spec, error):
    _log.error("%s failed", instance, exc_info=error)
    _tell(instance, spec, error)


@hookimpl
async def oneiric_adapter_health_checked(instance, spec, health):
    _tell(instance, spec, health)


@hookimpl
def oneiric_adapter_cleaned_up(instance, spec, error):
    _log.error("%s cleaned up", instance, exc_info=error)
    _tell(instance, spec, error)


@hookimpl
def oneiric_adapter_swapped(instance, spec, previous):
    _tell(instance, spec, previous)


@hookimpl
def oneiric_register_commands(app):
    raise ConnectionError(f"{os.environ.get('BROKEN_DSN', 'nowhere')} does not answer")


def _tell(*facts):
    _log.debug("%r", facts)
    raise RuntimeError(f"posting to the channel of {os.environ.get('OBSERVERS_TOKEN')} failed", *facts)
