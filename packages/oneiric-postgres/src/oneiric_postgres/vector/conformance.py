"""The suite that `oneiric conformance pgvector` runs: on an embedded server, with a schema for each test."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from oneiric.embedded import join
from oneiric.testing import VectorSuite

from oneiric_postgres.embedded import PostgresEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

_URL = "embedded://"


class PgVectorSuite(VectorSuite):
    """What holds for every vector index, on pgvector. `config` is of a schema that is empty, as is quicker than a server."""

    adapter_name = "pgvector"

    @pytest.fixture(scope="session")
    def url(self) -> Iterator[str]:
        """A server that runs on between the tests."""
        with asyncio.Runner() as runner:
            member = runner.run(join(_URL, PostgresEngine()))
            yield _URL
            runner.run(member.leave())

    @pytest.fixture
    def config(self, url: str) -> dict[str, Any]:
        """Settings whose collections are this test's own."""
        return {"dsn": url, "schema_name": f"conformance_{uuid4().hex}"}
