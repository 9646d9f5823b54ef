"""What a token may do."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """A right. None includes another, but without `adapters:read` nothing is answered at all."""

    READ = "adapters:read"
    """List, explain and validate adapters; read the config (secrets masked), the resources and their updates."""
    WRITE = "adapters:write"
    """Change the config."""
    RUN = "adapters:run"
    """Test connections; initialise, check and clean up adapters."""
