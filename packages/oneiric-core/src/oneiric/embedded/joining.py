"""Joining an embedded server, which starts with its first member and ends with its last."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from oneiric.adapters.cancellation import undisturbed
from oneiric.embedded.home import Home
from oneiric.embedded.lock import Lock, is_held
from oneiric.embedded.place import Place
from oneiric.errors import ConnectionFailed, DeadlineExceeded, Unsupported
from oneiric.masking import without_passwords

if TYPE_CHECKING:
    from oneiric.embedded.engine import Engine, Plan

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "SYSTEMROOT")
"""What a Python may need to start. Nothing else of the environment goes to a server that outlives us: it may hold secrets."""
_TO_START_A_PROCESS = 20.0
_SHORTEST_PAUSE = 0.005
_LONGEST_PAUSE = 0.05
"""Seconds between two looks at a server that is starting, which nothing tells us of."""


class Member:
    """One who uses an embedded server. The server runs as long as there is a member, on whatever the last one was killed by.

    It belongs to no event loop. A child made by fork is a member together with its parent, until both have left or ended.
    """

    def __init__(self, url: str, home: Home, plan: Plan, share: Lock) -> None:
        self.url = url
        """What the driver connects to."""
        self._home = home
        self._plan = plan
        self._share = share

    async def leave(self) -> None:
        """Leave; the server ends soon after its last member has left. Idempotent."""
        if self._share.is_closed:
            return
        try:
            with suppress(OSError):  # somebody has removed the directory
                if not is_held(self._home.supervisor):  # it was killed, and nobody else would end the server
                    await _supervise(self._home, self._plan)
        finally:
            self._share.close()


class _Gone(Exception):
    """The home was removed, as its server has ended, while we were about to join."""


async def join(url: str, engine: Engine, *, timeout: float = 30.0) -> Member:
    """Become a member of the server of that `embedded:` URL, which is started if it isn't up.

    Raises ConfigError for a wrong URL or a directory of something else, AdapterUnavailable without the engine's wheel,
    ConnectionFailed with the end of the server's log, DeadlineExceeded after `timeout` seconds, Unsupported on Windows. Where
    it raises, or is cancelled, what it has begun ends by itself.
    """
    place = Place.parse(url)
    if sys.platform == "win32":
        raise Unsupported("Embedded servers don't run on Windows.", hint="Use WSL, or the URL of a server.")
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            while True:
                with suppress(_Gone):
                    return await _join(place, engine)
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise DeadlineExceeded(
            f"The embedded {engine.name} server wasn't up within {timeout:g} s.",
            hint="Give it more time, or look into its `server.log`.",
        ) from error


async def _join(place: Place, engine: Engine) -> Member:
    home = Home(place, engine)
    plan = engine.plan(home)  # before anything is made: it may refuse
    home.make()
    with _opened(home.starting) as starting:
        await starting.alone()
        if not starting.is_current():
            raise _Gone
        share = _opened(home.members)
        try:
            is_new = await _take_part(home, share)
            if not share.is_current():
                raise _Gone
            home.claim()
            await _ensure_up(home, engine, plan, is_new=is_new)
        except _Gone:
            share.close()
            raise
        except BaseException:
            try:
                if not home.is_kept and share.try_alone() and not (is_held(home.supervisor) or is_held(home.server)):
                    await undisturbed(asyncio.to_thread(home.remove))  # nobody else will
            finally:
                share.close()
            raise
        return Member(engine.url(home.run), home, plan, share)


def _opened(path: Path) -> Lock:
    try:
        return Lock(path)
    except FileNotFoundError:
        raise _Gone from None


async def _take_part(home: Home, share: Lock) -> bool:
    """Become a member; returns whether it is the first, of data that isn't kept.

    Waits while a supervisor that has found no member left ends its server. Data that isn't kept belongs to those who were
    members at a time: where they have left and the supervisor hasn't noticed yet, it is let do so.
    """
    is_first = not home.is_kept and share.try_alone()
    if is_first:
        with _opened(home.supervisor) as supervisor:
            if not supervisor.try_shared():
                share.close()
                await supervisor.alone()
                raise _Gone
    await share.shared()
    return is_first


async def _ensure_up(home: Home, engine: Engine, plan: Plan, *, is_new: bool) -> None:
    """See that the server is up, and has a supervisor."""
    if is_new:
        shutil.rmtree(home.run, ignore_errors=True)  # whatever listens there is not ours
        await _supervise(home, plan, is_new=True)
    started = is_new
    pause = _SHORTEST_PAUSE
    while not (await engine.is_up(home.run) and is_held(home.supervisor)):
        if not is_held(home.supervisor):
            if started and not is_held(home.server):  # else it was killed, and has left something that runs
                raise _failed(home)
            await _supervise(home, plan)
            started = True
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _failed(home: Home) -> ConnectionFailed:
    said = without_passwords(home.last_words()) or "(nothing)"
    return ConnectionFailed(
        f"The embedded {home.engine} server in {str(home.directory)!r} ended at its start. The end of its log:\n{said}\n",
        hint="Mend what the log says, and try again.",
        transient=False,
    )


async def _supervise(home: Home, plan: Plan, *, is_new: bool = False) -> None:
    """Start a supervisor, unless there is one: it starts the server, or adopts the one that runs. Never half-way."""
    what = {
        **asdict(plan),
        "run": str(home.run),
        "is_kept": home.is_kept,
        "is_new": is_new,
    }
    try:
        await undisturbed(asyncio.to_thread(_spawn, home, json.dumps(what)))
    except (OSError, subprocess.SubprocessError) as error:
        raise ConnectionFailed(
            f"The supervisor of the embedded {home.engine} server can't be started: {type(error).__name__}.",
            hint=f"Look into {str(home.log)!r}.",
            transient=False,
        ) from error


def _spawn(home: Home, plan: str) -> None:
    with home.log.open("ab") as log:
        subprocess.run(  # noqa: S603 - this Python, and a program of our own
            [sys.executable, "-I", "-S", str(_SUPERVISOR), str(home.directory)],
            input=plan.encode(),
            stdout=log,
            stderr=log,
            cwd="/",
            env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
            start_new_session=True,
            timeout=_TO_START_A_PROCESS,
            check=True,
        )
