"""What is wrong, and where: the connection test."""

from oneiric.diagnostics.connection import ConnectionTest, check_connection

__all__ = ["ConnectionTest", "check_connection"]
