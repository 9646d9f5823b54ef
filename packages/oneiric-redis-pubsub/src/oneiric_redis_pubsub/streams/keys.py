"""The names of what a queue has on the server."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a queue, and its channel. Each ends with the queue's name, and what stands before can't be mistaken."""

    prefix: str
    queue: str

    @property
    def stream(self) -> str:
        """The messages."""
        return f"{self.prefix}stream:{self.queue}"

    @property
    def channel(self) -> str:
        """Where each message is told of as it is published."""
        return f"{self.prefix}live:{self.queue}"

    @property
    def tail(self) -> str:
        """The id of the last message, by which who listens sees that one is missing."""
        return f"{self.prefix}tail:{self.queue}"

    @property
    def latest(self) -> str:
        """Of each message key, the id of the last message."""
        return f"{self.prefix}latest:{self.queue}"

    @property
    def ages(self) -> str:
        """Message keys by the age of their last message."""
        return f"{self.prefix}ages:{self.queue}"

    @property
    def once(self) -> str:
        """What the names of idempotency keys begin with."""
        return f"{self.prefix}once:{quote(self.queue, safe='')}:"

    def dead(self, group: str) -> str:
        """The dead letters of a group."""
        return f"{self.prefix}dead:{quote(group, safe='')}:{self.queue}"

    def tries(self, group: str) -> str:
        """What has become of each message that was not handled at once."""
        return f"{self.prefix}tries:{quote(group, safe='')}:{self.queue}"

    def followers(self, group: str) -> str:
        """Of each message that others of its key wait for, the next."""
        return f"{self.prefix}next:{quote(group, safe='')}:{self.queue}"
