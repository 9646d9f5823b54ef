"""Mahavishnu, an orchestrator on Oneiric: it sweeps over repositories with the adapters that an MCP server tells it of."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mahavishnu.app import MahavishnuApp
    from mahavishnu.settings import MahavishnuSettings

__all__ = ["MahavishnuApp", "MahavishnuSettings"]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use: neither the plugin beside this file nor a worker needs the whole."""
    if name == "MahavishnuApp":
        from mahavishnu.app import MahavishnuApp

        return MahavishnuApp
    if name == "MahavishnuSettings":
        from mahavishnu.settings import MahavishnuSettings

        return MahavishnuSettings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
