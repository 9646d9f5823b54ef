"""Where the broker and the result backend are, once those that are embedded run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from oneiric.embedded import join
from oneiric.embedded.valkey import ValkeyEngine

from oneiric_celery.urls import server

if TYPE_CHECKING:
    from oneiric.embedded import Member

    from oneiric_celery.urls import Server


@dataclass(frozen=True, slots=True)
class Homes:
    """The servers, as they are connected to, and our memberships in those that are embedded."""

    broker: Server
    backend: Server
    members: tuple[Member, ...] = ()

    @classmethod
    async def enter(cls, broker: Server, backend: Server, seconds: float) -> Self:
        """Join what is embedded. Raises what `oneiric.embedded.join` does."""
        found: dict[Server, Server] = {}
        members: list[Member] = []
        try:
            for each in (broker, backend):
                if each.scheme == "embedded" and each not in found:
                    members.append(await join(each.path, ValkeyEngine("oneiric-celery"), timeout=seconds))
                    found[each] = server(members[-1].url)
        except BaseException:
            for member in members:
                await member.leave()
            raise
        return cls(found.get(broker, broker), found.get(backend, backend), tuple(members))

    async def leave(self) -> None:
        """Leave what is embedded; a server ends with the last who leaves it."""
        for member in self.members:
            await member.leave()
