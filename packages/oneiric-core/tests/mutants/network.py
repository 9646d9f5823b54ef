"""Wrong adapters of a backend on the network."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from oneiric import Health
from oneiric.errors import ConnectionFailed, DeadlineExceeded
from oneiric.testing import concurrency, held, resilience

from mutants.echo import POOL, Connection, Echo, EchoSettings, TestEcho
from mutants.harness import Mutant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# What a mutant never does isn't waited for as long.
resilience._COMES_BACK_WITHIN = 5.0
concurrency._PATIENCE = 10.0
held._SETTLES_WITHIN = 1.0


class SwallowsACancel(Echo):
    async def ask(self, line: str, *, timeout: float | None = None) -> str:
        try:
            return await super().ask(line, timeout=timeout)
        except asyncio.CancelledError:
            return line


class KeepsTheConnectionOfACancelledCall(Echo):
    def discard(self, connection: Connection) -> None:
        self.release(connection)


class LeaksAConnection(Echo):
    leaked: list[Connection] = []

    async def cleanup(self) -> None:
        self.leaked += self._idle or []
        self._idle = None


class LeaksATask(Echo):
    async def init(self) -> None:
        await super().init()
        self._heart = asyncio.ensure_future(asyncio.sleep(1e6))


class LeaksAThread(Echo):
    stop = threading.Event()

    async def init(self) -> None:
        await super().init()
        threading.Thread(target=self.stop.wait, daemon=True).start()


class OpensAnotherConnectionAtTheSecondInit(Echo):
    opened: list[Connection] = []

    async def init(self) -> None:
        await super().init()
        self.opened.append(await self.connect())

    async def cleanup(self) -> None:
        await super().cleanup()
        for connection in self.opened:
            connection.close()
        self.opened.clear()


class OpensOneForEachTaskThatInitialises(Echo):
    async def init(self) -> None:
        if self._idle is None:
            first = await self.connect()
            self._idle, self._turns = [first], asyncio.Semaphore(POOL)


class BlocksTheLoop(Echo):
    async def ask(self, line: str, *, timeout: float | None = None) -> str:
        time.sleep(0.03)  # noqa: ASYNC251 - that is what is wrong with it
        return await super().ask(line, timeout=timeout)


class HealthHangs(Echo):
    async def health(self) -> Health:
        if self._idle is None:
            return Health(False)
        connection = await self.connect()
        try:
            await connection.ask("hello")
        finally:
            connection.close()
        return Health(True)


class HealthSaysYes(Echo):
    async def health(self) -> bool:
        return True


class HealthIsOnlyWhetherItWasOpened(Echo):
    async def health(self) -> bool:
        return self._idle is not None


class CleanupNeedsAnInit(Echo):
    async def cleanup(self) -> None:
        assert self._idle is not None
        await super().cleanup()


class RaisesWhatTheDriverDoes(Echo):
    @asynccontextmanager
    async def _translated(self, timeout: float | None = None) -> AsyncIterator[None]:
        async with asyncio.timeout(self.settings.timeout if timeout is None else timeout):
            yield


class SaysThatNothingIsTransient(Echo):
    @asynccontextmanager
    async def _translated(self, timeout: float | None = None) -> AsyncIterator[None]:
        try:
            async with super()._translated(timeout):
                yield
        except (ConnectionFailed, DeadlineExceeded) as error:
            error.transient = False
            raise


class ForgetsItsName(Echo):
    @asynccontextmanager
    async def _translated(self, timeout: float | None = None) -> AsyncIterator[None]:
        try:
            async with super()._translated(timeout):
                yield
        except (ConnectionFailed, DeadlineExceeded) as error:
            error.adapter = None
            raise


class HasNoDeadline(Echo):
    @asynccontextmanager
    async def _translated(self, timeout: float | None = None) -> AsyncIterator[None]:
        try:
            yield
        except OSError as error:
            raise ConnectionFailed("The service can't be reached.", adapter=self.name) from error


class NeverReconnects(Echo):
    async def ask(self, line: str, *, timeout: float | None = None) -> str:
        if self._idle is None:
            raise self.not_initialized()
        async with self._translated(), self._turns:
            if not self._idle:
                raise ConnectionRefusedError
            return await self._idle[0].ask(line)


class WorksBeforeInit(Echo):
    async def ask(self, line: str, *, timeout: float | None = None) -> str:
        self._turns = self.__dict__.get("_turns") or asyncio.Semaphore(POOL)
        self._idle = [] if self._idle is None else self._idle
        return await super().ask(line, timeout=timeout)


class TokenSettings(EchoSettings):
    token: str = "none"  # type: ignore[assignment]
    """What it would ask for, in plain sight."""


class HasAPlainToken(Echo):
    settings_class = TokenSettings


class BareSettings(EchoSettings):
    retries: int = 3


class DescribesNothing(Echo):
    settings_class = BareSettings


class TakesOtherSettings(Echo):
    settings_class = BareSettings


class IgnoresTheTimeoutThatItIsGiven(Echo):
    async def ask(self, line: str, *, timeout: float | None = None) -> str:
        return await super().ask(line)


class ShowsItsTokenInItsHealth(Echo):
    async def health(self) -> Health:
        health = await super().health()
        return health or Health(False, f"{health.detail} The token was {self.settings.token.get_secret_value()}.")


class ShowsItsTokenInItsErrors(Echo):
    async def init(self) -> None:
        try:
            await super().init()
        except ConnectionFailed as error:
            error.hint = f"Is {self.settings.token.get_secret_value()} right?"
            raise


class BreaksCallsThatItIsCleanedUpBeside(Echo):
    """Whoever gives its connection back finds nothing there to give it to."""

    def release(self, connection: Connection) -> None:
        self._idle.append(connection)  # type: ignore[union-attr]


class KeepsTheConnectionsOfCallsThatItIsCleanedUpBeside(Echo):
    kept: list[Connection] = []

    def release(self, connection: Connection) -> None:
        (self.kept if self._idle is None else self._idle).append(connection)


class WaitsForEverForTheCallsUnderWay(Echo):
    """By taking all turns; a call that has them waits for one."""

    async def cleanup(self) -> None:
        if self._idle is not None and self._turns.locked():
            await asyncio.Event().wait()
        await super().cleanup()


class IsInitialisedOnlyOnce(Echo):
    was_open = False

    async def init(self) -> None:
        if not self.was_open:
            await super().init()
        self.was_open = True


class ClosesOnTheFirstErrorForGood(Echo):
    def discard(self, connection: Connection) -> None:
        super().discard(connection)
        self._idle = None


class OpensInItsConstructor(Echo):
    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self.thread = threading.Thread(target=LeaksAThread.stop.wait, daemon=True)
        self.thread.start()


class RefusesAllAsNotInitialised(Echo):
    """Of whatever instance it is."""

    def not_initialized(self) -> Any:
        error = super().not_initialized()
        error.adapter = None
        return error


MUTANTS = [
    Mutant(SwallowsACancel, TestEcho, "test_a_call_that_is_cancelled_where_it_waits_ends_as_cancelled"),
    Mutant(
        KeepsTheConnectionOfACancelledCall,
        TestEcho,
        "test_a_call_that_is_cancelled_where_it_waits_leaves_the_adapter_usable",
    ),
    Mutant(LeaksAConnection, TestEcho, "test_twenty_lives_leave_nothing_behind"),
    Mutant(LeaksATask, TestEcho, "test_twenty_lives_leave_nothing_behind"),
    Mutant(LeaksAThread, TestEcho, "test_twenty_lives_leave_nothing_behind"),
    Mutant(OpensAnotherConnectionAtTheSecondInit, TestEcho, "test_init_a_second_time_opens_nothing_more"),
    Mutant(OpensOneForEachTaskThatInitialises, TestEcho, "test_init_by_many_tasks_at_once_opens_one"),
    Mutant(BlocksTheLoop, TestEcho, "test_the_event_loop_does_not_stand_still"),
    Mutant(HealthHangs, TestEcho, "test_health_is_no_while_the_network_fails_and_yes_again_after_it"),
    Mutant(
        HealthIsOnlyWhetherItWasOpened, TestEcho, "test_health_is_no_while_the_network_fails_and_yes_again_after_it"
    ),
    Mutant(HealthSaysYes, TestEcho, "test_health_is_no_before_init_and_after_cleanup"),
    Mutant(CleanupNeedsAnInit, TestEcho, "test_cleanup_after_an_init_that_failed_does_nothing"),
    Mutant(RaisesWhatTheDriverDoes, TestEcho, "test_an_init_that_fails_says_so_with_an_error_of_ours"),
    Mutant(
        SaysThatNothingIsTransient,
        TestEcho,
        "test_a_call_over_a_network_that_fails_ends_in_time_with_a_transient_error",
    ),
    Mutant(ForgetsItsName, TestEcho, "test_an_init_that_fails_says_so_with_an_error_of_ours"),
    Mutant(HasNoDeadline, TestEcho, "test_a_call_over_a_network_that_fails_ends_in_time_with_a_transient_error"),
    Mutant(NeverReconnects, TestEcho, "test_the_adapter_works_again_when_the_network_does"),
    Mutant(IgnoresTheTimeoutThatItIsGiven, TestEcho, "test_a_call_ends_at_the_timeout_that_it_is_given"),
    Mutant(ShowsItsTokenInItsHealth, TestEcho, "test_health_is_no_while_the_network_fails_and_yes_again_after_it"),
    Mutant(ShowsItsTokenInItsErrors, TestEcho, "test_an_init_that_fails_says_so_with_an_error_of_ours"),
    Mutant(BreaksCallsThatItIsCleanedUpBeside, TestEcho, "test_a_cleanup_beside_calls_ends_and_so_do_they"),
    Mutant(
        KeepsTheConnectionsOfCallsThatItIsCleanedUpBeside, TestEcho, "test_a_cleanup_beside_calls_ends_and_so_do_they"
    ),
    Mutant(WaitsForEverForTheCallsUnderWay, TestEcho, "test_a_cleanup_beside_calls_ends_and_so_do_they"),
    Mutant(IsInitialisedOnlyOnce, TestEcho, "test_an_adapter_that_was_cleaned_up_works_again_after_another_init"),
    Mutant(ClosesOnTheFirstErrorForGood, TestEcho, "test_the_adapter_works_again_when_the_network_does"),
    Mutant(OpensInItsConstructor, TestEcho, "test_an_adapter_that_was_made_has_opened_nothing"),
    Mutant(RefusesAllAsNotInitialised, TestEcho, "test_calls_before_init_raise_not_initialized"),
    Mutant(HasAPlainToken, TestEcho, "test_secrets_are_of_a_secret_type", {"settings": TokenSettings}),
    Mutant(DescribesNothing, TestEcho, "test_every_setting_has_a_description", {"settings": BareSettings}),
    Mutant(TakesOtherSettings, TestEcho, "test_the_class_takes_the_settings_that_the_spec_declares"),
]
