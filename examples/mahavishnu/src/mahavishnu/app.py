"""The orchestrator."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from oneiric.adapters.base import Adapter
from oneiric.adapters.messaging import MessageAdapter
from oneiric.adapters.queue import QueueAdapter
from oneiric.config import ConfigStore, Instance
from oneiric.discovery import discover
from oneiric.errors import ConfigError, ConnectionFailed, DeadlineExceeded, NotInitialized, Unsupported
from oneiric.lifecycle import AdapterManager
from oneiric_mcp.client import OneiricAdapterClient

from mahavishnu.known import Known, Snapshot, read_snapshot, write_snapshot
from mahavishnu.repositories import RepositoryAdapter
from mahavishnu.settings import MahavishnuSettings
from mahavishnu.sweep import Sweep, SweepReport

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    from oneiric.adapters.queue import TaskStatus
    from oneiric.discovery import Catalog

REPOSITORIES = "repositories"
MESSAGES = "mahavishnu:repositories"
"""The queue of the repository messages."""
CONTRACTS: Mapping[str, Callable[..., Adapter]] = {"queue": QueueAdapter, "messages": MessageAdapter}
"""What the attributes that the application uses itself must be; the adapters of others may be of any kind."""

_log = logging.getLogger("mahavishnu")


class MahavishnuApp:
    """Learns from an Oneiric MCP server which adapters there are, initialises those that its settings name, and sweeps.

    `async with MahavishnuApp() as app:` starts and closes it; then each adapter is an attribute: `app.queue`. The server is
    needed for the first start only: see `known`.
    """

    queue: QueueAdapter
    messages: MessageAdapter
    repositories: RepositoryAdapter

    def __init__(self, settings: MahavishnuSettings | None = None, *, catalog: Catalog | None = None) -> None:
        """Open nothing. Raises ConfigError for settings that can't be."""
        self.settings = settings or MahavishnuSettings()
        self._catalog = discover() if catalog is None else catalog
        self.client = OneiricAdapterClient(
            self.settings.oneiric_mcp_url,
            token=self.settings.oneiric_mcp_token,
            timeout=self.settings.mcp_timeout,
            catalog=self._catalog,
        )
        own = {"root": str(self.settings.repositories.root)}
        self._own = {REPOSITORIES: Instance(REPOSITORIES, "mahavishnu-repositories", own)}
        self._manager = AdapterManager(ConfigStore(self._own), self._catalog)
        self._known: Known | None = None
        self._has_idempotency = True
        """Until the message adapter says that it knows no such keys."""
        self._check()

    @property
    def known(self) -> Known:
        """What the server has last said, and whether that is stale. Raises NotInitialized before `start`."""
        if self._known is None:
            raise NotInitialized("The MCP server was not asked yet.", hint="Call `await app.start()`.")
        return self._known

    async def start(self) -> None:
        """Ask the server, and initialise every adapter that the settings name.

        Raises what `OneiricAdapterClient.get_instance` and `AdapterManager.get` do. Where the server can't be reached, what
        it has said before does, if there is a `cache`.
        """
        await self.refresh()
        for attribute, name in {**self.settings.adapters, REPOSITORIES: REPOSITORIES}.items():
            setattr(self, attribute, await self._manager.get(name, CONTRACTS.get(attribute, Adapter)))

    async def refresh(self) -> Known:
        """Ask the server again. Where it can't be reached, what is known stays, and is stale.

        What runs keeps the config that it was initialised with. Raises where the server can't be reached and nothing is known,
        and where its answer can't be used.
        """
        try:
            snapshot, failure = await self._ask(), None
        except (ConnectionFailed, DeadlineExceeded) as error:
            kept, failure = await self._kept(), error
            if kept is None:
                raise
            snapshot = kept
        self._known = Known(snapshot, failure)
        self._manager.config = ConfigStore({**snapshot.configured(), **self._own})
        return self._known

    async def close(self) -> None:
        """Clean all adapters up."""
        try:
            await self._manager.close()
        finally:
            await self.client.close()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def health(self) -> dict[str, bool]:
        """Whether each adapter works now, by its attribute."""
        names = {**self.settings.adapters, REPOSITORIES: REPOSITORIES}
        return {attribute: (await self._manager.health(name)).ok for attribute, name in names.items()}

    async def send_repository_message(
        self, repository: str, event: str, data: Mapping[str, Any] | None = None, *, once: str | None = None
    ) -> str:
        """Tell whoever listens to `mahavishnu:repositories` what has happened to a repository; returns the message's id.

        `once` is an idempotency key: told again with it, nobody hears it twice, where the adapter has such keys.
        """
        message = {"repository": repository, "event": event, "data": dict(data or {})}
        if once is not None and self._has_idempotency:
            try:
                return await self.messages.publish(MESSAGES, message, idempotency_key=once)
            except Unsupported:
                self._has_idempotency = False
        return await self.messages.publish(MESSAGES, message)

    async def start_sweep(self, sweep_id: str | None = None) -> Sweep:
        """Submit a task for each repository. With the id of a sweep that was begun, its tasks are not submitted twice."""
        repositories = await self.repositories.list_repositories()
        sweep = Sweep.over(sweep_id or uuid4().hex, repositories)
        await self.queue.submit_many(sweep.to_submit(self.settings.task_retries))
        return sweep

    async def poll(self, sweep: Sweep) -> SweepReport:
        """How the tasks of a sweep stand now."""
        statuses = await asyncio.gather(*map(self.queue.get_task_status, sweep.tasks.values()))
        return SweepReport(sweep.id, dict(zip(sweep.tasks, statuses, strict=True)))

    async def follow(self, sweep: Sweep) -> AsyncGenerator[tuple[str, TaskStatus]]:
        """Each repository of a sweep with its task's last status, as they end; who wants it to end sets a deadline.

        A queue that can't be reached for a while is asked again.
        """
        told: set[str] = set()
        while len(told) < len(sweep.tasks):
            try:
                report = await self.poll(sweep)
            except (ConnectionFailed, DeadlineExceeded) as error:
                _log.warning("The sweep %s can't be polled: %s", sweep.id, error)
            else:
                for path in (report.results.keys() | report.failures.keys()) - told:
                    told.add(path)
                    yield path, report.statuses[path]
            if len(told) < len(sweep.tasks):
                await asyncio.sleep(self.settings.poll_interval)

    async def sweep(self, sweep_id: str | None = None, *, timeout: float | None = None) -> SweepReport:
        """Sweep over all repositories, and send a message for each as its task ends. Raises DeadlineExceeded.

        Called again with the id of a sweep that was cut off, it finishes that one.
        """
        sweep = await self.start_sweep(sweep_id)
        report = SweepReport(sweep.id)
        try:
            async with asyncio.timeout(timeout):
                async for path, status in self.follow(sweep):
                    report.statuses[path] = status
                    data = {"sweep": sweep.id, "state": status["state"], "result": status.get("result")}
                    await self.send_repository_message(path, "swept", data, once=sweep.tasks[path])
        except TimeoutError:
            sentence = f"{len(report.statuses)} of {len(sweep.tasks)} tasks of the sweep {sweep.id} have ended in {timeout:g} s."
            hint = f"Look whether a worker runs. `sweep({sweep.id!r})` goes on with it."
            raise DeadlineExceeded(sentence, hint=hint) from None
        return report

    async def _ask(self) -> Snapshot:
        adapters = await self.client.get_available_adapters()
        names = sorted(set(self.settings.adapters.values()))
        instances = {name: await self.client.get_instance(name) for name in names}
        snapshot = Snapshot.of(self.client.url, adapters, instances)
        if self.settings.cache is not None:
            await asyncio.to_thread(self._keep, self.settings.cache, snapshot)
        return snapshot

    @staticmethod
    def _keep(file: Path, snapshot: Snapshot) -> None:
        try:
            write_snapshot(file, snapshot)
        except OSError as error:  # it serves a later start alone
            _log.warning("%s can't be written: %s.", file, error.strerror)

    async def _kept(self) -> Snapshot | None:
        if self._known is not None:
            return self._known.snapshot
        if self.settings.cache is None:
            return None
        return await asyncio.to_thread(read_snapshot, self.settings.cache, self.client.url)

    def _check(self) -> None:
        missing = CONTRACTS.keys() - self.settings.adapters.keys()
        taken = [name for name in self.settings.adapters if name == REPOSITORIES or hasattr(self, name)]
        if missing or taken:
            wrong = [f"`adapters.{name}` is needed" for name in sorted(missing)]
            wrong += [f"`adapters.{name}` is a name of the application's own" for name in sorted(taken)]
            raise ConfigError(f"The settings of Mahavishnu are wrong: {'; '.join(wrong)}.")
