"""The suite of message buses.

```python
class TestMine(MessagingSuite):
    adapter_name = "mine"

    @pytest.fixture
    def config(self, server):
        return {"url": server.url}
```
"""

from __future__ import annotations

from typing import Any

from oneiric.testing.messaging.calling import CallTests
from oneiric.testing.messaging.consuming import ConsumingTests
from oneiric.testing.messaging.differential import MessagingDifferentialTests
from oneiric.testing.messaging.ending import EndingTests
from oneiric.testing.messaging.honesty import HonestyTests
from oneiric.testing.messaging.losing import LosingTests
from oneiric.testing.messaging.names import NameTests
from oneiric.testing.messaging.publishing import PublishingTests
from oneiric.testing.messaging.reconnecting import ReconnectingTests
from oneiric.testing.messaging.replaying import ReplayingTests
from oneiric.testing.messaging.subscribing import SubscribingTests
from oneiric.testing.messaging.swapping import SwappingTests
from oneiric.testing.suite import AdapterSuite


class MessagingSuite(
    PublishingTests,
    NameTests,
    ConsumingTests,
    EndingTests,
    SubscribingTests,
    ReplayingTests,
    LosingTests,
    ReconnectingTests,
    SwappingTests,
    CallTests,
    HonestyTests,
    MessagingDifferentialTests,
    AdapterSuite,
):
    """What holds for every message bus.

    A subclass names its adapter and gives a config; where redelivery, reclaiming or the number of deliveries until a dead
    letter can be set, let them be short. `restart` proves `durable`, and `interrupt` proves `gaps`.
    """

    async def probe(self, adapter: Any) -> None:
        """Publish a message."""
        await adapter.publish("conformance", {"probe": True})
