"""How the broker and the workers are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis.exceptions import ResponseError

from oneiric_rq import workers
from oneiric_rq.pool import unless_refused

if TYPE_CHECKING:
    from oneiric_rq.pool import Pool

_IN_MEMORY = " It has no append-only file: where it is restarted, tasks may be lost."


async def of(pool: Pool) -> str:
    """A sentence of a broker that answers. Raises what it fails with."""
    answer, persistence = await pool.exchange([("PING",), ("INFO", "persistence")])
    unless_refused(answer)
    try:
        found = len(await workers.names(pool))
    except ResponseError:
        return "The broker answers; this user may not ask it for workers."
    if not found:
        said = "The broker answers; no worker does, so tasks wait."
    else:
        said = f"The broker and {found} worker{'s' if found > 1 else ''} answer."
    return said + (_IN_MEMORY if isinstance(persistence, bytes) and b"aof_enabled:0" in persistence else "")
