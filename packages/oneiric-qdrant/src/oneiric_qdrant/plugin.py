"""What this distribution tells Oneiric; imports no driver."""

from __future__ import annotations

from oneiric.adapters.vector import DURABLE, EXACT_SEARCH, FILTERED_SEARCH
from oneiric.hookspecs import hookimpl
from oneiric.spec import AdapterSpec

from oneiric_qdrant.settings import QdrantSettings


@hookimpl
def oneiric_adapters() -> list[AdapterSpec]:
    """Declare the `qdrant` adapter."""
    return [
        AdapterSpec(
            "qdrant",
            type="vector",
            summary="Qdrant over REST or gRPC, or embedded: in memory, in a folder, or (beta) in a folder by Qdrant Edge.",
            adapter="oneiric_qdrant.adapter:QdrantAdapter",
            settings=QdrantSettings,
            capabilities=frozenset({DURABLE, EXACT_SEARCH, FILTERED_SEARCH}),
            example={"url": "embedded://"},
            conformance="oneiric_qdrant.conformance:FolderSuite",
        )
    ]
