"""The conformance kit: one class a contract, which an adapter's author subclasses with one fixture."""

from oneiric.testing.suite import SUITE_LEVEL, AdapterSuite

__all__ = ["SUITE_LEVEL", "AdapterSuite"]
