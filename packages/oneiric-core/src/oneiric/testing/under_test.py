"""What the tests of the kit are given: the adapter that is meant, its spec, its config, and one that is initialised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import pytest_asyncio

from oneiric.adapters.base import Adapter
from oneiric.discovery import discover
from oneiric.errors import ConnectionFailed
from oneiric.masking import secrets_in
from oneiric.testing.guard import Guarded, apply_excuse
from oneiric.testing.rerouting import hurried, to_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from oneiric.spec import AdapterSpec

ASKED_FOR = "oneiric-capability"
"""The property under which a test's report has each capability that it found to be there."""


class AskedFor(frozenset[str]):
    """Capabilities, with a note of each that somebody looked for and found."""

    note: Callable[[str], None]

    def __new__(cls, capabilities: Iterable[str], note: Callable[[str], None]) -> AskedFor:
        """Make one; `note` is called with each that is found."""
        made = super().__new__(cls, capabilities)
        made.note = note
        return made

    def __contains__(self, capability: object) -> bool:
        """Whether the capability is there."""
        is_there = super().__contains__(capability)
        if is_there:
            self.note(str(capability))
        return is_there


class AdapterUnderTest(metaclass=Guarded):
    """Base of all classes of tests in the kit."""

    adapter_name: ClassVar[str]

    contract: ClassVar[type] = Adapter
    """The class that an adapter of this type has to subclass; its module's constants are the capabilities that there are."""

    @pytest.fixture
    def config(self) -> Mapping[str, Any]:
        """The settings of the adapter: the one fixture that a subclass must bring."""
        raise NotImplementedError(
            "Bring a fixture `config` that returns the settings of an adapter on an empty backend."
        )

    @pytest.fixture
    def spec(self) -> AdapterSpec:
        """What the plugin declares of the adapter. Override it for an adapter that no plugin declares."""
        return discover()[self.adapter_name]

    @pytest.fixture
    def capabilities(
        self, spec: AdapterSpec, config: Mapping[str, Any], request: pytest.FixtureRequest
    ) -> frozenset[str]:
        """What an adapter with this config can do: what the plugin declares, less what the settings do without.

        Each that a test asks for is noted: one that passes has proved it.
        """
        there = spec.capabilities - spec.settings.model_validate(dict(config)).lacks()
        return AskedFor(there, lambda capability: request.node.user_properties.append((ASKED_FOR, capability)))

    @pytest.fixture
    def make(self, spec: AdapterSpec, config: Mapping[str, Any]) -> Callable[..., Adapter]:
        """Make another adapter on the same backend, not initialised; keyword arguments change its settings."""

        def make(**changes: Any) -> Adapter:
            adapter = spec.load()({**config, **changes})
            adapter.name = f"{spec.name}-under-test"
            return adapter

        return make

    @pytest_asyncio.fixture(loop_scope="function")
    async def adapter(self, make: Callable[..., Adapter]) -> AsyncIterator[Adapter]:
        """An initialised adapter."""
        adapter = make()
        async with adapter:
            yield adapter

    def through(self, config: Mapping[str, Any], host: str, port: int) -> Mapping[str, Any]:
        """The config with its backend there. Override it where that is more than one URL, or `host` and `port`."""
        return to_port(config, host, port)

    def hurried(self, config: Mapping[str, Any], spec: AdapterSpec) -> Mapping[str, Any]:
        """The config with short deadlines. Override it where these are not settings named `timeout` or `…_timeout`."""
        return hurried(config, spec.settings)

    async def probe(self, adapter: Any) -> None:
        """One cheap call that reaches the backend and has its answer: the suite of each type has a better one."""
        health = await adapter.health()
        if not health:
            raise ConnectionFailed(getattr(health, "detail", "") or "It is not healthy.", adapter=adapter.name)

    @pytest.fixture(autouse=True)
    def _oneiric_excuse(self, request: pytest.FixtureRequest) -> None:
        apply_excuse(request)


def shows_secret(said: object, adapter: Adapter) -> bool:
    """Whether a secret of the adapter's settings is in what an error, say, or a health, shows of itself."""
    shown = f"{said!s} {said!r}"
    return any(secret in shown for secret in secrets_in(adapter.settings))
