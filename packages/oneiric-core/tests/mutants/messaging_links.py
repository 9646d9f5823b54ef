"""Message buses behind a link, right and wrong: a memory bus that asks a server on the network before it gives or takes."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from oneiric.adapters.targets import Endpoint, Targets
from oneiric.errors import ConnectionFailed, DeadlineExceeded
from oneiric.testing import patience
from oneiric.testing.memory import MemoryMessaging
from oneiric.testing.memory.messaging import CAPABILITIES, SPEC, MemoryMessagingSettings

from mutants.echo import Connection, Server
from mutants.harness import Mutant

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping

    from oneiric.adapters.messaging.base import Callback, Message
    from oneiric.spec import AdapterSpec

patience.PATIENCE = 6.0  # before the suite takes it: what a mutant never does isn't waited for as long
from test_memory_messaging import TestMemoryMessaging  # noqa: E402


class LinkedSettings(MemoryMessagingSettings):
    url: str
    timeout: float = 5.0

    def targets(self) -> Targets:
        return Targets(endpoints=(self.endpoint,))

    @property
    def endpoint(self) -> Endpoint:
        host, _, port = self.url.removeprefix("echo://").rpartition(":")
        return Endpoint(host, int(port))


class Linked(MemoryMessaging):
    """The right one."""

    settings_class = LinkedSettings
    settings: LinkedSettings

    async def publish_many(self, queue: str, messages: Iterable[Any], *, timeout: float | None = None) -> list[str]:
        await self.asked(timeout)
        return await super().publish_many(queue, messages)

    async def consume(self, queue: str, callback: Callback, **options: Any) -> None:
        async def given(message: Message) -> None:
            await self.until_asked()
            await callback(message)

        await super().consume(queue, given, **options)

    async def subscribe(self, queue: str, **options: Any) -> AsyncGenerator[Message]:
        async for message in super().subscribe(queue, **options):
            await self.until_asked()
            yield message

    async def until_asked(self) -> None:
        """Try until it works."""
        is_asked = False
        while self._log is not None and not is_asked:
            try:
                await self.asked(0.5)
                is_asked = True
            except (ConnectionFailed, DeadlineExceeded):
                await asyncio.sleep(0.05)

    async def asked(self, timeout: float | None) -> None:
        """One question over a connection of its own."""
        connection: Connection | None = None
        try:
            async with asyncio.timeout(self.settings.timeout if timeout is None else timeout):
                connection = await Connection.open(self.settings.endpoint.host, self.settings.endpoint.port)
        except TimeoutError as error:
            raise DeadlineExceeded("It did not answer in time.", adapter=self.name) from error
        except OSError as error:
            raise ConnectionFailed("It can't be reached.", adapter=self.name) from error
        finally:
            if connection is not None:
                connection.close()


class TestLinked(TestMemoryMessaging):
    @pytest.fixture
    def spec(self) -> AdapterSpec:
        return dataclasses.replace(SPEC, adapter=f"{__name__}:Linked", settings=LinkedSettings)

    @pytest.fixture
    def config(self) -> Iterator[Mapping[str, Any]]:
        with Server() as port:
            yield {"url": f"echo://127.0.0.1:{port}", "broker": uuid4().hex}


class TestLinkedAtMostOnce(TestLinked):
    @pytest.fixture
    def config(self) -> Iterator[Mapping[str, Any]]:
        with Server() as port:
            yield {"url": f"echo://127.0.0.1:{port}", "broker": uuid4().hex, "without": CAPABILITIES}


class EndsWhereItsLinkBreaks(Linked):
    """Consuming raises what the link did."""

    async def consume(self, queue: str, callback: Callback, **options: Any) -> None:
        consuming = asyncio.ensure_future(MemoryMessaging.consume(self, queue, callback, **options))
        try:
            while not consuming.done():
                await asyncio.wait([consuming], timeout=0.05)
                await self.asked(0.5)
        finally:
            consuming.cancel()
            await asyncio.wait([consuming])


class DropsWhatComesWhileItsLinkIsBroken(Linked):
    """Though it says that it is at-least-once."""

    async def consume(self, queue: str, callback: Callback, **options: Any) -> None:
        async def given(message: Message) -> None:
            try:
                await self.asked(0.5)
            except (ConnectionFailed, DeadlineExceeded):
                return
            await callback(message)

        await MemoryMessaging.consume(self, queue, given, **options)


class NeverLinksAgain(Linked):
    """A link that broke stays so."""

    is_broken = False

    async def until_asked(self) -> None:
        try:
            await self.asked(0.5)
        except (ConnectionFailed, DeadlineExceeded):
            self.is_broken = True
        if self.is_broken:
            await asyncio.Event().wait()


class EndsItsSubscriptionsWithItsLink(Linked):
    """As if it had been cleaned up."""

    async def subscribe(self, queue: str, **options: Any) -> AsyncGenerator[Message]:
        async for message in MemoryMessaging.subscribe(self, queue, **options):
            try:
                await self.asked(0.5)
            except (ConnectionFailed, DeadlineExceeded):
                return
            yield message


class WaitsForItsLinkToEnd(Linked):
    """To say that it leaves."""

    async def consume(self, queue: str, callback: Callback, **options: Any) -> None:
        try:
            await super().consume(queue, callback, **options)
        finally:
            while True:
                try:
                    await self.asked(0.5)
                    break
                except (ConnectionFailed, DeadlineExceeded):
                    await asyncio.sleep(0.05)


MUTANTS = [
    Mutant(EndsWhereItsLinkBreaks, TestLinked, "test_a_consumer_goes_on_when_the_network_does"),
    Mutant(DropsWhatComesWhileItsLinkIsBroken, TestLinked, "test_a_consumer_goes_on_when_the_network_does"),
    Mutant(NeverLinksAgain, TestLinkedAtMostOnce, "test_a_consumer_goes_on_when_the_network_does"),
    Mutant(EndsItsSubscriptionsWithItsLink, TestLinkedAtMostOnce, "test_a_subscription_goes_on_when_the_network_does"),
    Mutant(WaitsForItsLinkToEnd, TestLinked, "test_a_consumer_ends_while_the_network_fails"),
]
