"""What the settings take, refuse, show and say that they would reach."""

from __future__ import annotations

from typing import Any

import pytest
from oneiric.adapters.targets import Endpoint, Targets
from oneiric.errors import ConfigError
from oneiric_redis_pubsub import RedisMessageAdapter, RedisPubSubSettings, RedisStreamAdapter, RedisStreamSettings

REFUSED: dict[str, dict[str, Any]] = {
    "no URL": {"url": "localhost"},
    "another scheme": {"url": "http://localhost"},
    "no port": {"url": "redis://localhost:x"},
    "a query": {"url": "redis://localhost/0?db=1"},
    "no database": {"url": "redis://localhost/zero"},
    "no socket": {"url": "unix://"},
    "no folder": {"url": "embedded:"},
    "two passwords": {"url": "redis://:a-secret@localhost", "password": "another-secret"},
    "two users": {"url": "redis://user@localhost", "username": "another"},
    "TLS files without TLS": {"url": "redis://localhost", "tls_ca_file": "ca.pem"},
    "a key without its certificate": {"url": "rediss://localhost", "tls_key_file": "key.pem"},
    "no time": {"url": "redis://localhost", "timeout": 0},
    "endless time": {"url": "redis://localhost", "timeout": float("inf")},
    "too large": {"url": "redis://localhost", "max_message_bytes": 2**30},
    "a line break in the prefix": {"url": "redis://localhost", "prefix": "a\nb"},
    "unknown": {"url": "redis://localhost", "ulr": 1},
}


@pytest.mark.parametrize("adapter", [RedisMessageAdapter, RedisStreamAdapter])
@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_is_refused_without_its_value(adapter: type[Any], case: str) -> None:
    with pytest.raises(ConfigError) as raised:
        adapter(REFUSED[case])
    assert "secret" not in str(raised.value)


def test_no_password_is_shown() -> None:
    settings = RedisStreamSettings(url="redis://user:hunter2@localhost:1/2")
    assert "hunter2" not in repr(settings)
    assert settings.server.password == "hunter2"
    assert "hunter2" not in repr(RedisPubSubSettings(url="redis://localhost", password="hunter2"))


def test_it_says_what_it_would_reach() -> None:
    def targets(**settings: Any) -> Targets | None:
        return RedisPubSubSettings(**settings).targets()

    assert targets(url="redis://db.internal") == Targets((Endpoint("db.internal", 6379),))
    assert targets(url="rediss://db.internal:1") == Targets((Endpoint("db.internal", 1, tls=True),))
    assert targets(url="rediss://[::1]:1", tls_ca_file="ca.pem") == Targets((Endpoint("::1", 1),), ("ca.pem",))
    assert targets(url="unix:///run/redis%20.sock") == Targets(files=("/run/redis .sock",))
    assert targets(url="embedded:///data") == Targets(files=("/data",))
    assert targets(url="embedded://") == Targets()
