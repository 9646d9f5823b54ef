"""kombu's Redis transport for workers, with one change: a message is popped and noted as unacknowledged in one step.

kombu pops with BRPOP and notes the message in a second round trip. A worker that is killed between the two takes it with it:
nothing is left of it in Redis. Here a script does both. It can't wait, so where it has found nothing it comes after a BLMOVE
of a list's last item to where it is: this waits for an item and moves none.
"""

from __future__ import annotations

from itertools import count
from time import monotonic, time
from typing import Any

from kombu.transport import redis
from kombu.transport.virtual import Empty
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads
from redis.exceptions import ResponseError

TAKE = """
for i = 3, #KEYS do
  local item = redis.call('RPOP', KEYS[i])
  if item then
    local ok, message = pcall(cjson.decode, item)
    if ok and type(message) == 'table' and type(message.properties) == 'table' and message.properties.delivery_tag then
      local tag, info = message.properties.delivery_tag, message.properties.delivery_info or {}
      local exchange, key = cjson.encode(info.exchange or ''), cjson.encode(info.routing_key or '')
      redis.call('ZADD', KEYS[1], ARGV[1], tag)
      redis.call('HSET', KEYS[2], tag, '[' .. item .. ', ' .. exchange .. ', ' .. key .. ']')
    end
    return {KEYS[i], item}
  end
end
return false
"""
"""Take the next message. KEYS: where the unacknowledged are listed and kept, then the lists in order. ARGV: the time."""
_WAIT = 0.1
"""Seconds to wait for an item of one list, before all are looked at again."""


class Channel(redis.Channel):  # type: ignore[misc]
    """A channel that loses no message with its process."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._turns = count()
        self._commands: list[str] = []
        self._is_idle = False
        super().__init__(*arguments, **options)

    def _brpop_start(self, timeout: float | None = None) -> None:
        if self.global_keyprefix or not self.ack_emulation:  # which the script doesn't know of
            super()._brpop_start(timeout)
            return
        queues = self._queue_cycle.consume(len(self.active_queues))
        if not queues:
            return
        lists = [self._q_for_pri(queue, step) for step in self.priority_steps for queue in queues]
        keys = [self.unacked_index_key, self.unacked_key, *lists]
        commands: list[tuple[Any, ...]] = [("EVAL", TAKE, len(keys), *keys, time())]
        if self._is_idle:
            watched = self._watched(lists)
            commands.insert(0, ("BLMOVE", watched, watched, "RIGHT", "RIGHT", _WAIT))
        connection = self.client.connection
        self._in_poll, self._brpop_sent_at = connection, monotonic()
        self._commands = [command[0] for command in commands]
        connection.send_packed_command(connection.pack_commands(commands))

    def _watched(self, lists: list[str]) -> str:
        """The list to wait for: the first, where nearly all tasks come, and each of the others in turn."""
        turn = next(self._turns)
        return lists[0] if turn % 2 else lists[turn // 2 % len(lists)]

    def _brpop_read(self, **options: Any) -> bool:
        if not self._commands:
            return bool(super()._brpop_read(**options))
        try:
            found = self._taken()
            self._is_idle = not found
            if not found:
                raise Empty
            name, item = found
            queue = bytes_to_str(name).rsplit(self.sep, 1)[0]
            self._queue_cycle.rotate(queue)
            self.connection._deliver(loads(bytes_to_str(item)), queue)  # noqa: SLF001 - as kombu's own channel does
            return True
        finally:
            self._in_poll, self._commands = None, []
            self._flush_brpop_reauth()

    def _taken(self) -> Any:
        """The reply to the last command; an error of the one before, of a key that is no list, means that nothing came."""
        connection = self.client.connection
        for command in self._commands[:-1]:
            try:
                self._parsed(connection, command)
            except ResponseError:
                continue
        return self._parsed(connection, self._commands[-1])

    def _parsed(self, connection: Any, command: str) -> Any:
        try:
            return self.client.parse_response(connection, command)
        except ResponseError:
            raise
        except self.connection_errors:
            connection.disconnect()  # so that the next round connects anew
            raise


class Transport(redis.Transport):  # type: ignore[misc]
    """The transport of `oneiric-celery worker` on Redis and Valkey."""

    Channel = Channel
