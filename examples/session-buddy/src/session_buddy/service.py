"""`session-buddy serve`: one request a line on standard input, one answer a line on standard output, both JSON.

A request is `{"id": 1, "do": "save", "text": "…"}`; its answer `{"id": 1, "answer": …}` or `{"id": 1, "error": "…"}`. Requests are
worked on side by side, so answers come in any order; those of a move are told in between, as `{"id": 1, "copied": …}`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from oneiric.config import ConfigStore
from oneiric.errors import OneiricError

from session_buddy.errors import StoreError

if TYPE_CHECKING:
    from session_buddy.buddy import SessionBuddy

_LONGEST_LINE = 2**20
_AT_ONCE = 64
"""How many requests are worked on; the others wait in the pipe."""


async def serve(buddy: SessionBuddy) -> None:
    """Answer until standard input ends; then finish what was begun."""
    reader = asyncio.StreamReader(limit=_LONGEST_LINE)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    places = asyncio.Semaphore(_AT_ONCE)
    async with asyncio.TaskGroup() as tasks:
        while line := await reader.readline():
            await places.acquire()
            tasks.create_task(_answer(buddy, line)).add_done_callback(lambda _: places.release())


async def _answer(buddy: SessionBuddy, line: bytes) -> None:
    number: Any = None
    try:
        request = json.loads(line)
        if not isinstance(request, dict):
            raise TypeError("A request should be a JSON object.")
        number = request.pop("id", None)
        _tell(id=number, answer=await _done(buddy, number, request.pop("do", None), request))
    except KeyError as error:
        _tell(id=number, error=f"{error} is missing.")
    except (OneiricError, StoreError, ValueError, TypeError) as error:  # InvalidReflection is a ValueError
        _tell(id=number, error=f"{type(error).__name__}: {error}")


async def _done(buddy: SessionBuddy, number: Any, what: object, values: dict[str, Any]) -> Any:
    match what:
        case "save":
            return (
                await buddy.save(values.pop("text"), values.pop("tags", ()), id=values.pop("key", None), **values)
            ).as_json()
        case "search":
            return [asdict(found) for found in await buddy.search(values.pop("text"), **values)]
        case "latest":
            return [reflection.as_json() for reflection in await buddy.latest(**values)]
        case "count":
            return await buddy.count()
        case "move":
            configs = configs_of(values["to"], buddy)
            return await buddy.move(configs, on_copied=lambda name, copied: _tell(id=number, copied=copied, of=name))
    raise ValueError("`do` should be save, search, latest, count or move.")


def configs_of(path: str, buddy: SessionBuddy) -> dict[str, dict[str, Any]]:
    """The configs that a file, which is as oneiric.yaml is, has for the store's instances."""
    store = ConfigStore.load(path)
    return {name: {"adapter": store[name].adapter, **store[name].values} for name in buddy.names if name in store}


def _tell(**message: Any) -> None:
    print(json.dumps(message), flush=True)
