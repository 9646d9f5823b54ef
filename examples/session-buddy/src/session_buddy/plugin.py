"""What this distribution tells Oneiric: how its demo is run."""

from __future__ import annotations

from oneiric.hookspecs import hookimpl


@hookimpl
def oneiric_demo_apps() -> dict[str, str]:
    """Declare `oneiric demo --app session-buddy`."""
    return {"session-buddy": "session_buddy.demo:demo"}
