"""Settings: URLs, what they would reach, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from oneiric.adapters.database import DURABLE
from oneiric.adapters.targets import Endpoint, Targets
from oneiric.errors import ConfigError
from oneiric_postgres import PostgresAdapter
from oneiric_postgres.settings import PostgresSettings

SECRET = "c4n4ry-secret"


@pytest.mark.parametrize(
    ("config", "targets"),
    [
        ({"dsn": "postgresql://db.internal/orders"}, Targets(endpoints=(Endpoint("db.internal", 5432),))),
        ({"dsn": "postgres://app:x@[::1]:5433/orders"}, Targets(endpoints=(Endpoint("::1", 5433),))),
        ({"host": "db.internal", "port": 6432}, Targets(endpoints=(Endpoint("db.internal", 6432),))),
        ({"dsn": "postgresql:///orders"}, Targets(endpoints=(Endpoint("localhost", 5432),))),
        ({"dsn": "postgresql:///orders?host=/run/pg"}, Targets(files=("/run/pg/.s.PGSQL.5432",))),
        ({"dsn": "postgresql://app@/orders?host=%2Frun%2Fpg"}, Targets(files=("/run/pg/.s.PGSQL.5432",))),
        ({"host": "/run/pg"}, Targets(files=("/run/pg/.s.PGSQL.5432",))),
        ({"dsn": "embedded://"}, Targets()),
        ({"dsn": "embedded:///srv/data"}, Targets(files=("/srv/data",))),
        (
            {"dsn": "postgresql://db.internal/orders?sslmode=verify-full&sslrootcert=/a.pem", "sslcert": "/b.pem"},
            Targets(endpoints=(Endpoint("db.internal", 5432),), files=("/a.pem", "/b.pem")),
        ),
    ],
)
def test_they_say_what_they_would_reach(config: dict[str, Any], targets: Targets) -> None:
    assert PostgresSettings(**config).targets() == targets


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"dsn": ""},
        {"dsn": "mysql://db.internal/orders"},
        {"dsn": "db.internal"},
        {"dsn": f"postgresql://app:{SECRET}@db.internal:port/orders"},
        {"dsn": f"postgresql://app:{SECRET}@one,two/orders"},
        {"dsn": f"postgresql://app:{SECRET}@db.internal/orders?options=-csearch_path"},
        {"dsn": f"postgresql://app:{SECRET}@db.internal/orders?sslmode=maybe"},
        {"dsn": f"postgresql://app:{SECRET}@db.internal/orders#x"},
        {"dsn": f"postgresql://app:{SECRET}@db.internal/orders\0"},
        {"dsn": f"postgresql://app:{SECRET}@db.internal/orders", "password": SECRET},
        {"dsn": "postgresql://db.internal/orders", "host": "other"},
        {"dsn": "postgresql://db.internal/orders", "user": "app"},
        {"dsn": "embedded:/x"},
        {"dsn": "embedded://?x=1"},
        {"host": "db.internal", "port": 0},
        {"host": "db.internal", "pool_min_size": 5, "pool_max_size": 4},
        {"host": "db.internal", "timeout": 0},
        {"host": "db.internal", "timeout": float("inf")},
        {"host": "db.internal", "sslmode": "allow"},
        {"host": "db.internal", "application_name": " "},
        {"host": "db.internal", "resett": "always"},
    ],
)
def test_what_can_not_be_is_refused_without_a_secret(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as raised:
        PostgresAdapter(config)
    assert SECRET not in f"{raised.value} {raised.value!r}"


def test_a_password_is_shown_nowhere() -> None:
    for config in (
        {"dsn": f"postgresql://app:{SECRET}@db.internal/orders"},
        {"dsn": "postgresql://app@db.internal/orders", "password": SECRET},
    ):
        settings = PostgresSettings.model_validate(config)
        assert SECRET not in f"{settings} {settings!r} {settings.server!r} {PostgresAdapter(settings).settings}"


def test_what_is_not_kept_is_not_durable() -> None:
    assert PostgresSettings(dsn="embedded://").lacks() == {DURABLE}
    assert PostgresSettings(dsn="embedded:///srv/data").lacks() == frozenset()
    assert PostgresSettings(dsn="postgresql://db.internal/orders").lacks() == frozenset()
