"""Reaching the broker: passwords, TLS, sockets, embedded ones, and a few connections for many calls."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from oneiric.adapters.queue import Task
from oneiric.errors import AuthenticationFailed, ConnectionFailed, DeadlineExceeded, QueueError
from oneiric.testing.patience import until
from oneiric.testing.stalls import longest_stall
from oneiric.testing.tls import tls_before
from oneiric_rq import RedisQueueAdapter
from oneiric_rq.conformance import kit
from redis import Redis

if TYPE_CHECKING:
    from pathlib import Path

    from oneiric.testing.valkey import ValkeyServer


async def works(**settings: Any) -> bool:
    async with RedisQueueAdapter({"timeout": 5, **settings}) as adapter:
        return await adapter.queue_depth() >= 0


async def test_users_and_passwords_are_those_of_the_settings_or_of_the_url(own_server: ValkeyServer) -> None:
    with Redis.from_url(own_server.url) as admin:
        admin.acl_setuser(
            "app", enabled=True, passwords=["+p@ss/w:rd"], categories=["+@all"], keys=["*"], channels=["*"]
        )
        admin.config_set("requirepass", "hunter2")
    host = f"127.0.0.1:{own_server.port}"
    assert await works(url=f"redis://{host}", password="hunter2")
    assert await works(url=f"redis://:hunter2@{host}")
    assert await works(url=f"redis://app:p%40ss%2Fw%3Ard@{host}")
    assert await works(url=f"redis://{host}", username="app", password="p@ss/w:rd")
    assert await works(url=f"redis://app:wrong@{host}", password="p@ss/w:rd")
    for url in (f"redis://{host}", f"redis://:hunter3@{host}", f"redis://nobody:hunter4@{host}"):
        with pytest.raises(AuthenticationFailed) as caught:
            await works(url=url)
        assert not caught.value.transient
        assert "hunter" not in str(caught.value)


async def test_what_a_user_may_not_do_is_said_without_the_command(own_server: ValkeyServer, name: str) -> None:
    with Redis.from_url(own_server.url) as admin:
        admin.acl_setuser("reader", enabled=True, nopass=True, commands=["+ping", "+llen"], keys=["*"])
    url = f"redis://reader:x@127.0.0.1:{own_server.port}"
    async with RedisQueueAdapter({"url": url}) as adapter:
        assert await adapter.queue_depth() == 0
        with pytest.raises(AuthenticationFailed) as caught:
            await adapter.submit_task("f", ["hunter2"])
        assert "hunter2" not in str(caught.value)


async def test_a_broker_whose_memory_is_full_takes_no_half_of_a_task(own_server: ValkeyServer) -> None:
    async with RedisQueueAdapter({"url": own_server.url}) as adapter:
        with Redis.from_url(own_server.url) as admin:
            admin.config_set("maxmemory", 1)
            with pytest.raises(ConnectionFailed, match="memory is full"):
                await adapter.submit_task("f")
            admin.config_set("maxmemory", 0)
            assert admin.keys() == []
        await adapter.submit_task("f")


async def test_a_key_of_another_kind_is_an_error_and_not_a_depth(adapter: RedisQueueAdapter, client: Redis) -> None:
    client.set(f"rq:queue:{adapter.settings.queue}", "hunter2")
    with pytest.raises(QueueError, match="WRONGTYPE"):
        await adapter.queue_depth()


def certified(authority: trustme.CA, host: str) -> ssl.SSLContext:
    """A server that the authority says is that host."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context


async def test_tls_is_checked_against_the_authority_of_the_settings(server: ValkeyServer, tmp_path: Path) -> None:
    authority, other = trustme.CA(), trustme.CA()
    ca = str(tmp_path / "ca.pem")
    authority.cert_pem.write_to_path(ca)
    async with tls_before(server.port, certified(authority, "127.0.0.1")) as port:
        assert await works(url=f"rediss://127.0.0.1:{port}", tls_ca_file=ca)
        for settings in ({}, {"tls_ca_file": _file_of(other, tmp_path)}):
            with pytest.raises(ConnectionFailed, match="certificate is refused") as caught:
                await works(url=f"rediss://127.0.0.1:{port}", **settings)
            assert not caught.value.transient
    async with tls_before(server.port, certified(authority, "elsewhere.example")) as port:
        with pytest.raises(ConnectionFailed, match="certificate is refused"):
            await works(url=f"rediss://127.0.0.1:{port}", tls_ca_file=ca)
    with pytest.raises((ConnectionFailed, DeadlineExceeded)):  # a broker without TLS waits for the rest of the command
        await works(url=f"rediss://127.0.0.1:{server.port}", tls_ca_file=ca, timeout=0.5)


def _file_of(authority: trustme.CA, folder: Path) -> str:
    path = str(folder / "other.pem")
    authority.cert_pem.write_to_path(path)
    return path


async def test_an_embedded_broker_is_shared_and_ends_with_its_last_user(tmp_path: Path) -> None:
    """And keeps what is in a folder."""
    url = f"embedded://{tmp_path}/queue"
    async with RedisQueueAdapter({"url": url}) as one, RedisQueueAdapter({"url": url}) as other:
        task_id = await one.submit_task("f")
        assert (await other.get_task_status(task_id))["state"] == "queued"
        assert "append-only" not in (await one.health()).detail
    async with RedisQueueAdapter({"url": url}) as later:
        assert (await later.get_task_status(task_id))["state"] == "queued"


async def test_an_embedded_broker_takes_the_place_of_one_with_a_password_and_tls() -> None:
    """The URL is the only change."""
    assert await works(url="embedded://", username="app", password="hunter2", tls_ca_file="/etc/ca.pem", timeout=30)


async def test_a_connection_that_was_closed_while_idle_costs_no_call(adapter: RedisQueueAdapter, client: Redis) -> None:
    await asyncio.gather(*(adapter.queue_depth() for _ in range(10)))
    client.client_kill_filter(_type="normal", skipme=True)
    await asyncio.sleep(0.05)
    assert await asyncio.gather(*(adapter.queue_depth() for _ in range(20))) == [0] * 20


async def test_calls_use_no_more_connections_than_they_may(server: ValkeyServer, client: Redis) -> None:
    def count() -> int:
        return sum(each["cmd"] == "llen" for each in client.client_list())

    async with RedisQueueAdapter({"url": server.url, "max_connections": 3}) as adapter:
        await asyncio.gather(*(adapter.queue_depth() for _ in range(100)))
        assert 1 <= count() <= 3
    await until(lambda: count() == 0, "cleanup() leaves connections open.")


async def test_calls_that_are_cancelled_at_any_moment_lose_no_connection_and_mix_up_no_answers(
    server: ValkeyServer, name: str
) -> None:
    async with RedisQueueAdapter({"url": server.url, "queue": name, "max_connections": 2}) as adapter:
        await adapter.submit_task("f", task_id=name)
        for turns in range(60):
            call = asyncio.create_task(adapter.get_task_status(name))
            for _ in range(turns % 12):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            assert await adapter.queue_depth() == 1
        assert await asyncio.gather(*(adapter.queue_depth() for _ in range(50))) == [1] * 50


TWO_LOOPS = """
import asyncio, sys
from oneiric.errors import NotInitialized
from oneiric_rq import RedisQueueAdapter

adapter = RedisQueueAdapter({"url": sys.argv[1]})

async def first():
    await adapter.init()
    await adapter.queue_depth()

async def second():
    try:
        await adapter.queue_depth()
    except NotInitialized as error:
        print(error)
    await adapter.init()
    print(await adapter.queue_depth("nothing"))
    await adapter.cleanup()

asyncio.run(first())
asyncio.run(second())
"""


def test_an_adapter_belongs_to_the_loop_of_its_init_and_can_be_taken_to_another(server: ValkeyServer) -> None:
    """In a process of its own, as Python complains of what a loop that is over has left open."""
    command = [sys.executable, "-W", "ignore", "-c", TWO_LOOPS, server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    said, depth = done.stdout.splitlines()
    assert "another event loop" in said
    assert depth == "0"


async def test_raw_is_a_client_of_the_same_broker(adapter: RedisQueueAdapter) -> None:
    await adapter.submit_task(kit("add"), [1, 2])
    assert await adapter.raw.llen(f"rq:queue:{adapter.settings.queue}") == 1


async def test_a_thousand_tasks_at_once_hold_up_nobody(adapter: RedisQueueAdapter) -> None:
    async def submit() -> None:
        await asyncio.sleep(0.01)  # so that the heart beats before
        await adapter.submit_many([Task(name="f", args=[1, "two"], kwargs={"three": 4})] * 1000)

    stalls: list[float] = []
    while not stalls or (min(stalls) > 0.02 and len(stalls) < 8):
        stalls.append(await longest_stall(submit()))
    assert min(stalls) <= 0.02, stalls


@pytest.mark.parametrize("said", [b"x" * 1_000_000, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"*-5\r\n", b"$x\r\n", b""])
async def test_what_is_no_redis_is_a_connection_that_broke_off(said: bytes) -> None:
    """An endless line, a page of the web, a reply that can't be."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(said)
        with suppress(OSError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises((ConnectionFailed, DeadlineExceeded)):
        await works(url=f"redis://127.0.0.1:{port}")
    server.close()
