"""What the server does in one step, as Lua: a task and the record of it are there together or not at all.

Each is sent with its text, as it is short: the server that was restarted doesn't know it by its hash.
"""

from __future__ import annotations

SCHEDULE = "oneiric-celery.schedule"
"""A sorted set: the ids of the tasks for much later, by the time at which a worker may be given them."""
PARKED = "oneiric-celery.parked"
"""A hash: what these tasks are, each as its list's name, a line feed, and its message."""

SUBMIT = """
local schedule, parked = KEYS[1], KEYS[2]
for i = 3, #KEYS, 2 do
  local a = (i - 3) / 2 * 5
  local id, record, ttl, message, due = ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4], ARGV[a + 5]
  if redis.call('SET', KEYS[i], record, 'NX', 'PX', ttl) then
    local done
    if due == '' then
      done = redis.pcall('LPUSH', KEYS[i + 1], message)
    else
      redis.call('HSET', parked, id, KEYS[i + 1] .. '\\n' .. message)
      done = redis.pcall('ZADD', schedule, due, id)
    end
    if type(done) == 'table' and done.err then
      redis.call('DEL', KEYS[i])
      return done
    end
  end
end
return 1
"""
"""Submit tasks whose ids are new. KEYS: the schedule, what is parked, then of each task its record and its list. ARGV: of each
its id, record, the record's milliseconds, its message, and the time until which it is parked, or nothing."""

RELEASE = """
local ids = redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[2])
for _, id in ipairs(ids) do
  local kept = redis.call('HGET', KEYS[2], id)
  if kept then
    local at = string.find(kept, '\\n', 1, true)
    redis.call('LPUSH', string.sub(kept, 1, at - 1), string.sub(kept, at + 1))
  end
  redis.call('HDEL', KEYS[2], id)
  redis.call('ZREM', KEYS[1], id)
end
return #ids
"""
"""Push what was parked until now. KEYS: the schedule, what is parked. ARGV: the time, how many at most."""

REVOKE = """
local was = redis.call('GET', KEYS[1])
if not was then return false end
local ok, meta = pcall(cjson.decode, was)
if ok and (meta.status == 'PENDING' or meta.status == 'RETRY' or meta.status == 'RECEIVED') then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  redis.call('PUBLISH', KEYS[1], ARGV[1])
end
return was
"""
"""Write that a task is revoked, unless it runs or has ended; gives the record as it was. KEYS: the record. ARGV: the new one,
its milliseconds."""

REPLACE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  if ARGV[2] == '' then
    return redis.call('DEL', KEYS[1])
  end
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return 1
end
return 0
"""
"""Replace a record that is as it was. KEYS: the record. ARGV: as it was, the new one (nothing: none), its milliseconds."""

UNPARK = """
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('ZREM', KEYS[1], ARGV[1])
"""
"""Forget a task that is parked. KEYS: the schedule, what is parked. ARGV: its id."""

TAKE_OUT = """
local items = redis.call('LRANGE', KEYS[1], ARGV[2], ARGV[3])
for _, item in ipairs(items) do
  if string.find(item, ARGV[1], 1, true) then
    return redis.call('LREM', KEYS[1], 1, item)
  end
end
return 0
"""
"""Remove the message that holds a text from a part of a list. KEYS: the list. ARGV: the text, the part's first and last place.
Gives how many were removed."""
