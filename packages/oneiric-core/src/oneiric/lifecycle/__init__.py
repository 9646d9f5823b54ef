"""From configured instances to initialised adapters, and back."""

from oneiric.lifecycle.manager import AdapterManager
from oneiric.lifecycle.states import State

__all__ = ["AdapterManager", "State"]
