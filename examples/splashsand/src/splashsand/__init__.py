"""SplashSand: deployment events of sandcastles, over whichever message bus is configured."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from splashsand.events import SplashSandEvents

__all__ = ["SplashSandEvents"]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use: every listing of plugins imports this file."""
    if name == "SplashSandEvents":
        from splashsand.events import SplashSandEvents

        return SplashSandEvents
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
