"""An adapter in memory for each contract: what the contract means, and a double for the tests of applications."""

from oneiric.testing.memory.database import MemoryDatabase
from oneiric.testing.memory.messaging import MemoryMessaging
from oneiric.testing.memory.queue import MemoryQueue
from oneiric.testing.memory.vector import MemoryVector

__all__ = ["MemoryDatabase", "MemoryMessaging", "MemoryQueue", "MemoryVector"]
