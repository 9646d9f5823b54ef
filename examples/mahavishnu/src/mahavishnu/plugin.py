"""What this distribution tells Oneiric; imports no driver."""

from __future__ import annotations

from oneiric.hookspecs import hookimpl
from oneiric.spec import AdapterSpec

from mahavishnu.repositories import RepositorySettings


@hookimpl
def oneiric_adapters() -> list[AdapterSpec]:
    """Declare the application's own adapter."""
    return [
        AdapterSpec(
            "mahavishnu-repositories",
            type="repositories",
            summary="The git repositories of a folder.",
            adapter="mahavishnu.repositories:RepositoryAdapter",
            settings=RepositorySettings,
            example={"root": "."},
        )
    ]


@hookimpl
def oneiric_demo_apps() -> dict[str, str]:
    """Have `oneiric demo --app mahavishnu`."""
    return {"mahavishnu": "mahavishnu.demo:demo"}
