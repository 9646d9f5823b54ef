"""What an MCP server has answered to the call of a tool, which may be anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from oneiric_mcp.client.errors import ToolFailed, WrongAnswer, WrongProtocol

if TYPE_CHECKING:
    from oneiric_mcp.client.errors import ServerError

PROTOCOL = "2026-07-28"
"""The one version of MCP that is spoken here."""

_UNSUPPORTED_VERSION = -32022
_LONGEST_QUOTE = 1000
"""How many characters of a server's own sentence are repeated."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer over HTTP, read to its end."""

    url: str
    tool: str
    number: int
    """The id of the request that it should answer."""
    status: int
    kind: str
    """The media type."""
    body: bytes = field(repr=False)

    def content(self) -> dict[str, Any]:
        """The tool's structured content. Raises one of the ServerErrors where there is none."""
        result = self._result()
        if result.get("isError"):
            sentence = f"The MCP server {self.url} answers `{self.tool}` with an error: {_quoted(_text(result))}"
            raise ToolFailed(sentence)
        content = result.get("structuredContent")
        if result.get("resultType", "complete") != "complete" or not isinstance(content, dict):
            raise WrongAnswer(
                f"The MCP server {self.url} answers `{self.tool}` without the content that it should have."
            )
        return content

    def _result(self) -> dict[str, Any]:
        message = self._message()
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            raise no_mcp(self.url, f"what it answers (HTTP {self.status}) is no JSON-RPC")
        error, result = message.get("error"), message.get("result")
        if isinstance(error, dict):
            raise self._refusal(error)
        if not isinstance(result, dict) or message.get("id") != self.number:
            raise no_mcp(self.url, f"what it answers (HTTP {self.status}) is no result of the call")
        return result

    def _message(self) -> object:
        body = _last_event(self.body) if self.kind == "text/event-stream" else self.body
        try:
            message: object = from_json(body, allow_inf_nan=False)
        except ValueError:
            raise no_mcp(self.url, f"what it answers (HTTP {self.status}) is no JSON") from None
        return message

    def _refusal(self, error: dict[str, Any]) -> ServerError:
        if error.get("code") == _UNSUPPORTED_VERSION:
            data = error.get("data")
            supported = data.get("supported") if isinstance(data, dict) else None
            versions = ", ".join(map(str, supported)) if isinstance(supported, list) else "another version"
            return no_mcp(self.url, f"it speaks {_quoted(versions)}")
        sentence = _quoted(error.get("message"))
        if self.status >= 400:  # a server of the protocols with a session, which misses one
            return no_mcp(self.url, f"it says (HTTP {self.status}): {sentence}")
        return ToolFailed(f"The MCP server {self.url} has failed at `{self.tool}`: {sentence}")


def no_mcp(url: str, why: str) -> WrongProtocol:
    """The error for a server that doesn't speak our protocol, as far as can be seen."""
    sentence = f"{url} doesn't speak MCP {PROTOCOL}: {why.rstrip('.')}."
    return WrongProtocol(sentence, hint="Give the URL of an `oneiric-mcp --http`, of this version or a later one.")


def _last_event(body: bytes) -> bytes:
    """The data of the last message of an event stream: the answer ends it."""
    last = body.replace(b"\r\n", b"\n").strip(b"\n").rpartition(b"\n\n")[2]
    lines = (line for line in last.split(b"\n") if line.startswith(b"data:"))
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines)


def _text(result: dict[str, Any]) -> object:
    content = result.get("content")
    first = content[0] if isinstance(content, list) and content else None
    return first.get("text") if isinstance(first, dict) else None


def _quoted(text: object) -> str:
    """What a server says, as far as it can be shown."""
    if not isinstance(text, str) or not text:
        return "it doesn't say why."
    shown = "".join(character if character.isprintable() or character == "\n" else "?" for character in text)
    return shown if len(shown) <= _LONGEST_QUOTE else f"{shown[:_LONGEST_QUOTE]} …"
