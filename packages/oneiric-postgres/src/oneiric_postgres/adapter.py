"""The adapter."""

from __future__ import annotations

from typing import ClassVar

from oneiric_postgres.server_adapter import ServerAdapter
from oneiric_postgres.settings import PostgresSettings


class PostgresAdapter(ServerAdapter):
    """A PostgreSQL database."""

    settings_class: ClassVar[type[PostgresSettings]] = PostgresSettings
    settings: PostgresSettings
