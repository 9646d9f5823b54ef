"""What the broker does in one step, so that nothing of it is ever half done."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha1
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError

if TYPE_CHECKING:
    from oneiric_rq.connection import Command
    from oneiric_rq.pool import Pool


@dataclass(frozen=True, slots=True)
class Script:
    """A script in Lua; its first words go to the broker once, and from then on only its digest."""

    text: str
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", sha1(self.text.encode(), usedforsecurity=False).hexdigest())

    async def run(self, pool: Pool, keys: list[str], arguments: Command) -> Any:
        """Run it alone. Where the broker doesn't know it, nothing was done, and it is told the whole of it."""
        try:
            return await pool.call(*self.by_digest(keys, arguments))
        except NoScriptError:
            return await pool.call(*self.in_full(keys, arguments))

    def by_digest(self, keys: list[str], arguments: Command) -> Command:
        """The command, for a broker that knows the script."""
        return ("EVALSHA", self.digest, len(keys), *keys, *arguments)

    def in_full(self, keys: list[str], arguments: Command) -> Command:
        """The command, for a broker that needn't know it."""
        return ("EVAL", self.text, len(keys), *keys, *arguments)


SUBMIT = Script(
    """
-- KEYS: the job, the set of queues, the list or sorted set that the id is put into
-- ARGV: id, the queue's key, time for a sorted set or '', milliseconds at which the job expires or '', the job's fields
if redis.call('HEXISTS', KEYS[1], 'data') == 1 then
    return 0
end
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
if ARGV[4] ~= '' then
    redis.call('PEXPIREAT', KEYS[1], ARGV[4])
end
redis.call('SADD', KEYS[2], ARGV[2])
if ARGV[3] == '' then
    redis.call('RPUSH', KEYS[3], ARGV[1])
else
    redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
end
return 1
"""
)
"""Submits a task, unless there is one of its id: 1 where it was, 0 where not."""

SUBMIT_AFTER = Script(
    """
-- KEYS: the job, the set of queues, the queue, the deferred ones, the tasks that it waits for (a set)
-- ARGV: id, now in seconds, prefix of jobs, whether the others may fail, their number, their ids, the job's fields
if redis.call('HEXISTS', KEYS[1], 'data') == 1 then
    return 0
end
local last = 5 + tonumber(ARGV[5])
local waits = false
for position = 6, last do
    local status = redis.call('HGET', ARGV[3] .. ARGV[position], 'status')
    if not status then
        return -1
    end
    if status ~= 'finished' and not (status == 'failed' and ARGV[4] == '1') then
        waits = true
    end
end
redis.call('HSET', KEYS[1], unpack(ARGV, last + 1))
redis.call('SADD', KEYS[2], KEYS[3])
if not waits then
    redis.call('RPUSH', KEYS[3], ARGV[1])
    return 1
end
redis.call('HSET', KEYS[1], 'status', 'deferred')
redis.call('ZADD', KEYS[4], ARGV[2], ARGV[1])
for position = 6, last do
    redis.call('SADD', ARGV[3] .. ARGV[position] .. ':dependents', ARGV[1])
    redis.call('SADD', KEYS[5], ARGV[position])
end
return 1
"""
)
"""Submits a task that waits for others: 1, 0 where there is one of its id, -1 where one of them is unknown."""

CANCEL = Script(
    """
-- KEYS: the job
-- ARGV: id, prefix, whether to stop it where it runs, now in seconds, seconds that it is remembered
local known = redis.call('HMGET', KEYS[1], 'data', 'status', 'origin', 'worker_name', 'rate_limit_key')
local status, origin, prefix = known[2], known[3] or '', ARGV[2]
if not known[1] or not status then
    return 'unknown'
elseif status == 'canceled' then
    return 'prevented'
elseif status == 'stopped' then
    return 'stopped'
elseif status == 'started' then
    local order = cjson.encode({command = 'stop-job', job_id = ARGV[1]})
    if ARGV[3] == '1' and redis.call('PUBLISH', prefix .. ':pubsub:' .. (known[4] or ''), order) > 0 then
        return 'stopped'
    end
    return 'too_late'
elseif status == 'finished' or status == 'failed' then
    return 'too_late'
end
local is_due = false
if status == 'queued' then
    if redis.call('LREM', prefix .. ':queue:' .. origin, 0, ARGV[1]) == 0 then
        return 'starting'
    end
elseif status == 'scheduled' then
    local time = redis.call('ZSCORE', prefix .. ':scheduled:' .. origin, ARGV[1])
    is_due = time and tonumber(time) <= tonumber(ARGV[4]) + 1
    redis.call('ZREM', prefix .. ':scheduled:' .. origin, ARGV[1])
elseif status == 'deferred' then
    redis.call('ZREM', prefix .. ':deferred:' .. origin, ARGV[1])
elseif status == 'ready_to_enqueue' then
    redis.call('ZREM', prefix .. ':ready:' .. origin, ARGV[1])
elseif status == 'rate_limited' then
    redis.call('ZREM', prefix .. ':rl:' .. (known[5] or '') .. ':rate_limited', ARGV[1])
end
redis.call('HSET', KEYS[1], 'status', 'canceled')
redis.call('ZADD', prefix .. ':canceled:' .. origin, ARGV[4], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[5])
return is_due and 'again' or 'prevented'
"""
)
"""Cancels a task. `starting`: a worker has taken it, and doesn't say yet that it runs it. `again`: it was prevented, but a
scheduler, whose time for it has come, may be about to put it back: ask again in a moment."""
