"""`embedded://` and `embedded:///folder`: a Valkey from the wheel."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING
from uuid import uuid4

from oneiric_redis_pubsub import RedisMessageAdapter, RedisStreamAdapter
from oneiric_redis_pubsub.settings import RedisStreamSettings

if TYPE_CHECKING:
    from pathlib import Path


async def test_two_adapters_share_an_embedded_server_and_its_messages_end_with_it() -> None:
    url = f"embedded://{uuid4().hex}"
    async with RedisStreamAdapter({"url": url}) as one, RedisStreamAdapter({"url": url}) as other:
        first = await one.publish("q", {"n": 1})
        await one.publish("q", {"n": 2})
        async with aclosing(other.subscribe("q", since=first)) as messages:
            assert (await anext(messages))["n"] == 2
    async with RedisMessageAdapter({"url": url}) as bus:
        assert await bus.raw.dbsize() == 0


async def test_a_folder_keeps_messages(tmp_path: Path) -> None:
    settings = {"url": f"embedded://{tmp_path / 'data'}"}
    async with RedisStreamAdapter(settings) as bus:
        await bus.publish("q", {"n": 1})
    async with RedisStreamAdapter(settings) as bus, aclosing(bus.subscribe("q", since="0")) as messages:
        assert (await anext(messages))["n"] == 1


def test_only_a_folder_is_durable(tmp_path: Path) -> None:
    assert "durable" in RedisStreamSettings(url="embedded://").lacks()
    assert "durable" not in RedisStreamSettings(url=f"embedded://{tmp_path}").lacks()
