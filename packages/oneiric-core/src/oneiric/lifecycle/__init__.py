"""From configured instances to initialised adapters, and back."""

from oneiric.lifecycle.limits import Limits
from oneiric.lifecycle.manager import AdapterManager
from oneiric.lifecycle.states import TRANSITIONS, State

__all__ = ["TRANSITIONS", "AdapterManager", "Limits", "State"]
