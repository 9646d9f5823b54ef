"""What an application asks an Oneiric MCP server, and the adapters that it makes of the answers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from oneiric.adapters.base import Adapter
from oneiric.config import ConfigStore, Instance, spec_of
from oneiric.diagnostics import ConnectionTest
from oneiric.discovery import discover
from oneiric.inspection import AdapterInfo, AdapterSummary, ConfigValidation
from oneiric.lifecycle import AdapterManager
from pydantic import SecretStr, TypeAdapter, ValidationError

from oneiric_mcp.client.connection import Connection
from oneiric_mcp.client.errors import ClassRefused, WrongAnswer
from oneiric_mcp.client.instance import instance_of
from oneiric_mcp.instance_config import InstanceConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from oneiric.discovery import Catalog

AdapterT = TypeVar("AdapterT", bound=Adapter)
AnswerT = TypeVar("AnswerT")

MAX_ANSWER_BYTES = 8 * 1024 * 1024
TEST_TIMEOUT = 40.0
"""Seconds that a connection test may take: the server gives its stages up to 30."""
_WORST = 3
"""How many of an answer's faults are named."""

_SUMMARIES = TypeAdapter(list[AdapterSummary])
_INFO = TypeAdapter(AdapterInfo)
_CONFIG = TypeAdapter(InstanceConfig)
_VALIDATION = TypeAdapter(ConfigValidation)
_CONNECTION_TEST = TypeAdapter(ConnectionTest)


class OneiricAdapterClient:
    """A client of `oneiric-mcp --http`: what is installed and configured there, and adapters made of it here.

    Every call raises ConnectionFailed, DeadlineExceeded (after `timeout` seconds), AuthenticationFailed, or one of the
    errors of `oneiric_mcp.client`; no answer is larger than `max_answer_bytes`. Nothing is opened before the first call,
    and the server may be restarted between two. `token` is a bearer token of the server's. Of what the server says, no code
    is imported: `catalog` (what is installed here, where None) says which class an adapter has. What it says of a config is
    trusted as a config file is: it chooses the hosts, and the references that are resolved for them.

    Close it, or use `async with`: the adapters that it has loaded are cleaned up then.
    """

    def __init__(
        self,
        oneiric_mcp_url: str,
        *,
        token: SecretStr | str | None = None,
        timeout: float = 10.0,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        catalog: Catalog | None = None,
        variables: Mapping[str, str] = os.environ,
    ) -> None:
        """Open nothing. Raises ConfigError for a URL that can't be one."""
        secret = SecretStr(token) if isinstance(token, str) else token
        self._connection = Connection(oneiric_mcp_url, secret, max_answer_bytes)
        self._timeout = timeout
        self._catalog = catalog
        self._variables = variables
        self._manager: AdapterManager | None = None

    @property
    def url(self) -> str:
        """Where the server is, as it may be shown."""
        return self._connection.url

    @property
    def catalog(self) -> Catalog:
        """What is installed here."""
        if self._catalog is None:
            self._catalog = discover()
        return self._catalog

    async def get_available_adapters(self, adapter_type: str | None = None) -> list[AdapterSummary]:
        """The adapters that are installed at the server, of one type or of all."""
        content = await self._ask("list_adapters", {"adapter_type": adapter_type})
        return self._checked("list_adapters", _SUMMARIES, content.get("result"))

    async def get_adapter_info(self, adapter_name: str) -> AdapterInfo:
        """One installed adapter, whole."""
        return await self._answer("get_adapter_info", _INFO, {"adapter_name": adapter_name})

    async def get_adapter_config(self, adapter_name: str) -> InstanceConfig:
        """The config of one instance, by its name: each value, secrets masked, references as they stand."""
        return await self._answer("get_adapter_config", _CONFIG, {"adapter_name": adapter_name})

    async def validate_adapter_config(self, adapter_name: str, config: Mapping[str, Any]) -> ConfigValidation:
        """Whether a config is right for an adapter; nothing is opened."""
        arguments = {"adapter_name": adapter_name, "config": dict(config)}
        return await self._answer("validate_adapter_config", _VALIDATION, arguments)

    async def test_adapter_connection(
        self, adapter_name: str, config: Mapping[str, Any] | None = None
    ) -> ConnectionTest:
        """Have the server test an instance's connection, by stages; with another config than the stored one, if one is given.

        It waits for `TEST_TIMEOUT` seconds.
        """
        arguments = {"adapter_name": adapter_name, "config": None if config is None else dict(config)}
        return await self._answer("test_adapter_connection", _CONNECTION_TEST, arguments, timeout=TEST_TIMEOUT)

    async def get_instance(self, name: str) -> Instance:
        """An instance as it is configured at the server, for an AdapterManager here; references are not resolved yet.

        Raises UnknownAdapter where its adapter isn't installed here, ClassRefused where the server names another class than
        the installed plugin, and ValueMasked where a value is needed that the server does not show.
        """
        config = await self.get_adapter_config(name)
        if config.instance != name:
            raise WrongAnswer(f"The MCP server {self.url} was asked for `{name}`, and answers with another instance.")
        instance = instance_of(config, self.url)
        spec = spec_of(instance, self.catalog)
        named = config.adapter_class or (await self.get_adapter_info(spec.name)).adapter_class
        if named != spec.adapter:
            sentence = (
                f"The MCP server {self.url} says that `{spec.name}` is the class {named[:200]!r}; the plugin here "
            )
            sentence += f"declares `{spec.adapter}`. Nothing was imported."
            hint = f"Install the same version of {spec.distribution} on both sides, or ask who runs that server."
            raise ClassRefused(sentence, adapter=name, hint=hint)
        return instance

    @overload
    async def load(self, name: str) -> Adapter: ...
    @overload
    async def load(self, name: str, contract: Callable[..., AdapterT]) -> AdapterT: ...
    async def load(self, name: str, contract: Callable[..., Adapter] = Adapter) -> Adapter:
        """The adapter of an instance, initialised here with its config from the server; the same at every call.

        The class is the installed plugin's. `contract` (QueueAdapter, …) is what it is expected to be. Raises as
        `get_instance` and `AdapterManager.get` do.
        """
        instance = await self.get_instance(name)
        if self._manager is None:
            self._manager = AdapterManager(ConfigStore({}, variables=self._variables), self.catalog)
        known = {**self._manager.config, name: instance}
        self._manager.config = ConfigStore(known, variables=self._variables)
        return await self._manager.get(name, contract)

    async def close(self) -> None:
        """Clean up what was loaded, and close the connection."""
        manager, self._manager = self._manager, None
        try:
            if manager is not None:
                await manager.close()
        finally:
            await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _answer(
        self, tool: str, form: TypeAdapter[AnswerT], arguments: Mapping[str, Any], *, timeout: float | None = None
    ) -> AnswerT:
        return self._checked(tool, form, await self._ask(tool, arguments, timeout=timeout))

    async def _ask(self, tool: str, arguments: Mapping[str, Any], *, timeout: float | None = None) -> Mapping[str, Any]:
        given = {name: value for name, value in arguments.items() if value is not None}
        content: Mapping[str, Any] = await self._connection.call(tool, given, timeout=timeout or self._timeout)
        return content

    def _checked(self, tool: str, form: TypeAdapter[AnswerT], content: object) -> AnswerT:
        try:
            return form.validate_python(content)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False, include_context=False)
            sentences = "; ".join(f"`{_path(fault['loc'])}`: {fault['type']}" for fault in faults[:_WORST])
            more = f"; and {len(faults) - _WORST} more" if len(faults) > _WORST else ""
            sentence = f"The answer of the MCP server {self.url} to `{tool}` hasn't its form: {sentences}{more}."
        hint = "Is it another version of oneiric-mcp than here?"
        raise WrongAnswer(sentence, hint=hint)  # out here, as pydantic's own error holds the answer


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part)[:100] for part in location)
