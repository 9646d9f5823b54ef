"""The suite of the database contract."""

from oneiric.testing.database.suite import DatabaseSuite

__all__ = ["DatabaseSuite"]
