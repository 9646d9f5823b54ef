"""HTTP errors that don't echo the message: the SDK answers one that is no JSON-RPC with pydantic's error, which quotes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_QUOTING = "Validation error:"
_INSTEAD = f"{_QUOTING} the message is not one of JSON-RPC."


class MessageErrors:
    """ASGI middleware that takes the quotations out of answers with status 400."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back."""
        held: list[Message] = []

        async def pass_back(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 400:
                held.append(message)  # its headers say how long the body is
                return
            if held:
                start = held.pop()
                body = _unquoted(message.get("body", b""))
                headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
                await send({**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
                message = {**message, "body": body}
            await send(message)

        await self._app(scope, receive, pass_back)


def _unquoted(body: bytes) -> bytes:
    """The body, which the SDK sends in one piece."""
    try:
        answer: Any = json.loads(body)
        is_quoting = answer["error"]["message"].startswith(_QUOTING)
    except (ValueError, LookupError, TypeError, AttributeError):
        return body
    if not is_quoting:
        return body
    return json.dumps({**answer, "error": {**answer["error"], "message": _INSTEAD}}).encode()
