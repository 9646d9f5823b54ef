"""Where a broker is, and what may be said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from oneiric.adapters.queue import DURABLE
from oneiric.adapters.targets import Endpoint, Targets
from oneiric.errors import ConfigError
from oneiric_rq import RedisQueueAdapter
from oneiric_rq.address import Address, Scheme
from oneiric_rq.settings import RedisQueueSettings
from redis.connection import parse_url

if TYPE_CHECKING:
    from pathlib import Path

URLS = {
    "redis://localhost": Targets((Endpoint("localhost", 6379),)),
    "redis://h:1/3": Targets((Endpoint("h", 1),)),
    "redis://[::1]:2": Targets((Endpoint("::1", 2),)),
    "rediss://u:p%40ss@h": Targets((Endpoint("h", 6379, tls=True),)),
    "unix:///run/redis.sock?db=2": Targets(files=("/run/redis.sock",)),
    "embedded://": Targets(),
    "embedded://tests": Targets(),
    "embedded:///var/lib/queue": Targets(files=("/var/lib/queue",)),
}
WRONG = [
    "",
    "localhost:6379",
    "http://localhost",
    "redis://",
    "redis://h:port",
    "redis://h:99999",
    "redis://h/name",
    "redis://h?ssl_cert_reqs=none",
    "redis://u:hunter2@h#1",
    "unix://",
    "unix://relative/path",
    "unix:///s?x=1",
    "embedded://NOT A NAME",
    "embedded://?x=1",
]


@pytest.mark.parametrize("url", URLS)
def test_the_targets_are_what_the_url_names(url: str) -> None:
    assert RedisQueueSettings(url=url).targets() == URLS[url]


@pytest.mark.parametrize("url", [url for url in URLS if not url.startswith("embedded")])
def test_a_url_means_what_it_means_to_redis_py(url: str) -> None:
    theirs, ours = parse_url(url), Address.parse(url)
    assert theirs.get("host", "") == ours.host
    assert theirs.get("path", "") == ours.path
    assert theirs.get("db", 0) == ours.database
    assert (theirs.get("username"), theirs.get("password")) == (ours.username, ours.password)


@pytest.mark.parametrize("url", WRONG)
def test_a_url_that_can_not_be_is_refused_without_its_words(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RedisQueueAdapter({"url": url})
    assert "hunter2" not in str(caught.value)


def test_only_what_is_in_memory_is_not_durable() -> None:
    lacking = [url for url in URLS if DURABLE in RedisQueueSettings(url=url).lacks()]
    assert lacking == ["embedded://", "embedded://tests"]


def test_no_secret_is_shown() -> None:
    settings = RedisQueueSettings(url="redis://app:hunter2@h", password="hunter3")
    shown = f"{settings!r} {settings} {Address.parse(settings.url)!r} {RedisQueueAdapter(settings)!r}"
    assert "hunter" not in shown


def test_files_of_ones_own_are_targets_and_the_connection_test_leaves_tls_to_the_driver() -> None:
    settings = RedisQueueSettings(url="rediss://h", tls_ca_file="ca.pem", tls_cert_file="me.pem")
    assert settings.targets() == Targets((Endpoint("h", 6379),), ("ca.pem", "me.pem"))
    assert Address.parse(settings.url).scheme is Scheme.TLS


@pytest.mark.parametrize(
    ("setting", "value"), [("queue", "a b"), ("timeout", 0), ("max_connections", 0), ("result_ttl", 0)]
)
def test_settings_that_can_not_be_are_refused(setting: str, value: object) -> None:
    with pytest.raises(ConfigError, match=setting):
        RedisQueueAdapter({"url": "redis://h", setting: value})


async def test_a_file_that_can_not_be_read_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for file in ("ca.pem", "missing.pem"):
        adapter = RedisQueueAdapter({"url": "rediss://127.0.0.1:1", "tls_ca_file": str(tmp_path / file)})
        with pytest.raises(ConfigError, match="tls_ca_file"):
            await adapter.init()
