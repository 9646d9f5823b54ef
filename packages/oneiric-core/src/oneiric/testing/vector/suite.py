"""The suite of the vector contract, whole."""

from __future__ import annotations

from oneiric.testing.suite import AdapterSuite
from oneiric.testing.vector.cancelling import CancelledCallTests
from oneiric.testing.vector.capabilities import VectorCapabilityTests
from oneiric.testing.vector.collections import CollectionTests
from oneiric.testing.vector.differential import VectorDifferentialTests
from oneiric.testing.vector.filtering import FilterTests
from oneiric.testing.vector.records import RecordTests
from oneiric.testing.vector.searches import SearchTests


class VectorSuite(
    CollectionTests,
    RecordTests,
    SearchTests,
    FilterTests,
    CancelledCallTests,
    VectorCapabilityTests,
    VectorDifferentialTests,
    AdapterSuite,
):
    """What holds for every vector adapter.

    A subclass names its adapter and gives a config of an index that is empty, anew for each test.
    """
