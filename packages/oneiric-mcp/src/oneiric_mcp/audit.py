"""The audit log: who changed, tested or ran what, whether it was allowed, and what came of it. Never a value."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fastmcp.exceptions import DisabledError, NotFoundError, ToolError, ValidationError
from fastmcp.server.dependencies import get_access_token
from fastmcp.server.middleware import Middleware
from oneiric.errors import OneiricError

if TYPE_CHECKING:
    from pathlib import Path

    from fastmcp.server.middleware import CallNext, MiddlewareContext

AUDITED = frozenset(
    {
        "set_adapter_config",
        "test_adapter_connection",
        "initialize_adapter",
        "check_adapter_health",
        "cleanup_adapter",
    }
)
"""The tools whose calls are recorded, whether they are offered or not."""

_FACTS = ("applied", "plan_hash", "success", "error_class", "state", "healthy")
"""What of an answer is recorded: none of them is, or holds, a setting's value."""
_MAX_LENGTH = 200

_log = logging.getLogger("oneiric.audit")


class AuditRefused(OneiricError, OSError):
    """A line of the audit log can't be written."""


class AuditLog:
    """Lines of JSON, to the logger `oneiric.audit` and, where there is a path, to a file that is only appended to.

    Raises AuditRefused at once where the file can't be written. It is opened anew for each line, so it can be rotated.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._is_torn = False  # the last line was not written to its end
        self._append(b"")

    def write(self, entry: Mapping[str, object]) -> None:
        """Write an entry with the time in front. Raises AuditRefused.

        Everything past ASCII, and every control character, is escaped: what a client sends can't look like another line.
        """
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": time, **entry}, ensure_ascii=True)
        self._append(line.encode() + b"\n")
        _log.info("%s", line)

    def _append(self, data: bytes) -> None:
        if self._path is None:
            return
        data = b"\n" + data if self._is_torn else data
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                written = os.write(file, data)
            finally:
                os.close(file)
            self._is_torn = 0 < written < len(data)
            if written < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise AuditRefused(f"The audit log {self._path} can't be written: {error.strerror}.") from None


class Audit(Middleware):
    """Records each call of an audited tool twice: that it was called, before anything is done, and what came of it.

    Where the first can't be written the call fails, and nothing was done.
    """

    def __init__(self, log: AuditLog) -> None:
        self._audit = log

    # Not `on_call_tool`: the base's way to it is three coroutines long, and every message takes it.
    async def __call__(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """Handle the message, and record it where it calls an audited tool."""
        if context.method != "tools/call":
            return await call_next(context)
        tool, arguments = _call(context.message)
        if tool not in AUDITED:
            return await call_next(context)
        entry = {
            "call": secrets.token_hex(8),
            "tool": tool,
            "adapter": _short(arguments.get("adapter_name")) if isinstance(arguments, Mapping) else None,
            "principal": _principal(context),
        }
        try:
            self._audit.write({"event": "called", **entry})
        except AuditRefused as error:
            _log.error("%s", error)
            raise ToolError("This call can't be recorded in the audit log, so nothing was done.") from None
        return await self._recorded(entry, call_next(context))

    async def _recorded(self, entry: dict[str, object], call: Any) -> Any:
        outcome: dict[str, object] = {"outcome": "failed"}
        try:
            answer = await call
            outcome = {"outcome": "done", **_facts(answer.structured_content)}
        except (NotFoundError, DisabledError):
            outcome = {"outcome": "refused"}
            raise
        except ValidationError:
            outcome = {"outcome": "invalid"}
            raise
        except asyncio.CancelledError:
            outcome = {"outcome": "cancelled"}
            raise
        except Exception as error:
            outcome["error"] = type(error.__cause__ or error).__name__
            raise
        finally:
            try:
                self._audit.write({"event": "answered", **entry, **outcome})
            except AuditRefused as error:  # it was done: the client must learn what came of it
                _log.error("%s It was: %s.", error, outcome["outcome"])
        return answer


def _call(message: Any) -> tuple[Any, Any]:
    """The tool and the arguments of a call; a call that is no right one comes as the mapping that was sent."""
    if isinstance(message, Mapping):
        name = message.get("name")
        return (name if isinstance(name, str) else None), message.get("arguments")
    return message.name, message.arguments or {}


def _short(value: object) -> str | None:
    return value[:_MAX_LENGTH] if isinstance(value, str) else None


def _principal(context: MiddlewareContext[Any]) -> str:
    """`token:NAME` or `jwt:SUBJECT`; where nobody was asked who he is, `stdio`, `anonymous` (over HTTP) or `in-process`."""
    token = get_access_token()
    if token is not None:
        return token.client_id[:_MAX_LENGTH]
    transport = context.fastmcp_context.transport if context.fastmcp_context else None
    return {"stdio": "stdio", None: "in-process"}.get(transport, "anonymous")


def _facts(answer: Mapping[str, Any] | None) -> dict[str, object]:
    answer = answer or {}
    facts: dict[str, object] = {name: answer[name] for name in _FACTS if name in answer}
    changes = answer.get("changes")
    return facts | {"keys": [_short(change["key"]) for change in changes]} if changes else facts
