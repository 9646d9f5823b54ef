"""The workers that answer now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.adapters.queue import WorkerInfo

from oneiric_rq import keys
from oneiric_rq.pool import unless_refused

if TYPE_CHECKING:
    from oneiric_rq.pool import Pool


async def names(pool: Pool) -> list[str]:
    """The names of the workers that listen for commands, in order: one that was killed stays registered for minutes."""
    registered = sorted(key.decode(errors="replace") for key in await pool.call("SMEMBERS", keys.WORKERS))
    known = [key.removeprefix(keys.WORKER) for key in registered]
    if not known:
        return []
    listening = await pool.call("PUBSUB", "NUMSUB", *(keys.commands(name) for name in known))
    return [name for name, number in zip(known, listening[1::2], strict=True) if number]


async def infos(pool: Pool) -> list[WorkerInfo]:
    """What each of them serves and runs."""
    found = await names(pool)
    if not found:
        return []
    questions = [(("HGET", f"{keys.WORKER}{name}", "queues"), _running(name)) for name in found]
    replies = [unless_refused(reply) for reply in await pool.exchange([each for pair in questions for each in pair])]
    return [
        WorkerInfo(
            name=name,
            queues=[queue for queue in (queues or b"").decode().split(",") if queue],
            running=sorted(execution.decode().partition(":")[0] for execution in running),
        )
        for name, queues, running in zip(found, replies[::2], replies[1::2], strict=True)
    ]


def _running(name: str) -> tuple[str, str]:
    return "SMEMBERS", keys.executions(f"{keys.WORKER}{name}")
