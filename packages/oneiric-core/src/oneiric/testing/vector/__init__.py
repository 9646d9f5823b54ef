"""The suite of the vector contract."""

from oneiric.testing.vector.suite import VectorSuite

__all__ = ["VectorSuite"]
