"""The conformance kit on a real Qdrant server, which ONEIRIC_TEST_QDRANT_URL names; an empty one, as what is made is dropped.

ONEIRIC_TEST_QDRANT_GRPC_PORT is its port for gRPC (6334 without). No wheel has a server in it, so CI runs none of this.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.testing import VectorSuite
from qdrant_client import QdrantClient

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

URL = os.environ.get("ONEIRIC_TEST_QDRANT_URL")
GRPC_PORT = int(os.environ.get("ONEIRIC_TEST_QDRANT_GRPC_PORT", "6334"))


def emptied(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The config, of a server that is empty before and after the test."""
    client = QdrantClient(url=config["url"], check_compatibility=False)
    try:
        if client.get_collections().collections:
            pytest.fail("The server of ONEIRIC_TEST_QDRANT_URL isn't empty, and the tests drop what they find there.")
        yield config
        for each in client.get_collections().collections:
            client.delete_collection(each.name)
    finally:
        client.close()


if URL is None:

    def test_the_kit_on_a_real_server() -> None:
        pytest.skip("NOT TESTED: a real Qdrant server. Start an empty one and name it by ONEIRIC_TEST_QDRANT_URL.")

else:

    class TestRest(VectorSuite):
        adapter_name = "qdrant"

        @pytest.fixture
        def config(self) -> Iterator[Mapping[str, Any]]:
            yield from emptied({"url": URL, "exact": True})

    class TestGrpc(VectorSuite):
        adapter_name = "qdrant"

        @pytest.fixture
        def config(self) -> Iterator[Mapping[str, Any]]:
            yield from emptied({"url": URL, "exact": True, "grpc": True, "grpc_port": GRPC_PORT})

        def through(self, config: Mapping[str, Any], host: str, port: int) -> Mapping[str, Any]:
            return {**config, "url": f"http://{host}", "grpc_port": port}
