"""The conformance kit, on both adapters."""

from __future__ import annotations

from oneiric_redis_pubsub.conformance import PubSubSuite, StreamsSuite


class TestPubSub(PubSubSuite):
    pass


class TestStreams(StreamsSuite):
    pass
