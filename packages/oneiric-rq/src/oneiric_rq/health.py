"""How the broker and the workers are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric_rq import workers

if TYPE_CHECKING:
    from oneiric_rq.pool import Pool

_IN_MEMORY = " It has no append-only file: where it is restarted, tasks may be lost."


async def of(pool: Pool) -> str:
    """A sentence of a broker that answers. Raises what it fails with."""
    persistence = await pool.call("INFO", "persistence")
    found = len(await workers.names(pool))
    if not found:
        said = "The broker answers; no worker does, so tasks wait."
    else:
        said = f"The broker and {found} worker{'s' if found > 1 else ''} answer."
    return said + ("" if b"aof_enabled:1" in persistence else _IN_MEMORY)
