"""What has to happen in one step on the server, in its Lua."""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING, Any

from oneiric.errors import OneiricError
from redis.exceptions import NoScriptError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oneiric_redis_pubsub.line import Line
    from oneiric_redis_pubsub.wire import Command


class Script:
    """A script, which the server knows by its hash once it has seen it."""

    def __init__(self, *parts: str) -> None:
        self._text = "\n".join(parts)
        self._hash = sha1(self._text.encode()).hexdigest()  # noqa: S324 - the server's own name for it

    def command(self, keys: Sequence[str], arguments: Sequence[Any]) -> Command:
        """The command that runs it, where the server knows it."""
        return ("EVALSHA", self._hash, len(keys), *keys, *arguments)

    async def run(self, line: Line, keys: Sequence[str], arguments: Sequence[Any], timeout: float | None = None) -> Any:
        """What it returns. A server that doesn't know it has done nothing, and is sent the whole."""
        try:
            return await line.call(*self.command(keys, arguments), timeout=timeout)
        except OneiricError as error:
            if not isinstance(error.__cause__, NoScriptError):
                raise
        return await line.call("EVAL", self._text, len(keys), *keys, *arguments, timeout=timeout)


_FIELD = """
local function field(fields, name)
  for at = 1, #fields, 2 do
    if fields[at] == name then return fields[at + 1] end
  end
end
"""

_PENDING = """
local function pending(stream, group, id)
  return redis.call('XPENDING', stream, group, id, id, 1)[1]
end
"""

_DONE = """
-- Acknowledge a message, and take the one of its key that has waited for it: {id, fields, deliveries}, or nothing.
local function done(stream, tries, followers, group, consumer, id)
  redis.call('XACK', stream, group, id)
  redis.call('HDEL', tries, id)
  local follower = redis.call('HGET', followers, id)
  if not follower then return {} end
  redis.call('HDEL', followers, id)
  local waiting = pending(stream, group, follower)
  if not waiting then return {} end
  local entry = redis.call('XCLAIM', stream, group, consumer, 0, follower, 'RETRYCOUNT', waiting[4])[1]
  if not entry then return {} end
  return {entry[1], entry[2], waiting[4], redis.call('HGET', tries, follower)}
end
"""

PUBLISH = Script(
    """
-- KEYS: stream, tail, latest, ages. ARGV: channel, group to be made, what idempotency keys begin with, how long they are
-- remembered; then body, headers, key and idempotency key of each message. Returns the ids.
local ids, before = {}, redis.call('GET', KEYS[2]) or ''
if ARGV[2] ~= '' then redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[2], '0', 'MKSTREAM') end
for at = 5, #ARGV, 4 do
  local body, headers, key, once = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local id = once ~= '' and redis.call('GET', ARGV[3] .. once)
  if not id then
    local fields = {'body', body}
    if headers ~= '' then fields[3], fields[4] = 'headers', headers end
    if key ~= '' then
      fields[#fields + 1], fields[#fields + 2] = 'key', key
      local after = redis.call('HGET', KEYS[3], key)
      if after then fields[#fields + 1], fields[#fields + 2] = 'after', after end
    end
    id = redis.call('XADD', KEYS[1], '*', unpack(fields))
    if key ~= '' then
      redis.call('HSET', KEYS[3], key, id)
      redis.call('ZADD', KEYS[4], string.match(id, '^%d+'), key)
    end
    if once ~= '' then redis.call('SET', ARGV[3] .. once, id, 'PX', ARGV[4]) end
    redis.call('PUBLISH', ARGV[1], id .. '\\n' .. before .. '\\n' .. key .. '\\n' .. headers .. '\\n' .. body)
    before = id
  end
  ids[#ids + 1] = id
end
if before ~= '' then redis.call('SET', KEYS[2], before) end
return ids
"""
)

JOIN = Script(
    """
-- KEYS: stream. ARGV: group, where it begins, whether somebody has asked for that. Makes the group; one that is there and
-- that nobody has used begins where it is asked for.
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if groups.err then
  if not string.find(groups.err, 'no such key') then return groups end
  groups = {}
end
for _, group in ipairs(groups) do
  local about = {}
  for at = 1, #group, 2 do about[group[at]] = group[at + 1] end
  if about['name'] == ARGV[1] then
    if ARGV[3] == '1' and about['last-delivered-id'] == '0-0' and about['consumers'] == 0 then
      redis.call('XGROUP', 'SETID', KEYS[1], ARGV[1], ARGV[2])
    end
    return 0
  end
end
redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], ARGV[2], 'MKSTREAM')
return 1
"""
)

FOLLOW = Script(
    _PENDING,
    """
-- KEYS: stream, followers. ARGV: group, then of each message its id and that of the one before it of its key. Returns for each
-- whether it may begin: 1, or 0, and then it is given to who acknowledges the one before.
local may = {}
for at = 2, #ARGV, 2 do
  local waits = pending(KEYS[1], ARGV[1], ARGV[at + 1])
  if waits then redis.call('HSET', KEYS[2], ARGV[at + 1], ARGV[at]) end
  may[#may + 1] = waits and 0 or 1
end
return may
""",
)

ACKNOWLEDGE = Script(
    _PENDING,
    _DONE,
    """
-- KEYS: stream, tries, followers. ARGV: group, consumer, id. Returns the next message of its key, if one waits. What another
-- consumer has taken over is left to it, and nil returned.
local mine = pending(KEYS[1], ARGV[1], ARGV[3])
if not mine or mine[2] ~= ARGV[2] then return false end
return done(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2], ARGV[3])
""",
)

BURY = Script(
    _PENDING,
    _DONE,
    """
-- KEYS: stream, tries, followers, dead letters. ARGV: group, consumer, id, deliveries, error, history. Puts a message aside
-- and acknowledges it; returns the next message of its key, if one waits, and nil where another consumer has it.
local mine = pending(KEYS[1], ARGV[1], ARGV[3])
if not mine or mine[2] ~= ARGV[2] then return false end
local entry = redis.call('XRANGE', KEYS[1], ARGV[3], ARGV[3])[1]
if entry then
  redis.call('XADD', KEYS[4], '*', '.id', ARGV[3], '.count', ARGV[4], '.error', ARGV[5], '.history', ARGV[6],
    unpack(entry[2]))
end
return done(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2], ARGV[3])
""",
)

RETAKE = Script(
    _PENDING,
    """
-- KEYS: stream. ARGV: group, consumer, id. Counts one more delivery of a message that this consumer has; returns which it is,
-- or 0 where it has it no more.
local mine = pending(KEYS[1], ARGV[1], ARGV[3])
if not mine or mine[2] ~= ARGV[2] then return 0 end
local claimed = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], 'RETRYCOUNT', mine[4] + 1, 'JUSTID')
return #claimed > 0 and mine[4] + 1 or 0
""",
)

KEEP = Script(
    _PENDING,
    """
-- KEYS: stream. ARGV: group, consumer, ids. Says that the consumer still has these messages; returns those that it has not.
local lost = {}
for at = 3, #ARGV do
  local mine = pending(KEYS[1], ARGV[1], ARGV[at])
  if mine and mine[2] == ARGV[2] then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[at], 'JUSTID')
  else
    lost[#lost + 1] = ARGV[at]
  end
end
return lost
""",
)

RECLAIM = Script(
    _FIELD,
    _PENDING,
    """
-- KEYS: stream, tries, followers. ARGV: group, consumer, idle for how long (ms), from which id, how many to take. Returns from
-- which id to go on ('' where there is nothing more), and what was taken: {id, fields, deliveries, history} each. A message
-- whose key's last one is not done goes on waiting. No delivery is counted yet: RETAKE does that, when the message is begun.
local taken, last = {}, ''
local found = redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[3], ARGV[4], '+', 200)
for _, each in ipairs(found) do
  local id, deliveries = each[1], each[4]
  last = '(' .. id
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  local after = entry and field(entry[2], 'after')
  if not entry then
    redis.call('XACK', KEYS[1], ARGV[1], id)
  elseif after and pending(KEYS[1], ARGV[1], after) then
    redis.call('HSET', KEYS[3], after, id)
  else
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], id, 'RETRYCOUNT', deliveries, 'JUSTID')
    taken[#taken + 1] = {id, entry[2], deliveries, redis.call('HGET', KEYS[2], id)}
    if #taken >= tonumber(ARGV[5]) then return {last, taken} end
  end
end
return {#found == 200 and last or '', taken}
""",
)

HAND_BACK = Script(
    _PENDING,
    """
-- KEYS: stream. ARGV: group, consumer, new owner, idle (ms), then ids, each with 1 where it was begun, else 0: its delivery
-- doesn't count. Gives messages to nobody, so that whoever reclaims next has them.
local given = 0
for at = 5, #ARGV, 2 do
  local mine = pending(KEYS[1], ARGV[1], ARGV[at])
  if mine and mine[2] == ARGV[2] then
    local count = mine[4]
    if ARGV[at + 1] == '0' and count > 0 then count = count - 1 end
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, ARGV[at], 'IDLE', ARGV[4], 'RETRYCOUNT', count, 'JUSTID')
    given = given + 1
  end
end
return given
""",
)

LEAVE = Script(
    """
-- KEYS: stream. ARGV: group, consumer, new owner, idle (ms). Hands back whatever a consumer still has, none of it begun, and
-- removes the consumer.
while true do
  local mine = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 100, ARGV[2])
  for _, each in ipairs(mine) do
    local count = each[4] > 0 and each[4] - 1 or 0
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, each[1], 'IDLE', ARGV[4], 'RETRYCOUNT', count, 'JUSTID')
    if redis.call('XPENDING', KEYS[1], ARGV[1], each[1], each[1], 1, ARGV[2])[1] then
      redis.call('XACK', KEYS[1], ARGV[1], each[1])
    end
  end
  if #mine < 100 then break end
end
return redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
"""
)

TIDY = Script(
    """
-- KEYS: stream, latest, ages. ARGV: the time (ms) before which messages are old, and how long (ms) a consumer without messages
-- may be idle. Trims what is old and what every group has acknowledged; forgets old message keys and consumers that are gone.
local function before(one, other)
  local a, b = string.match(one, '^(%d+)'), string.match(other, '^(%d+)')
  if a ~= b then return tonumber(a) < tonumber(b) end
  return tonumber(string.match(one, '%d+$')) < tonumber(string.match(other, '%d+$'))
end
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if groups.err then return 0 end
local least = ARGV[1] .. '-0'
for _, group in ipairs(groups) do
  local about = {}
  for at = 1, #group, 2 do about[group[at]] = group[at + 1] end
  local first = about['last-delivered-id']
  if about['pending'] > 0 then first = redis.call('XPENDING', KEYS[1], about['name'])[2] end
  if before(first, least) then least = first end
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], about['name'])) do
    local its = {}
    for at = 1, #consumer, 2 do its[consumer[at]] = consumer[at + 1] end
    if its['pending'] == 0 and its['idle'] > tonumber(ARGV[2]) then
      redis.call('XGROUP', 'DELCONSUMER', KEYS[1], about['name'], its['name'])
    end
  end
end
local old = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', '(' .. string.match(least, '^%d+'), 'LIMIT', 0, 1000)
if #old > 0 then
  redis.call('HDEL', KEYS[2], unpack(old))
  redis.call('ZREM', KEYS[3], unpack(old))
end
return redis.call('XTRIM', KEYS[1], 'MINID', '~', least)
"""
)

REVIVE = Script(
    """
-- KEYS: dead letters, stream. ARGV: the letter's id, group, new owner, idle (ms). Gives a dead letter to its group again, and
-- to no other; one whose message is no longer in the stream is published anew. Returns the message's id, or nothing.
local letter = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not letter then return false end
local id, fields = '', {}
for at = 1, #letter[2], 2 do
  local name = letter[2][at]
  if name == '.id' then id = letter[2][at + 1] end
  if string.sub(name, 1, 1) ~= '.' and name ~= 'after' then
    fields[#fields + 1], fields[#fields + 2] = name, letter[2][at + 1]
  end
end
redis.pcall('XGROUP', 'CREATE', KEYS[2], ARGV[2], '0', 'MKSTREAM')
if redis.call('XRANGE', KEYS[2], id, id)[1] then
  redis.call('XCLAIM', KEYS[2], ARGV[2], ARGV[3], 0, id, 'IDLE', ARGV[4], 'RETRYCOUNT', 0, 'FORCE', 'JUSTID')
else
  id = redis.call('XADD', KEYS[2], '*', unpack(fields))
end
redis.call('XDEL', KEYS[1], ARGV[1])
return id
"""
)
