"""The command line."""

from oneiric.cli.app import main

__all__ = ["main"]
