"""Real servers from wheels, each shared by the processes of one user on this machine which name the same place."""

from oneiric.embedded.engine import Engine, Plan
from oneiric.embedded.home import Home
from oneiric.embedded.joining import Member, join
from oneiric.embedded.place import Place, is_embedded

__all__ = ["Engine", "Home", "Member", "Place", "Plan", "is_embedded", "join"]
