"""Where the suite of an adapter is; imports none."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oneiric.spec import AdapterSpec

_OF_TYPE = {
    "database": "oneiric.testing.database.suite:DatabaseSuite",
    "vector": "oneiric.testing.vector.suite:VectorSuite",
    "queue": "oneiric.testing.queue.suite:QueueSuite",
    "messaging": "oneiric.testing.messaging.suite:MessagingSuite",
}
_OF_ANY_TYPE = "oneiric.testing.suite:AdapterSuite"


def path_of_suite(spec: AdapterSpec) -> str:
    """`module:Class` of the suite that holds this adapter to its contract: the one that it names, or the kit's of its type."""
    return spec.conformance or kits_path(spec.type)


def kits_path(adapter_type: str) -> str:
    """`module:Class` of the kit's suite for a type."""
    return _OF_TYPE.get(adapter_type, _OF_ANY_TYPE)
