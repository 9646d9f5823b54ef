"""A session store: reflections in any database, found by any vector index, and moved to others while they are written."""

from session_buddy.buddy import SessionBuddy
from session_buddy.errors import MoveFailed, StoreInUse
from session_buddy.reflection import InvalidReflection, Reflection, Remembered

__all__ = ["InvalidReflection", "MoveFailed", "Reflection", "Remembered", "SessionBuddy", "StoreInUse"]
