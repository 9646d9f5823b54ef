"""Reaching the broker and the results: passwords, and TLS, with a worker behind it too."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from oneiric.errors import AuthenticationFailed, ConnectionFailed, DeadlineExceeded
from oneiric.testing.tls import tls_before
from oneiric_celery import CeleryQueueAdapter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOST = "127.0.0.1"


async def works(**settings: Any) -> bool:
    async with CeleryQueueAdapter({"timeout": 5, **settings}) as adapter:
        return await adapter.queue_depth() >= 0 and bool(await adapter.health())


async def test_the_password_is_that_of_the_settings_or_of_the_url(own_valkey: Any) -> None:
    own_valkey.client.acl_setuser(
        "app", enabled=True, passwords=["+p@ss/w:rd"], categories=["+@all"], keys=["*"], channels=["*"]
    )
    own_valkey.client.config_set("requirepass", "hunter2")
    host = f"{HOST}:{own_valkey.port}"
    assert await works(broker_url=f"redis://{host}/0", password="hunter2")
    assert await works(broker_url=f"redis://:hunter2@{host}/0", result_backend=f"redis://:hunter2@{host}/1")
    assert await works(broker_url=f"redis://app:p%40ss%2Fw%3Ard@{host}/0")
    for url in (f"redis://{host}/0", f"redis://:hunter3@{host}/0", f"redis://nobody:hunter4@{host}/0"):
        with pytest.raises(AuthenticationFailed) as caught:
            await works(broker_url=url)
        assert not caught.value.transient
        assert "hunter" not in str(caught.value)


async def test_an_embedded_broker_takes_the_place_of_one_with_a_password_and_tls() -> None:
    """The URL is the only change."""
    assert await works(broker_url="embedded://", password="hunter2", tls_ca_file="/etc/ca.pem", timeout=30)


def certified(authority: trustme.CA, host: str = HOST) -> ssl.SSLContext:
    """A server that the authority says is that host."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context


def file_of(authority: trustme.CA, folder: Path, name: str) -> str:
    path = str(folder / name)
    authority.cert_pem.write_to_path(path)
    return path


async def test_a_certificate_is_checked_against_the_authority_of_the_settings(
    shared_valkey: Any, tmp_path: Path
) -> None:
    authority, other = trustme.CA(), trustme.CA()
    ca, wrong = file_of(authority, tmp_path, "ca.pem"), file_of(other, tmp_path, "other.pem")
    async with tls_before(shared_valkey.port, certified(authority)) as port:
        url = f"rediss://{HOST}:{port}/0"
        assert await works(broker_url=url, tls_ca_file=ca)
        assert await works(broker_url=shared_valkey.url, result_backend=url, tls_ca_file=ca)
        for settings in ({}, {"tls_ca_file": wrong}):
            for urls in ({"broker_url": url}, {"broker_url": shared_valkey.url, "result_backend": url}):
                with pytest.raises(ConnectionFailed, match="certificate is refused") as caught:
                    await works(**urls, **settings)
                assert not caught.value.transient
    async with tls_before(shared_valkey.port, certified(authority, "elsewhere.example")) as port:
        with pytest.raises(ConnectionFailed, match="certificate is refused"):
            await works(broker_url=f"rediss://{HOST}:{port}/0", tls_ca_file=ca)
    with pytest.raises((ConnectionFailed, DeadlineExceeded)):  # a broker without TLS waits for the rest of the command
        await works(broker_url=f"rediss://{HOST}:{shared_valkey.port}/0", tls_ca_file=ca, timeout=0.5)


async def test_a_worker_of_the_same_instance_serves_over_tls(
    own_valkey: Any, tmp_path: Path, start_worker: Callable[..., Any]
) -> None:
    """With the password, the queue and the database of the config, of which it is told the instance's name alone."""
    own_valkey.client.config_set("requirepass", "hunter2")
    authority = trustme.CA()
    async with tls_before(own_valkey.port, certified(authority)) as port:
        settings = {
            "broker_url": f"rediss://{HOST}:{port}/3",
            "password": "hunter2",
            "tls_ca_file": file_of(authority, tmp_path, "ca.pem"),
            "queue": "sealed",
        }
        config = tmp_path / "oneiric.yaml"
        config.write_text(json.dumps({"adapters": {"jobs": {"adapter": "celery", **settings}}}))
        start_worker(None, options=("--instance", "jobs", "--config", str(config)))
        async with CeleryQueueAdapter(settings) as queue:
            task_id = await queue.submit_task("oneiric.testing.queue.tasks.add", [2, 3])
            assert await queue.wait_for_result(task_id, timeout=60) == 5
