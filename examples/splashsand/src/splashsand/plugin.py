"""What this distribution tells Oneiric: it brings an application, and no adapter."""

from __future__ import annotations

from oneiric.hookspecs import hookimpl


@hookimpl
def oneiric_demo_apps() -> dict[str, str]:
    """Have `oneiric demo --app splashsand`."""
    return {"splashsand": "splashsand.demo:demo"}
