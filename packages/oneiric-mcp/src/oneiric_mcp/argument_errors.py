"""Argument errors that don't echo the input: a misspelled argument's value may be a password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastmcp.exceptions import ToolError, ValidationError
from fastmcp.server.middleware import Middleware
from pydantic import ValidationError as PydanticValidationError

if TYPE_CHECKING:
    from fastmcp.server.middleware import CallNext, MiddlewareContext


class ArgumentErrors(Middleware):
    """Turns FastMCP's argument-validation errors, which quote the values, into sentences that name the arguments only."""

    # Not `on_call_tool`: the base's way to it is three coroutines long, and every message takes it.
    async def __call__(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """Handle the message; of a tool's call, say which arguments are wrong, and how, where they are."""
        if context.method != "tools/call":
            return await call_next(context)
        try:
            return await call_next(context)
        except ValidationError as error:
            cause = error.__cause__
            if isinstance(cause, PydanticValidationError):
                raise ToolError(_sentences(cause)) from None
            raise ToolError("The tool's arguments are not valid.") from None


def _sentences(error: PydanticValidationError) -> str:
    details = error.errors(include_url=False, include_context=False, include_input=False)
    problems = (f"`{_argument(detail['loc'])}`: {detail['msg']}" for detail in details)
    return f"The tool's arguments are not valid. {'; '.join(problems)}."


def _argument(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part)[:100] for part in location)
