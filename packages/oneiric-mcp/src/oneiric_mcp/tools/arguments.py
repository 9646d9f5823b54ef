"""What the tools have in common: their arguments, what they say of themselves, and how they fail."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from fastmcp.exceptions import ToolError
from fastmcp.server.auth import require_scopes
from mcp_types import ToolAnnotations
from oneiric.errors import OneiricError
from pydantic import Field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastmcp.server.auth import AuthCheck, AuthProvider

    from oneiric_mcp.auth.scopes import Scope

AdapterName = Annotated[str, Field(description="The adapter's name, as list_adapters gives it.")]
InstanceName = Annotated[
    str,
    Field(
        description="The configured instance's name, as the config has it; for an adapter that is used once, that is "
        "mostly the adapter's own."
    ),
]


@contextmanager
def told() -> Iterator[None]:
    """Answer with an error of ours as it stands: its sentences are made for the caller, and hold no value."""
    try:
        yield
    except OneiricError as error:
        raise ToolError(str(error)) from error


def reads(title: str, *, opens_connections: bool = False) -> ToolAnnotations:
    """The annotations of a tool that changes nothing."""
    return ToolAnnotations(
        title=title,
        read_only_hint=True,
        destructive_hint=False,
        idempotent_hint=True,
        open_world_hint=opens_connections,
    )


def runs(title: str, *, destructive: bool = False) -> ToolAnnotations:
    """The annotations of a tool that starts or stops something which talks to a backend."""
    return ToolAnnotations(
        title=title,
        read_only_hint=False,
        destructive_hint=destructive,
        idempotent_hint=True,
        open_world_hint=True,
    )


def needing(scope: Scope, auth: AuthProvider | None) -> AuthCheck | None:
    """The check of a tool that needs a scope where callers have any; to whom has not got it, there is no such tool."""
    return require_scopes(scope) if auth else None
